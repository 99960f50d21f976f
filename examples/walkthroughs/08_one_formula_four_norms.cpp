// Batch, layer, instance and group norm: one formula, four sets. The page: docs/08-one-formula-four-norms.md.

#include <algorithm>
#include <cmath>
#include <xtgrad.hpp>

#include "axis_cube.hpp"
#include "walkthrough.hpp"

using namespace xtg;

namespace {

// region: sets
struct Norm {
  const char* name;
  Axes set;  // the axes that are averaged, of the view (N, H, W, G, C/G)
};
const std::vector<Norm> norms = {
    {"batch", {0, 1, 2}}, {"layer", {1, 2, 3, 4}}, {"instance", {1, 2}}, {"group", {1, 2, 4}}};
// end region

// region: one
struct Result {
  Tensor y, dx, dgamma, dbeta, mean;
};

/// x and dy (N, H, W, G, C/G), gamma and beta (G, C/G).
Result normalize(const Tensor& x, const Tensor& dy, const Tensor& gamma, const Tensor& beta, const Axes& set,
                 double eps) {
  Result result;
  result.mean = mean(x, set, true);
  const Tensor centred = x - result.mean;
  const Tensor rstd = rsqrt(mean(square(centred), set, true) + eps);
  const Tensor x_hat = centred * rstd;
  result.y = gamma * x_hat + beta;

  const Tensor dx_hat = gamma * dy;
  const Tensor m1 = mean(dx_hat, set, true), m2 = mean(dx_hat * x_hat, set, true);
  result.dx = rstd * (dx_hat - m1 - x_hat * m2);
  result.dgamma = sum(dy * x_hat, {0, 1, 2});  // all that use this gamma, whatever the set
  result.dbeta = sum(dy, {0, 1, 2});
  return result;
}
// end region

constexpr std::size_t N = 5, H = 4, W = 7, C = 6, G = 2;
constexpr double eps = 1e-5;
const Shape view = {N, H, W, G, C / G}, image = {N, H, W, C};

struct Problem {
  Tensor x, dy;  // (N, H, W, C)
  Tensor gamma = tensor({1.5, -0.7, 0.3, 2, -1.1, 0.8}, {C}), beta = tensor({0.1, 0.2, -0.3, 0, 1, -2}, {C});
};
Problem problem() {
  Generator random(8);
  Problem p;
  p.x = random_normal(image, random) + 2 * random_normal({C}, random);  // each channel about a mean
  p.dy = random_normal(image, random);
  return p;
}

Result by_formula(const Norm& norm, const Tensor& x, const Tensor& dy, const Tensor& gamma, const Tensor& beta) {
  return normalize(reshape(x, view), reshape(dy, view), reshape(gamma, {G, C / G}), reshape(beta, {G, C / G}), norm.set,
                   eps);
}

Variable by_library(const std::string& name, const Variable& x, const Variable& gamma, const Variable& beta,
                    std::size_t groups = G) {
  if (name == "batch") return nn::batch_norm(x, gamma, beta, eps);
  if (name == "layer") return nn::layer_norm(x, gamma, beta, 3, eps);  // the last 3 axes: H, W, C
  if (name == "instance") return nn::instance_norm(x, gamma, beta, eps);
  return nn::group_norm(x, gamma, beta, groups, eps);
}

double norm(const Tensor& x) { return std::sqrt(sum(square(x)).item()); }

/// ‖a − b‖/‖b‖, the shapes aside.
double l2_error(const Tensor& a, const Tensor& b) { return norm(reshape(a, b.shape()) - b) / norm(b); }

const char* yes_or_stop(bool holds, const char* claim) {
  if (!holds) throw std::runtime_error(std::string("not true: ") + claim);
  return "yes";
}

void sets() {
  const Problem p = problem();
  std::printf("x is (N, H, W, C) = %s, G = %zu, so the view (N, H, W, G, C/G) is %s\n\n", to_string(image).c_str(), G,
              to_string(view).c_str());
  std::printf("  %-9s %-5s %-12s %s\n", "norm", "M", "sets", "shape of the mean, averaged axes kept as 1");
  for (const Norm& n : norms) {
    const Tensor m = by_formula(n, p.x, p.dy, p.gamma, p.beta).mean;
    std::printf("  %-9s %-5zu %-12zu %s\n", n.name, p.x.size() / m.size(), m.size(), to_string(m.shape()).c_str());
  }
}

void one() {
  const Problem p = problem();
  std::printf("  error below 1e-12:  %-5s %-5s %-7s %s\n", "y", "dx", "dgamma", "dbeta");
  for (const Norm& n : norms) {
    const Result a = by_formula(n, p.x, p.dy, p.gamma, p.beta);
    const Variable x(p.x, true), gamma(p.gamma, true), beta(p.beta, true);
    const Variable y = by_library(n.name, x, gamma, beta);
    y.backward(p.dy);
    const auto close = [](const Tensor& t, const Tensor& u) { return yes_or_stop(l2_error(t, u) < 1e-12, "equal"); };
    std::printf("  %-19s %-5s %-5s %-7s %s\n", n.name, close(a.y, y.value()), close(a.dx, x.grad()),
                close(a.dgamma, gamma.grad()), close(a.dbeta, beta.grad()));
  }
}

// What happens to dx when gamma is pulled out of the two means.
void pulled_out() {
  const Problem p = problem();
  std::printf("  error of dx with gamma pulled out\n  %-9s %20s %20s\n", "norm", "gammas of both signs",
              "all gammas 2");
  for (const Norm& n : norms) {
    std::printf("  %-9s", n.name);
    for (const Tensor& gamma : {p.gamma, full({C}, 2)}) {
      // region: pulled
      const Tensor ones = full({C}, 1);
      const Tensor inside = by_formula(n, p.x, p.dy, gamma, p.beta).dx;
      const Tensor outside = reshape(gamma, {G, C / G}) * by_formula(n, p.x, p.dy, ones, p.beta).dx;
      // end region
      const double error = l2_error(outside, inside);
      std::printf(" %20s", error < 1e-12 ? "0" : fmt::format("{:.0f} %", 100 * error).c_str());
    }
    std::puts("");
  }
}

void images() {
  const Problem p = problem();
  Tensor moved = p.x;
  for (std::size_t i = 0; i < H * W * C; ++i) moved.data()[i] *= 3;  // image 0 alone
  std::printf("  image 0 is changed; does y of image 1 change?\n");
  for (const Norm& n : norms) {
    const auto second = [&](const Tensor& x) {
      return slice(by_library(n.name, Variable(x), Variable(p.gamma), Variable(p.beta)).value(), {{1, 2}, {}, {}, {}});
    };
    std::printf("  %-9s %s\n", n.name, second(p.x) == second(moved) ? "no, not in a single bit" : "yes");
  }
}

void ends() {
  const Problem p = problem();
  const auto y = [&](const char* name, std::size_t groups) {
    return by_library(name, Variable(p.x), Variable(p.gamma), Variable(p.beta), groups).value();
  };
  std::printf("group norm with 1 group is layer norm, to 1e-12:     %s\n",
              yes_or_stop(l2_error(y("group", 1), y("layer", 1)) < 1e-12, "one group"));
  std::printf("group norm with %zu groups is instance norm, to 1e-12: %s\n", C,
              yes_or_stop(l2_error(y("group", C), y("instance", 1)) < 1e-12, "C groups"));
}

void one_pixel() {
  Generator random(9);
  const Tensor x = random_normal({3, 1, 1, C}, random), beta = tensor({1, 2, 3, 4, 5, 6}, {C});
  const auto first = [&](const char* name, std::size_t groups) {
    std::string text;
    try {
      const Tensor y = by_library(name, Variable(x), Variable(ones({C})), Variable(beta), groups).value();
      for (std::size_t c = 0; c < C; ++c) text += fmt::format("{:7.2f}", y.data()[c]);
    } catch (const ValueError& error) {
      text = std::string("  ") + error.what();
    }
    return text;
  };
  std::printf("  3 images of 1 x 1 x 6; gamma is 1, beta 1 to 6. y of image 0:\n");
  std::printf("  batch            %s\n", first("batch", 1).c_str());
  std::printf("  layer            %s\n", first("layer", 1).c_str());
  std::printf("  group, 2 groups  %s\n", first("group", 2).c_str());
  std::printf("  group, 6 groups  %s\n", first("group", C).c_str());
  std::printf("  instance         %s\n", first("instance", 1).c_str());
}

void by_reshape() {
  const Problem p = problem();
  // region: reshape
  const Variable x(p.x, true), gamma(p.gamma), beta(p.beta);
  const Variable columns = reshape(transpose(x, {1, 2, 0, 3}), {H * W, N * C});       // (H, W, N, C) as a matrix
  const Variable normalized = nn::batch_norm(columns, Variable(), Variable(), eps);   // no gamma, no beta
  const Variable x_hat = transpose(reshape(normalized, {H, W, N, C}), {2, 0, 1, 3});  // (N, H, W, C) again
  const Variable y = gamma * x_hat + beta;
  // end region
  y.backward(p.dy);
  const Variable x2(p.x, true);
  const Variable y2 = nn::instance_norm(x2, gamma, beta, eps);
  y2.backward(p.dy);
  std::printf("instance norm out of batch norm: y and dx equal to 1e-12: %s\n",
              yes_or_stop(l2_error(y.value(), y2.value()) + l2_error(x.grad(), x2.grad()) < 1e-12, "by reshape"));
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"sets", "how many numbers share a mean", sets},
               {"one", "one function against the library's four", one},
               {"gamma", "gamma pulled out of the means", pulled_out},
               {"images", "who looks at other images", images},
               {"ends", "group norm's two ends", ends},
               {"one-pixel", "maps of one pixel", one_pixel},
               {"reshape", "instance norm out of batch norm", by_reshape}},
              {{"cube", "the four sets", axis_cube}});
}
