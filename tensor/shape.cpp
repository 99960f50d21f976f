#include "tensor/shape.hpp"

#include <algorithm>
#include <numeric>

namespace xtg {

std::size_t require_size(const char* operation, const char* what, std::size_t n) {
  require(n <= kMostElements, "{}: {} {} is not a size (0 … 2^48)", operation, what, as_written(n));
  return n;
}

std::string to_string(const Shape& shape) {
  std::vector<std::ptrdiff_t> sizes(shape.begin(), shape.end());
  return fmt::format("({})", fmt::join(sizes, ", "));
}

std::size_t count(const Shape& shape) {
  std::size_t product = 1;  // of the sizes that are not 0
  bool wraps = false, empty = false;
  for (const std::size_t n : shape) {
    empty = empty || n == 0;
    wraps = __builtin_mul_overflow(product, n == 0 ? 1 : n, &product) || wraps;
  }
  if (wraps || product > kMostElements)  // not by require: a text for every array would take its time
    throw ShapeError("expected a shape of at most 2^48 elements, got " + to_string(shape));
  return empty ? 0 : product;
}

Shape broadcast_shapes(const char* operation, const Shape& a, const Shape& b) {
  const std::size_t ndim = std::max(a.size(), b.size());
  Shape result(ndim);
  for (std::size_t i = 0; i < ndim; ++i) {  // i counts from the last axis
    const std::size_t na = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::size_t nb = i < b.size() ? b[b.size() - 1 - i] : 1;
    require<ShapeError>(na == nb || na == 1 || nb == 1, "{}: shapes ({}) and ({}) do not broadcast", operation,
                        fmt::join(a, ", "), fmt::join(b, ", "));
    result[ndim - 1 - i] = na == 1 ? nb : na;
  }
  return result;
}

std::size_t normalize_axis(const char* operation, int axis, std::size_t ndim) {
  const auto n = static_cast<std::ptrdiff_t>(ndim);
  require(axis >= -n && axis < n, "{}: axis {} is out of range for {} axes", operation, axis, ndim);
  return static_cast<std::size_t>(axis < 0 ? axis + n : axis);
}

std::vector<std::size_t> normalize_axes(const char* operation, const Axes& axes, std::size_t ndim) {
  std::vector<std::size_t> result;
  for (const int axis : axes) result.push_back(normalize_axis(operation, axis, ndim));
  if (axes.empty()) {
    result.resize(ndim);
    std::iota(result.begin(), result.end(), std::size_t{0});
  }
  std::sort(result.begin(), result.end());
  require(std::adjacent_find(result.begin(), result.end()) == result.end(), "{}: an axis is named twice in ({})",
          operation, fmt::join(axes, ", "));
  return result;
}

Shape reduced_shape(const Shape& shape, const std::vector<std::size_t>& axes, bool keepdims) {
  Shape result;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool reduced = std::binary_search(axes.begin(), axes.end(), i);
    if (!reduced) result.push_back(shape[i]);
    if (reduced && keepdims) result.push_back(1);
  }
  return result;
}

}  // namespace xtg
