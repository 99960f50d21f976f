#include "tensor/shaping.hpp"

#include <algorithm>
#include <numeric>
#if __has_include(<xtensor/misc/xmanipulation.hpp>)
#include <xtensor/misc/xmanipulation.hpp>
#else
#include <xtensor/xmanipulation.hpp>
#endif

#include "tensor/create.hpp"
#include "tensor/kernels/broadcast.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

std::size_t stop_of(const Range& range, std::size_t n) {
  return range.stop == -1 ? n : static_cast<std::size_t>(range.stop);
}

void require_within(const char* name, const std::vector<Range>& ranges, const Shape& shape) {
  require<ShapeError>(ranges.size() == shape.size(), "{}: expected one range for each axis of {}, got {}", name,
                      to_string(shape), ranges.size());
  for (std::size_t i = 0; i < ranges.size(); ++i)
    require(ranges[i].start <= stop_of(ranges[i], shape[i]) && stop_of(ranges[i], shape[i]) <= shape[i] &&
                ranges[i].stop >= -1 && ranges[i].step >= 1 && ranges[i].step <= kMostElements,
            "{}: range {}:{}:{} does not lie within axis {} of {}", name, as_written(ranges[i].start), ranges[i].stop,
            as_written(ranges[i].step), i, to_string(shape));
}

/// Calls visit(offset in the whole, offset in the part) for each element of the part that `ranges` select, in order.
template <class Visit>
void for_each_selected(const Shape& whole, const std::vector<Range>& ranges, const Shape& part, const Visit& visit) {
  const std::size_t ndim = whole.size(), inner = ndim == 0 ? 1 : part.back();
  const std::size_t inner_start = ndim == 0 ? 0 : ranges.back().start, inner_step = ndim == 0 ? 1 : ranges.back().step;
  const std::size_t total = count(part);
  for (std::size_t to = 0; to < total; to += inner) {
    std::size_t from = inner_start, stride = ndim == 0 ? 1 : whole.back();
    for (std::size_t k = ndim < 2 ? 0 : ndim - 1, rest = to / inner; k-- > 0; rest /= part[k]) {
      from += (ranges[k].start + rest % part[k] * ranges[k].step) * stride;
      stride *= whole[k];
    }
    for (std::size_t i = 0; i < inner; ++i) visit(from + i * inner_step, to + i);
  }
}

/// The number of elements that the axes from `first` on span.
std::size_t count_from(const Shape& shape, std::size_t first) {
  return count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end()));
}

Shape sliced_shape(const Shape& shape, const std::vector<Range>& ranges) {
  Shape result;
  for (std::size_t i = 0; i < ranges.size(); ++i)
    result.push_back((stop_of(ranges[i], shape[i]) - ranges[i].start + ranges[i].step - 1) / ranges[i].step);
  return result;
}

}  // namespace

Tensor reshape(Tensor x, const Shape& shape) {
  require<ShapeError>(count(shape) == x.size(), "reshape: {} has {} elements, {} needs {}", to_string(x.shape()),
                      x.size(), to_string(shape), count(shape));
  x.xtensor().reshape(shape);
  return x;
}

Tensor reshape(Tensor x, const std::vector<std::ptrdiff_t>& shape) {
  const Shape resolved = resolve_shape(x.shape(), shape);
  return reshape(std::move(x), resolved);
}

Tensor reshape(Tensor x, std::initializer_list<std::ptrdiff_t> shape) {
  return reshape(std::move(x), std::vector<std::ptrdiff_t>(shape));
}

Shape resolve_shape(const Shape& from, const std::vector<std::ptrdiff_t>& shape) {
  const auto unknown = std::find(shape.begin(), shape.end(), -1);
  Shape result, others;  // others: those that are known
  for (const std::ptrdiff_t n : shape) {
    require(n >= -1, "reshape: a size is {} in ({})", n, fmt::join(shape, ", "));
    if (n >= 0) others.push_back(static_cast<std::size_t>(n));
    result.push_back(n >= 0 ? static_cast<std::size_t>(n) : 0);
  }
  if (unknown != shape.end()) {
    const std::size_t known = count(others);
    require(std::count(shape.begin(), shape.end(), -1) == 1, "reshape: more than one size is -1 in ({})",
            fmt::join(shape, ", "));
    require<ShapeError>(known > 0 && count(from) % known == 0, "reshape: {} does not fit ({})", to_string(from),
                        fmt::join(shape, ", "));
    result[static_cast<std::size_t>(unknown - shape.begin())] = count(from) / known;
  }
  return result;
}

