#pragma once

#include "../variable.hpp"

namespace xtg {

// Elements chosen by position. The positions are constants; a gradient goes back to the place its element was read
// from, and is added up where one was read more than once. Positions out of range throw ValueError, negative ones too;
// shapes that do not fit throw ShapeError.

/// Rows of an axis: result (…, K, …) for positions (K); PyTorch's index_select.
Variable index_select(const Variable& x, int axis, const Indices& positions);

/// y[…, i, …] = x[…, positions[…, i, …], …] along an axis; positions has x's shape but for that axis, where it may have
/// any size. PyTorch's gather, except that there the other axes may be shorter, too.
Variable gather(const Variable& x, int axis, const Indices& positions);

/// Elements of x, read as one long row, in the shape of the positions; dx = put(dy, positions, shape of x).
Variable take(const Variable& x, const Indices& positions);
/// Zeros of `shape` with each element of x added at its position; dx = take(dy, positions).
Variable put(const Variable& x, const Indices& positions, const Shape& shape);

}  // namespace xtg
