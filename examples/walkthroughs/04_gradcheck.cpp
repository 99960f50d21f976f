// The program of docs/04-gradcheck.md: eighteen wrong backwards of batch normalization, and which checks see them.

#include <cmath>
#include <string>
#include <xtgrad.hpp>

#include "examples/walkthroughs/04_wrong_backwards.hpp"
#include "examples/walkthroughs/walkthrough.hpp"

using namespace xtg;

namespace {

enum class Loss { Sum, Squares, Random };

/// How a check looks at the layer: at which inputs, through which loss.
struct Probe {
  const char* name;
  Loss loss;
  bool mixed_gamma;
  double eps;
};
const std::vector<Probe> kProbes{{"sum of y", Loss::Sum, true, 1e-5},
                                 {"sum of y*y", Loss::Squares, false, 1e-5},
                                 {"random, gamma 1", Loss::Random, false, 1e-5},
                                 {"random, mixed gamma", Loss::Random, true, 1e-5},
                                 {"the same, eps 0.1", Loss::Random, true, 0.1}};

/// One layer under one probe: x (6, 5) with columns of different spread around 12.
class Bench {
 public:
  explicit Bench(const Probe& probe) : loss_(probe.loss), eps_(probe.eps) {
    Generator random(4);
    x_ = random_normal({6, 5}, random) * tensor({0.5, 1, 2, 4, 8}, {5}) + 12;
    w_ = random_normal({6, 5}, random);
    gamma_ = probe.mixed_gamma ? tensor({1.5, -0.7, 0.3, 2, -1.1}, {5}) : ones({5});
  }

  Tensor dx(const Candidate& candidate) const {
    const nn::NormForward f = nn::batch_norm_forward(x_, gamma_, zeros({5}), eps_);
    const Variable dy(loss_ == Loss::Sum ? ones({6, 5}) : loss_ == Loss::Squares ? 2 * f.y : w_);
    const Variable x(x_), gamma(gamma_), r(f.rstd);
    return candidate.dx({dy, x, gamma, gamma * dy, (x - Variable(f.mean)) * r, r, static_cast<Scalar>(eps_), 6})
        .value();
  }

  // region: numeric
  /// The gradient by centred differences, element by element. It calls the forward, and no backward.
  Tensor numeric() const {
    const double h = 1e-5;
    Tensor gradient(x_.shape());
    for (std::size_t i = 0; i < x_.size(); ++i) {
      Tensor up = x_, down = x_;
      up.data()[i] += h, down.data()[i] -= h;
      gradient.data()[i] = (value(up) - value(down)) / (2 * h);
    }
    return gradient;
  }
  // end region

 private:
  double value(const Tensor& x) const {
    const Tensor y = nn::batch_norm_forward(x, gamma_, zeros({5}), eps_).y;
    return sum(y * (loss_ == Loss::Sum ? ones({6, 5}) : loss_ == Loss::Squares ? y : w_)).item();
  }

  Loss loss_;
  double eps_;
  Tensor x_, w_, gamma_;
};

// region: accepts
/// |a − b| ≤ tolerance·(1 + |b|) for all elements, b being the reference: the usual comparison.
bool accepts(const Tensor& a, const Tensor& b, double tolerance) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a.data()[i] - b.data()[i]) <= tolerance * (1 + std::abs(b.data()[i])))) return false;
  return true;
}
// end region

void blindness() {
  std::printf("%-29s %s\n", "", "sum y     sum y*y   random    random    random");
  std::printf("%-29s %s\n", "", "gamma +-  gamma 1   gamma 1   gamma +-  gamma +-");
  std::printf("%-29s %s\n", "", "eps 1e-5  eps 1e-5  eps 1e-5  eps 1e-5  eps 0.1");
  std::vector<int> strict(kProbes.size()), loose(kProbes.size());
  for (const Candidate& wrong : kWrong) {
    std::printf("%-29s", wrong.name);
    for (std::size_t p = 0; p < kProbes.size(); ++p) {
      const Bench bench(kProbes[p]);
      const Tensor a = bench.dx(wrong), b = bench.numeric();
      const bool small = accepts(a, b, 1e-5), large = accepts(a, b, 1e-2);
      strict[p] += small, loose[p] += large;
      std::printf(" %-9s", small ? "passes" : large ? "(passes)" : ".");
    }
    std::printf("\n");
  }
  std::printf("%-29s", "passed, of 18");
  for (const int n : strict) std::printf(" %-9d", n);
  std::printf("\n%-29s", "with tolerance 1e-2");
  for (const int n : loose) std::printf(" %-9d", n);
  std::printf("\n");
}

