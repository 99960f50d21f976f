#pragma once

// What the four norms share besides the idea.

#include <utility>

#include "autograd/variable.hpp"
#include "tensor/create.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

/// The size of x's last axis.
inline std::size_t channels_of(const char* name, const Variable& x) {
  require<ShapeError>(x.shape().size() >= 2 && x.size() > 0, "{}: expected x (N, …, C) without empty axes, got {}",
                      name, to_string(x.shape()));
  return x.shape().back();
}

/// gamma and beta, with 1 and 0 in the place of undefined ones; both must have `shape`.
inline std::pair<Variable, Variable> norm_arguments(const char* name, const Variable& x, const Variable& gamma,
                                                    const Variable& beta, const Shape& shape) {
  std::pair<Variable, Variable> affine(gamma.defined() ? gamma : Variable(ones(shape)),
                                       beta.defined() ? beta : Variable(zeros(shape)));
  require<ShapeError>(affine.first.shape() == shape && affine.second.shape() == shape,
                      "{}: expected gamma and beta of shape {} for x {}, got {} and {}", name, to_string(shape),
                      to_string(x.shape()), to_string(affine.first.shape()), to_string(affine.second.shape()));
  return affine;
}

/// One value is its own mean: x_hat would be 0, and the layer would return beta whatever its input.
inline void require_two_values(const char* name, std::size_t values, const Shape& shape) {
  require(values >= 2, "{}: expected more than one value per statistic, x is {}", name, to_string(shape));
}

/// total[c] = Σ_n sums[n·C + c], in order.
inline void add_over_samples(const std::vector<double>& sums, Tensor& total) {
  const std::size_t C = total.size();
  for (std::size_t c = 0; c < C; ++c) {
    double t = 0;
    for (std::size_t i = c; i < sums.size(); i += C) t += sums[i];
    total.data()[c] = static_cast<Scalar>(t);
  }
}

}  // namespace xtg::nn
