#pragma once

#include "../variable.hpp"

namespace xtg {

/// The matrix product over the last two axes: (…, M, K), (…, K, N) -> (…, M, N); the axes before broadcast, as NumPy's
/// matmul. A vector (K) counts as a row on the left and a column on the right, and its axis is left out of the result.
/// da = dy·bᵀ, db = aᵀ·dy, summed over the axes that were repeated. transpose_a reads a as (…, K, M), transpose_b reads
/// b as (…, N, K); matrices only (else ValueError). Throws ShapeError unless the inner sizes agree and the axes before
/// broadcast.
Variable matmul(const Variable& a, const Variable& b, bool transpose_a = false, bool transpose_b = false);

/// Σ a_i·b_i of two vectors (K) -> (). Throws ShapeError unless they are.
Variable dot(const Variable& a, const Variable& b);
/// y_ij = a_i·b_j of two vectors: (M), (N) -> (M, N). Throws ShapeError unless they are.
Variable outer(const Variable& a, const Variable& b);

}  // namespace xtg
