#pragma once

#include "tensor/tensor.hpp"

namespace xtg {

/// The matrix product: (M, K), (K, N) -> (M, N). transpose_a reads a as (K, M), transpose_b reads b as (N, K).
/// Throws ShapeError unless both are matrices whose inner sizes agree.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

}  // namespace xtg
