#pragma once

#include "autograd/variable.hpp"

namespace xtg {

/// The matrix product: (M, K), (K, N) -> (M, N); da = dy·bᵀ, db = aᵀ·dy. transpose_a reads a as (K, M), transpose_b
/// reads b as (N, K). Throws ShapeError unless both are matrices whose inner sizes agree.
Variable matmul(const Variable& a, const Variable& b, bool transpose_a = false, bool transpose_b = false);

}  // namespace xtg
