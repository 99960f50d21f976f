// The gradient of a gradient. A small network with batch norm has a loss L(p) with parameters p = (A, gamma, beta).
// When p moves a little in a direction v, its gradient g changes by H·v, H the matrix of second derivatives. H is never
// built: g is recorded on the tape like any other number, and <g, v> is differentiated.
//
// Batch norm's backward is written by hand, on plain arrays, so the tape could not differentiate it again. When a
// gradient is to be recorded, the layer's definition takes its place: that is one of the two things a definition is
// for.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <xtgrad.hpp>

using namespace xtg;

namespace {

double largest(const Tensor& x) {
  double result = 0;
  for (const Scalar value : x) result = std::max(result, std::abs(static_cast<double>(value)));
  return result;
}

}  // namespace

int main() {
  Generator random(1);
  const Variable x(random_normal({7, 3}, random)), w(random_normal({7, 4}, random));
  const Function loss = [&](const Variables& p) {
    const Variable h = matmul(x, p[0]);                      // (7, 3), (3, 4) -> (7, 4)
    const Variable y = nn::batch_norm(h, p[1], p[2], 1e-3);  // each column normalized
    return sum(w * tanh(y));                                 // one number
  };
  const std::vector<Tensor> p = {random_normal({3, 4}, random), random_normal({4}, random), random_normal({4}, random)};
  const std::vector<Tensor> v = {random_normal({3, 4}, random), random_normal({4}, random), random_normal({4}, random)};

  const std::vector<Tensor> exact = hessian_vector_product(loss, p, v);
  std::printf("H v for gamma: %s\n\n", to_string(exact[1], 5).c_str());

  // The same from gradients alone: (g(p + step·v) − g(p − step·v))/(2·step).
  const auto gradient = [&](double step) {
    Variables at;
    for (std::size_t i = 0; i < p.size(); ++i) {
      Tensor moved = p[i];
      add_in_place(moved, step, v[i]);
      at.emplace_back(moved, true);
    }
    return grad({loss(at)}, at);
  };
  std::printf("  step   largest relative difference between H v and differences of gradients\n");
  double best = 1;
  for (double step = 0.1; step > 1e-11; step /= 10) {
    const Variables ahead = gradient(step), behind = gradient(-step);
    double difference = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor d = ((ahead[i] - behind[i]) / (2 * step)).value();
      difference = std::max(difference, largest(d - exact[i]) / largest(exact[i]));
    }
    std::printf("  %.0e  %.1e\n", step, difference);
    best = std::min(best, difference);
  }
  std::printf("\nA large step misses the curve's bend, a small one drowns in rounding; H v has neither fault.\n");
  return best < 1e-7 ? 0 : 1;
}
