#pragma once

// Plain loops, one channel at a time.
#include <cmath>

#include "assignment/batch_norm.hpp"

namespace student {

using xtg::Shape;
using xtg::Tensor;

inline xtg::assignment::BatchNormResult batch_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                                           const xtg::assignment::BatchNormSettings& settings,
                                                           Tensor& running_mean, Tensor& running_var) {
  const std::size_t C = gamma.size(), M = x.size() / C;
  xtg::assignment::BatchNormResult r;
  r.y = Tensor(x.shape());
  r.cache.x = x;
  r.cache.gamma = gamma;
  r.cache.eps = settings.eps;
  r.cache.x_hat = Tensor(x.shape());
  r.cache.mean = r.cache.variance = r.cache.rstd = Tensor(Shape{C});
  for (std::size_t c = 0; c < C; ++c) {
    double mean = running_mean(c), variance = running_var(c);
    if (settings.training) {
      mean = variance = 0;
      for (std::size_t i = 0; i < M; ++i) mean += x.data()[i * C + c];
      mean /= double(M);
      for (std::size_t i = 0; i < M; ++i) variance += std::pow(x.data()[i * C + c] - mean, 2);
      const double unbiased = variance / double(M - 1);
      variance /= double(M);
      running_mean(c) += settings.momentum * (mean - running_mean(c));
      running_var(c) += settings.momentum * (unbiased - running_var(c));
    }
    const double stddev = std::sqrt(variance + settings.eps);
    r.cache.mean(c) = mean;
    r.cache.variance(c) = variance;
    r.cache.rstd(c) = 1 / stddev;
    for (std::size_t i = c; i < x.size(); i += C) {
      r.cache.x_hat.data()[i] = (x.data()[i] - mean) / stddev;
      r.y.data()[i] = gamma(c) * r.cache.x_hat.data()[i] + beta(c);
    }
  }
  return r;
}

}  // namespace student
