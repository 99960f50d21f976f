#pragma once

#include <string>

#include "tensor.hpp"

namespace xtg {

/// "(8, 32, 32, 16)"; "()" for a scalar.
std::string to_string(const Shape& shape);

/// The number of elements, 1 for a scalar.
std::size_t count(const Shape& shape);

/// The shape of `a op b` under NumPy's rule: shapes are aligned at the last axis, and an axis of size 1 (or one that
/// is missing) is repeated. Throws ShapeError, naming `operation`, if two sizes differ and neither is 1.
Shape broadcast_shapes(const char* operation, const Shape& a, const Shape& b);

/// Axis numbers in 0 … ndim−1, ascending; negative ones count from the end. An empty list stands for all axes.
/// Throws ValueError, naming `operation`, for an axis out of range or named twice.
std::vector<std::size_t> normalize_axes(const char* operation, const Axes& axes, std::size_t ndim);

/// One axis number in 0 … ndim−1.
std::size_t normalize_axis(const char* operation, int axis, std::size_t ndim);

/// `shape` with the given axes at size 1 (keepdims) or left out. `axes` as from normalize_axes.
Shape reduced_shape(const Shape& shape, const std::vector<std::size_t>& axes, bool keepdims);

}  // namespace xtg
