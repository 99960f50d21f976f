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
  const Tensor centred = subtract(cache.x, cache.mean);

  const Tensor dbeta = sum(dy, axes);
  const Tensor dgamma = sum(multiply(dy, cache.x_hat), axes);
  const Tensor dx_hat = multiply(cache.gamma, dy);
  const Tensor drstd = sum(multiply(dx_hat, centred), axes);
  const Tensor dvariance = multiply(drstd, multiply(pow(add(cache.variance, cache.eps), -1.5), -0.5));
  Tensor dcentred = multiply(dx_hat, cache.rstd);
  dcentred = add(dcentred, multiply(multiply(centred, dvariance), 2 / m));
  const Tensor dmean = negative(sum(dcentred, axes));
  return {add(dcentred, multiply(dmean, 1 / m)), dgamma, dbeta};
}

}  // namespace student