void sizes() {
  for (const Probe& probe : kProbes) {
    const Bench bench(probe);
    const Tensor right = bench.dx(kRight);
    const double largest = max(xtg::abs(right)).item();
    std::printf("%-21s right backward passes with tolerance 1e-8: %-4s largest |dx|: ", probe.name,
                accepts(right, bench.numeric(), 1e-8) ? "yes" : "no");
    std::printf(largest < 1e-12 ? "below 1e-12\n" : "%.1e\n", largest);
  }
}

/// A layer whose forward is wrong (the unbiased variance) with a backward that is right for it.
void forward() {
  Generator random(4);
  const Tensor x = random_normal({6, 5}, random), gamma = random_normal({5}, random), beta = random_normal({5}, random);
  // region: forward
  const auto layer = [](const Variables& v) {
    const Variable centred = v[0] - mean(v[0], {0});
    return v[1] * (centred * rsqrt(variance(v[0], {0}) + Scalar(1e-5))) + v[2];  // divides by M - 1
  };
  const GradientCheck check = check_gradients(layer, {x, gamma, beta});
  // end region
  const Tensor y = layer({Variable(x), Variable(gamma), Variable(zeros({5}))}).value();
  const Tensor ratio = y / nn::batch_norm_forward(x, gamma, zeros({5}), 1e-5).y;
  std::printf("gradients agree: %s\ny over the right y: from %.4f to %.4f\n", check.ok ? "yes" : "no",
              min(ratio).item(), max(ratio).item());
}

double relu_of(double x) { return relu(Variable(scalar(x))).item(); }

void kink() {
  const double h = 1e-5;
  for (const double at : {0.5, 0.000002, -0.000002, -0.5}) {
    const Variable x(scalar(at), true);
    relu(x).backward();
    std::printf("x = %9.6f   backward %g   difference %.2f\n", at, x.grad().item(),
                (relu_of(at + h) - relu_of(at - h)) / (2 * h));
  }
}

/// One number for an array of any size: along a random direction u, u · dx must be the slope of the loss.
void direction() {
  Generator random(5);
  const Shape shape{2000, 8};
  const Tensor x = random_normal(shape, random), gamma = random_normal({8}, random), beta = zeros({8});
  const Tensor w = random_normal(shape, random), u = random_normal(shape, random);
  const nn::NormForward f = nn::batch_norm_forward(x, gamma, beta, 1e-5);
  // region: direction
  const auto loss = [&](const Tensor& at) { return sum(nn::batch_norm_forward(at, gamma, beta, 1e-5).y * w).item(); };
  const double h = 1e-5;
  const Tensor step = h * u;
  const double slope = (loss(x + step) - loss(x - step)) / (2 * h);
  const Tensor dx = nn::batch_norm_backward(w, x, f.mean, f.rstd, gamma).dx;
  std::printf("slope along u   %.5f\nu * dx, summed  %.5f\n", slope, sum(u * dx).item());
  // end region
}

/// check_gradients compares three ways, so it can say which one is wrong.
void verdict() {
  Generator random(4);
  const Tensor x = random_normal({6, 5}, random), gamma = random_normal({5}, random);
  // region: verdict
  const auto definition = [](const Variables& v) {
    return nn::batch_norm_composed(v[0], v[1], Variable(zeros({5})), 1e-5);
  };
  const auto layer = [&](const Variables& v) {
    return operation("planted", v, definition, [&] {
      const nn::NormForward f = nn::batch_norm_forward(v[0].value(), v[1].value(), zeros({5}), 1e-5);
      return Computed{f.y, [f](const Tensor& dy, const Arguments& a) {
                        nn::NormGradients d = nn::batch_norm_backward(dy, a[0], f.mean, f.rstd, a[1]);
                        d.dx = dy * a[1] * f.rstd;  // planted: the ways through mu and v are missing
                        return analytic_gradients(d.dx, d.dgamma);
                      }};
    });
  };
  const GradientCheck check = check_gradients(layer, {x, gamma});
  std::printf("x:     %s\ngamma: %s\n", check.inputs[0].verdict.c_str(), check.inputs[1].verdict.c_str());
  // end region
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"blindness", "which wrong backwards pass which check", blindness},
               {"sizes", "how large the right gradient is in each check", sizes},
               {"forward", "a wrong forward with its own right backward", forward},
               {"kink", "where differences are wrong", kink},
               {"direction", "16,000 derivatives, checked with two forwards", direction},
               {"verdict", "the library's check_gradients", verdict}});
}
