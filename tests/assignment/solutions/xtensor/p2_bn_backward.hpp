#pragma once

// With xtensor's own functions; gamma pulled out of the means, which batch norm allows.
#include <xtensor/xmath.hpp>

#include "assignment/batch_norm.hpp"

namespace student {

using Array = xtg::Tensor::Xtensor;

inline xtg::Tensor wrap(const Array& a) {
  xtg::Tensor t(a.shape());
  t.xtensor() = a;
  return t;
}

inline xtg::assignment::BatchNormGradients batch_norm_backward(const xtg::Tensor& dy,
                                                               const xtg::assignment::BatchNormCache& cache) {
  std::vector<std::size_t> axes;
  for (std::size_t a = 0; a + 1 < dy.dimension(); ++a) axes.push_back(a);
  const double m = double(dy.size() / cache.gamma.size());
  const Array &d = dy.xtensor(), &h = cache.x_hat.xtensor();
  const Array products = d * h;
  const Array dbeta = xt::sum(d, axes), dgamma = xt::sum(products, axes);
  const Array dx = cache.gamma.xtensor() * cache.rstd.xtensor() * (d - dbeta / m - h * dgamma / m);
  return {wrap(dx), wrap(dgamma), wrap(dbeta)};
}

}  // namespace student
