#pragma once

#include "tensor/tensor.hpp"

namespace xtg {

// Reductions over axes. `axes` may be negative; {} means all of them. With keepdims the reduced axes stay with size 1.
// Sums are accumulated in double, whatever Scalar is: a float sum of 25 million times 0.1 is off by 16 %.

Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Throws ShapeError over zero elements.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// The largest element; throws ShapeError over zero elements.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Position of the first largest element along one axis: (…, n, …) -> Indices without that axis.
Indices argmax(const Tensor& x, int axis);

/// Sums x over the axes along which `shape` was broadcast to x's shape: the transpose of broadcast_to, and so its
/// gradient. Throws ShapeError if `shape` does not broadcast to x's.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace xtg
