#pragma once

#include "autograd/variable.hpp"

namespace xtg {

// Sums and means over axes: negative axes count from the end, {} means all, keepdims leaves the axes with size 1.
// Sum and broadcast are each other's gradient.

Variable sum(const Variable& x, const Axes& axes = {}, bool keepdims = false);   // dx = dy, broadcast
Variable mean(const Variable& x, const Axes& axes = {}, bool keepdims = false);  // dx = dy/n, broadcast

/// x repeated to `shape`; dx = dy summed back.
Variable broadcast_to(const Variable& x, const Shape& shape);
/// x summed over the axes along which `shape` is repeated to x's shape; dx = dy, broadcast.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace xtg
