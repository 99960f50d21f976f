#pragma once

#include "tensor.hpp"

namespace xtg {

// Reductions over axes. `axes` may be negative; {} means all of them. With keepdims the reduced axes stay with size 1.
// Sums of floats are accumulated in double: in float, 25 million times 0.1 is off by 16 %. Sums of doubles keep what
// their roundings lose. So sums and means are rounded once: the mean of equal numbers is that number, and large numbers
// that cancel leave the small ones. Infinities, NaN and sums that overflow are those of a plain sum.

Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Throws ShapeError over zero elements.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// The largest and the smallest element; a NaN wins. Throw ShapeError over zero elements.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Position of the first largest element along one axis, a NaN being the largest: (…, n, …) -> Indices without that
/// axis. Throws ShapeError over zero elements.
Indices argmax(const Tensor& x, int axis);

/// The gradient of `extreme`, max or min of x with keepdims: 1/k at each of the k elements that tie for it, else 0.
Tensor tie_shares(const Tensor& x, const Tensor& extreme);

/// How many elements of `shape` make one of the result; `axes` as from normalize_axes. Throws ShapeError, naming
/// `operation`, if there are none.
std::size_t reduced_count(const char* operation, const Shape& shape, const std::vector<std::size_t>& axes);

/// Sums x over the axes along which `shape` was broadcast to x's shape: the transpose of broadcast_to, and so its
/// gradient. Throws ShapeError if `shape` does not broadcast to x's.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace xtg
