#pragma once

// The whole matrix of derivatives, ∂x̂_j/∂x_i = r·(δ_ij − 1/M − x̂_i·x̂_j/M), times the gradient: M² work a column.
#include "assignment/batch_norm.hpp"
#include "tensor/create.hpp"

namespace student {

using namespace xtg;

inline assignment::BatchNormGradients batch_norm_backward(const Tensor& dy, const assignment::BatchNormCache& cache) {
  const std::size_t C = cache.gamma.size(), M = dy.size() / C;
  assignment::BatchNormGradients g{zeros_like(dy), zeros({C}), zeros({C})};
  const auto at = [C](const Tensor& t, std::size_t row, std::size_t c) { return t.data()[row * C + c]; };
  for (std::size_t c = 0; c < C; ++c)
    for (std::size_t j = 0; j < M; ++j) {
      g.dgamma(c) += at(dy, j, c) * at(cache.x_hat, j, c);
      g.dbeta(c) += at(dy, j, c);
      for (std::size_t i = 0; i < M; ++i) {
        const double one = i == j ? 1 : 0;
        const double jacobian = cache.rstd(c) * (one - (1 + at(cache.x_hat, i, c) * at(cache.x_hat, j, c)) / double(M));
        g.dx.data()[i * C + c] += jacobian * cache.gamma(c) * at(dy, j, c);
      }
    }
  return g;
}

}  // namespace student
