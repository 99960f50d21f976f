#pragma once

// What the four norms share besides the idea. For their .cpp files; not installed.

#include <algorithm>
#include <utility>
#include <vector>

#include "nn/norm/batch_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/kernels/parallel_for.hpp"
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

inline void require_running_statistics(const char* name, const Tensor& mean, const Tensor& var, std::size_t channels) {
  const Shape expected = {channels};
  require<ShapeError>(mean.shape() == expected && var.shape() == expected,
                      "{}: expected running statistics of shape {}, got {} and {}", name, to_string(expected),
                      to_string(mean.shape()), to_string(var.shape()));
}

/// running ← (1 − momentum)·running + momentum·new for each channel. f has the statistics (C) of batch norm or (N, C)
/// of instance norm, whose mean over the samples is the new one; each is of `values` values. The variance goes in
/// unbiased: values/(values − 1) times the one used to normalize.
inline void update_running(const RunningStatistics& running, const NormForward& f, std::size_t values, double eps) {
  const std::size_t C = running.mean.size(), N = f.mean.size() / C;
  const double m = running.momentum, unbiased = static_cast<double>(values) / static_cast<double>(values - 1);
  for (std::size_t c = 0; c < C; ++c) {
    double mean = 0, var = 0;
    for (std::size_t i = c; i < f.mean.size(); i += C) {
      const double rstd = f.rstd.data()[i];
      mean += static_cast<double>(f.mean.data()[i]) / static_cast<double>(N);
      var += std::max(1 / (rstd * rstd) - eps, 0.0) * unbiased / static_cast<double>(N);
    }
    Scalar &mean_c = running.mean.data()[c], &var_c = running.var.data()[c];
    mean_c = static_cast<Scalar>((1 - m) * static_cast<double>(mean_c) + m * mean);
    var_c = static_cast<Scalar>((1 - m) * static_cast<double>(var_c) + m * var);
  }
}

/// Samples of so many values that one thread takes at a time.
inline std::size_t samples_per_piece(std::size_t values) { return std::max<std::size_t>(1, kernels::kGrain / values); }

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
