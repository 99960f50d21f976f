#pragma once

#include "tensor.hpp"

namespace xtg {

// Elements chosen by position in an array that is read as one long row. Reading anything is `take`, and its transpose
// is `put`; what is chosen along an axis is first written as such positions.

/// Elements of x at the positions, in their shape. Throws ValueError for a position that is not in x.
Tensor take(const Tensor& x, const Indices& positions);
/// The transpose of take: zeros of `shape` with each element of x added at its position. Throws ValueError for a
/// position that is not in the result, ShapeError unless x has the positions' shape.
Tensor put(const Tensor& x, const Indices& positions, const Shape& shape);

/// Throws ValueError, naming `operation`, unless every position is one of 0 … n−1.
void require_positions(const char* operation, const Indices& positions, std::size_t n);

/// What index_select takes from an array of shape (…, n, …): positions (K) along the axis -> (…, K, …). Throws
/// ValueError for a position that is not one of 0 … n−1, ShapeError if they are not a list.
Indices index_select_positions(const Shape& shape, int axis, const Indices& positions);
/// What gather takes from an array of shape (…, n, …): positions (…, m, …) along the axis, one for each element of the
/// result. Throws ValueError for a position that is not one of 0 … n−1, ShapeError if other axes differ.
Indices gather_positions(const Shape& shape, int axis, const Indices& positions);

/// 1 at the label and 0 elsewhere: labels (N) -> (N, K) for K classes. Throws ValueError, naming `operation`, for a
/// label outside 0 … K−1.
Tensor one_hot(const char* operation, const Indices& labels, std::size_t classes);

}  // namespace xtg
