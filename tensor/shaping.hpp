#pragma once

#include <functional>
#include <vector>

#include "tensor.hpp"

namespace xtg {

/// The same numbers in another shape, row-major order kept. One size may be −1: it follows from the others.
/// Throws ShapeError if the number of elements differs. Of a temporary array nothing is copied.
Tensor reshape(Tensor x, const std::vector<std::ptrdiff_t>& shape);
Tensor reshape(Tensor x, const Shape& shape);
Tensor reshape(Tensor x, std::initializer_list<std::ptrdiff_t> shape);
/// The shape that `shape` with its −1 stands for.
Shape resolve_shape(const Shape& from, const std::vector<std::ptrdiff_t>& shape);

/// Axes permuted: result axis i is x's axis axes[i]. {} reverses them.
Tensor transpose(const Tensor& x, const Axes& axes = {});

/// The order reversed along the axes; {} means all of them.
Tensor flip(const Tensor& x, const Axes& axes);

/// x repeated along the axes where `shape` is larger, by NumPy's rule. Throws ShapeError if it does not fit.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// Part of x: along each axis the elements start, start + step, … below stop. `stop` = −1 means to the end.
struct Range {
  std::size_t start = 0;
  std::ptrdiff_t stop = -1;
  std::size_t step = 1;
};
Tensor slice(const Tensor& x, const std::vector<Range>& ranges);

/// Zeros of shape `shape` with x at the places that slice(·, ranges) reads: the transpose of slice.
Tensor unslice(const Tensor& x, const std::vector<Range>& ranges, const Shape& shape);

/// x with `before` and `after` zeros added at each axis. Throws ValueError unless there is one of both for each.
Tensor pad(const Tensor& x, const std::vector<std::size_t>& before, const std::vector<std::size_t>& after);

/// `concatenate({a, b}, 1)`: joined along an axis. Throws ShapeError unless the shapes are equal but for that axis,
/// ValueError for no parts. The parts are referred to, not copied.
Tensor concatenate(const std::vector<std::reference_wrapper<const Tensor>>& parts, int axis);

}  // namespace xtg
