#pragma once

// Every node of the forward, backwards.
#include "assignment/batch_norm.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

inline BatchNormGradients batch_norm_backward(const Tensor& dy, const BatchNormCache& cache) {
  Axes axes;
  for (std::size_t i = 0; i + 1 < dy.dimension(); ++i) axes.push_back(i);
  const Scalar m = Scalar(dy.size() / cache.gamma.size());
  const Tensor centred = cache.x - cache.mean;

  const Tensor dbeta = sum(dy, axes);
  const Tensor dgamma = sum(dy * cache.x_hat, axes);
  const Tensor dx_hat = cache.gamma * dy;
  const Tensor drstd = sum(dx_hat * centred, axes);
  const Tensor dvariance = -0.5 * drstd * pow(cache.variance + cache.eps, -1.5);
  Tensor dcentred = dx_hat * cache.rstd;
  dcentred = dcentred + 2 / m * centred * dvariance;
  const Tensor dmean = -sum(dcentred, axes);
  return {dcentred + dmean / m, dgamma, dbeta};
}

}  // namespace student
