#pragma once

#include "../variable.hpp"

namespace xtg {

// Reductions over axes: negative axes count from the end, {} means all, keepdims leaves the axes with size 1.
// Sum and broadcast are each other's gradient. Over zero elements sum gives 0, the others throw ShapeError.

Variable sum(const Variable& x, const Axes& axes = {}, bool keepdims = false);   // dx = dy, broadcast
Variable mean(const Variable& x, const Axes& axes = {}, bool keepdims = false);  // dx = dy/n, broadcast

/// The mean of (x − mean)², times n/(n − 1) if `unbiased`, as PyTorch's default is; the norm layers normalize with the
/// biased one. dx = dy·2(x − mean)/n, or /(n − 1). Throws ValueError for one element, unbiased.
Variable variance(const Variable& x, const Axes& axes = {}, bool keepdims = false, bool unbiased = true);
/// The square root of the variance; where that is 0, the gradient is 0, too.
Variable standard_deviation(const Variable& x, const Axes& axes = {}, bool keepdims = false, bool unbiased = true);

/// The largest and the smallest element. Elements that tie share the gradient evenly (PyTorch's amax and amin). A NaN
/// is the largest and the smallest.
Variable max(const Variable& x, const Axes& axes = {}, bool keepdims = false);
Variable min(const Variable& x, const Axes& axes = {}, bool keepdims = false);
/// Position of the first largest element along an axis: (…, n, …) -> Indices without that axis. Not differentiable.
Indices argmax(const Variable& x, int axis);

/// log Σ exp(x), about the largest element so that nothing overflows; dx = dy·softmax(x). If all elements are −∞, so is
/// the result, and dx = 0.
Variable logsumexp(const Variable& x, const Axes& axes = {}, bool keepdims = false);

// Both of these return a Variable of its own, also where the shape is x's already.

/// x repeated to `shape`; dx = dy summed back.
Variable broadcast_to(const Variable& x, const Shape& shape);
/// x summed over the axes along which `shape` is repeated to x's shape; dx = dy, broadcast.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace xtg