Tensor transpose(const Tensor& x, const Axes& axes) {
  std::vector<std::size_t> order(x.dimension());
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  if (!axes.empty()) {
    require(axes.size() == x.dimension(), "transpose: expected {} axes for {}, got ({})", x.dimension(),
            to_string(x.shape()), fmt::join(axes, ", "));
    normalize_axes("transpose", axes, x.dimension());  // in range and each once
    for (std::size_t i = 0; i < axes.size(); ++i) order[i] = normalize_axis("transpose", axes[i], x.dimension());
  }
  if (x.dimension() < 2) return x;
  Shape shape;
  for (const std::size_t axis : order) shape.push_back(x.shape()[axis]);
  Tensor y(shape);
  y.xtensor() = xt::transpose(x.xtensor(), order);
  return y;
}

Tensor flip(const Tensor& x, const Axes& axes) {
  Tensor y = x;
  for (const std::size_t axis : normalize_axes("flip", axes, x.dimension())) {
    const std::size_t n = x.shape()[axis], inner = count_from(x.shape(), axis + 1);
    for (Scalar* block = y.begin(); block != y.end(); block += n * inner)
      for (std::size_t i = 0; i < n / 2; ++i)
        std::swap_ranges(block + i * inner, block + (i + 1) * inner, block + (n - 1 - i) * inner);
  }
  return y;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  require<ShapeError>(x.dimension() <= shape.size() && broadcast_shapes("broadcast_to", x.shape(), shape) == shape,
                      "broadcast_to: {} does not broadcast to {}", to_string(x.shape()), to_string(shape));
  Tensor y(shape);
  const Scalar unused = 0;
  kernels::zip(y.data(), shape, x.data(), x.shape(), &unused, {}, [](Scalar v, Scalar) { return v; });
  return y;
}

Tensor slice(const Tensor& x, const std::vector<Range>& ranges) {
  require_within("slice", ranges, x.shape());
  Tensor y(sliced_shape(x.shape(), ranges));
  for_each_selected(x.shape(), ranges, y.shape(), [&](std::size_t i, std::size_t j) { y.data()[j] = x.data()[i]; });
  return y;
}

Tensor unslice(const Tensor& x, const std::vector<Range>& ranges, const Shape& shape) {
  require_within("unslice", ranges, shape);
  require<ShapeError>(sliced_shape(shape, ranges) == x.shape(), "unslice: the ranges read {} from {}, got {}",
                      to_string(sliced_shape(shape, ranges)), to_string(shape), to_string(x.shape()));
  Tensor y = zeros(shape);
  for_each_selected(shape, ranges, x.shape(), [&](std::size_t i, std::size_t j) { y.data()[i] = x.data()[j]; });
  return y;
}

Tensor pad(const Tensor& x, const std::vector<std::size_t>& before, const std::vector<std::size_t>& after) {
  require(before.size() == x.dimension() && after.size() == x.dimension(),
          "pad: expected {} entries before and after for {}, got {} and {}", x.dimension(), to_string(x.shape()),
          before.size(), after.size());
  Shape shape = x.shape();
  std::vector<Range> ranges(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    require_size("pad", "before", before[i]);
    require_size("pad", "after", after[i]);
    ranges[i] = {before[i], static_cast<std::ptrdiff_t>(before[i] + shape[i]), 1};
    shape[i] += before[i] + after[i];
  }
  return unslice(x, ranges, shape);
}

Tensor concatenate(const std::vector<std::reference_wrapper<const Tensor>>& parts, int axis) {
  require(!parts.empty(), "concatenate: expected at least one array");
  Shape shape = parts[0].get().shape();
  const std::size_t k = normalize_axis("concatenate", axis, shape.size());
  shape[k] = 0;
  for (const Tensor& part : parts) {
    Shape expected = shape;
    if (part.dimension() == shape.size()) expected[k] = part.shape()[k];
    require<ShapeError>(part.shape() == expected, "concatenate: expected shapes equal but for axis {}, got {} and {}",
                        k, to_string(parts[0].get().shape()), to_string(part.shape()));
    shape[k] += part.shape()[k];
  }
  Tensor y(shape);
  const std::size_t inner = count_from(shape, k + 1), row = shape[k] * inner;
  std::size_t start = 0;  // of the part in each row
  for (const Tensor& part : parts) {
    const std::size_t length = part.shape()[k] * inner, rows = length == 0 ? 0 : part.size() / length;
    for (std::size_t i = 0; i < rows; ++i) std::copy_n(part.data() + i * length, length, y.data() + i * row + start);
    start += length;
  }
  return y;
}

}  // namespace xtg
