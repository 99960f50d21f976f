#pragma once

#include <string>

#include "tensor.hpp"

namespace xtg {

/// No array has more elements: pointers of today's processors tell 2^48 bytes apart.
constexpr std::size_t kMostElements = std::size_t{1} << 48;

/// A size as its caller wrote it, for messages: −1 arrives in a std::size_t as 2^64 − 1.
constexpr std::ptrdiff_t as_written(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

/// Throws ValueError, naming `operation` and `what` of it, for a negative number or one above kMostElements. Sums of a
/// few sizes do not wrap then; products can, and belong to count(). Returns n.
std::size_t require_size(const char* operation, const char* what, std::size_t n);

/// "(8, 32, 32, 16)"; "()" for a scalar. Sizes as_written().
std::string to_string(const Shape& shape);

/// The number of elements, 1 for a scalar. Throws ShapeError if the product of the sizes, those that are 0 left out, is
/// above kMostElements: so no product of some of them wraps either.
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
