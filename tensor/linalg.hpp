#pragma once

#include "tensor.hpp"

namespace xtg {

/// The matrix product over the last two axes: (…, M, K), (…, K, N) -> (…, M, N); the axes before broadcast. A vector
/// (K) counts as a row on the left and a column on the right, and its axis is left out of the result, as in NumPy's
/// matmul. transpose_a reads a as (…, K, M), transpose_b reads b as (…, N, K); matrices only (ValueError).
/// Throws ShapeError unless the inner sizes agree and the leading axes broadcast.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

/// The sizes of that product, after the checks: matrices (m, k)·(k, n).
struct MatmulSizes {
  std::size_t m, k, n;
  Shape leading_a, leading_b, leading;  // the axes before the matrix of a, of b, and of the two broadcast
  Shape result;
};
MatmulSizes matmul_sizes(const Shape& a, const Shape& b, bool transpose_a, bool transpose_b);

}  // namespace xtg
