// Batch, layer, instance and group normalization are one function. Only the set of numbers that is averaged differs. So
// here they are all four, forward and backward, in one function of a few loops that is told which element belongs to
// which set; and beside it the library's two gradients, the one written by hand and the one derived by the tape.
//
//   y = gamma*x_hat + beta,  x_hat = (x - mean)*r,  r = 1/sqrt(variance + eps),  mean and variance those of the set
//   dx = r*(dx_hat - <dx_hat> - x_hat*<dx_hat*x_hat>),  dx_hat = gamma*dy,       <.> the mean over the set
//   dgamma = sum of dy*x_hat, dbeta = sum of dy, over all elements of the channel
//
// The derivation is docs/normalization.md.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <xtgrad.hpp>

using namespace xtg;

namespace {

// Images are (N, H, W, C): N images, H rows, W columns, C channels, the last axis lying closest in memory.
constexpr std::size_t N = 3, H = 2, W = 5, C = 4, groups = 2, count = N * H * W * C;
constexpr double eps = 1e-5;

using Numbers = std::vector<double>;

/// Which set an element of image n and channel c belongs to: any number below N*C.
using SetOf = std::function<std::size_t(std::size_t n, std::size_t c)>;

std::size_t image_of(std::size_t i) { return i / (H * W * C); }
std::size_t channel_of(std::size_t i) { return i % C; }

/// For each element the mean of `values` over the element's set.
Numbers mean_over_set(const Numbers& values, const SetOf& set_of) {
  Numbers sums(N * C), sizes(N * C), result(count);
  const auto set = [&](std::size_t i) { return set_of(image_of(i), channel_of(i)); };
  for (std::size_t i = 0; i < count; ++i) {
    sums[set(i)] += values[i];
    sizes[set(i)] += 1;
  }
  for (std::size_t i = 0; i < count; ++i) result[i] = sums[set(i)] / sizes[set(i)];
  return result;
}

/// f(i) for each element i.
template <class F>
Numbers each(const F& f) {
  Numbers result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = f(i);
  return result;
}

struct ByHand {
  Numbers y, dx, dgamma, dbeta;
  Numbers dx_gamma_outside;  // a popular mistake: gamma*r*(dy - <dy> - x_hat*<dy*x_hat>)
};

ByHand norm_by_hand(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& dy, const SetOf& set_of) {
  const auto g = [&](std::size_t i) { return gamma(channel_of(i)); };
  const auto d = [&](std::size_t i) { return dy.data()[i]; };
  const auto mean = [&](const Numbers& values) { return mean_over_set(values, set_of); };

  const Numbers mu = mean(Numbers(x.begin(), x.end()));
  const Numbers centred = each([&](std::size_t i) { return x.data()[i] - mu[i]; });
  const Numbers variance = mean(each([&](std::size_t i) { return centred[i] * centred[i]; }));
  const Numbers r = each([&](std::size_t i) { return 1 / std::sqrt(variance[i] + eps); });
  const Numbers x_hat = each([&](std::size_t i) { return centred[i] * r[i]; });

  const Numbers dx_hat = each([&](std::size_t i) { return g(i) * d(i); });
  const Numbers m1 = mean(dx_hat), m2 = mean(each([&](std::size_t i) { return dx_hat[i] * x_hat[i]; }));
  const Numbers n1 = mean(each(d)), n2 = mean(each([&](std::size_t i) { return d(i) * x_hat[i]; }));

  ByHand result;
  result.y = each([&](std::size_t i) { return g(i) * x_hat[i] + beta(channel_of(i)); });
  result.dx = each([&](std::size_t i) { return r[i] * (dx_hat[i] - m1[i] - x_hat[i] * m2[i]); });
  result.dx_gamma_outside = each([&](std::size_t i) { return g(i) * r[i] * (d(i) - n1[i] - x_hat[i] * n2[i]); });
  result.dgamma = result.dbeta = Numbers(C);
  for (std::size_t i = 0; i < count; ++i) {
    result.dgamma[channel_of(i)] += d(i) * x_hat[i];
    result.dbeta[channel_of(i)] += d(i);
  }
  return result;
}

/// Euclidean length of a - b over that of b.
double error(const Numbers& a, const Tensor& b) {
  double difference = 0, length = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b.data()[i]) * (a[i] - b.data()[i]);
    length += b.data()[i] * b.data()[i];
  }
  return std::sqrt(difference / length);
}

}  // namespace

int main() {
  Generator random(1);
  const Tensor x = random_normal({N, H, W, C}, random), dy = random_normal({N, H, W, C}, random);
  const Tensor gamma = tensor({1.5, -0.7, 0.3, 2}, {C}), beta = tensor({0.1, 0.2, -0.3, 0}, {C});

  struct Norm {
    const char* name;
    SetOf set_of;
    std::function<Variable(const Variable& x, const Variable& gamma, const Variable& beta)> library;
  };
  using V = const Variable&;
  const Norm norms[] = {
      {"batch", [](auto, auto c) { return c; }, [](V x, V g, V b) { return nn::batch_norm(x, g, b, eps); }},
      {"layer", [](auto n, auto) { return n; }, [](V x, V g, V b) { return nn::layer_norm(x, g, b, 3, eps); }},
      {"instance", [](auto n, auto c) { return n * C + c; },
       [](V x, V g, V b) { return nn::instance_norm(x, g, b, eps); }},
      {"group", [](auto n, auto c) { return n * groups + c / (C / groups); },
       [](V x, V g, V b) { return nn::group_norm(x, g, b, groups, eps); }}};

  std::printf("norm      y, dx, dgamma, dbeta equal the library's   dx with gamma outside the means\n");
  std::printf("          analytic          derived by the tape\n");
  for (const Norm& norm : norms) {
    const ByHand by_hand = norm_by_hand(x, gamma, beta, dy, norm.set_of);
    bool equal[2];
    double mistake = 0;
    for (const bool derived : {false, true}) {
      const GradientMode mode(derived ? GradientForm::Derived : GradientForm::ByHand);
      const Variable vx(x, true), vgamma(gamma, true), vbeta(beta, true);
      const Variable y = norm.library(vx, vgamma, vbeta);
      y.backward(dy);
      equal[derived] = std::max({error(by_hand.y, y.value()), error(by_hand.dx, vx.grad()),
                                 error(by_hand.dgamma, vgamma.grad()), error(by_hand.dbeta, vbeta.grad())}) < 1e-12;
      mistake = error(by_hand.dx_gamma_outside, vx.grad());
    }
    std::printf("%-8s  %-16s  %-25s  %.1f %% off\n", norm.name, equal[0] ? "to 1e-12" : "NO",
                equal[1] ? "to 1e-12" : "NO", 100 * mistake);
  }
  std::printf("\nIn batch and instance norm a set lies within one channel, and gamma is the same for all of it.\n");
}
