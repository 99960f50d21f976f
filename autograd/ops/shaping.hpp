#pragma once

#include "../../tensor/shaping.hpp"
#include "../variable.hpp"

namespace xtg {

// The same numbers in another arrangement; gradients are arranged back. The result is always a Variable of its own,
// with numbers of its own, also where nothing is to be done. (PyTorch's are views, which share the numbers.)

/// One size may be −1.
Variable reshape(const Variable& x, const std::vector<std::ptrdiff_t>& shape);
Variable reshape(const Variable& x, const Shape& shape);
Variable reshape(const Variable& x, std::initializer_list<std::ptrdiff_t> shape);
/// Axes first … last made one: flatten(x, 1) of (N, H, W, C) is (N, H·W·C), and a scalar becomes (1). Throws ValueError
/// if `last` comes before `first`.
Variable flatten(const Variable& x, int first = 0, int last = -1);
/// Axes of size 1 left out; {} means all of them. Throws ShapeError for a named axis of another size.
Variable squeeze(const Variable& x, const Axes& axes = {});
/// A new axis of size 1 at this place of the result.
Variable unsqueeze(const Variable& x, int axis);
/// Result axis i is x's axis axes[i]; {} reverses the axes.
Variable transpose(const Variable& x, const Axes& axes = {});
/// The order reversed along the axes; {} means all of them.
Variable flip(const Variable& x, const Axes& axes);
/// One range for each axis.
Variable slice(const Variable& x, const std::vector<Range>& ranges);
/// `before` and `after` zeros at each axis.
Variable pad(const Variable& x, const std::vector<std::size_t>& before, const std::vector<std::size_t>& after);

/// Joined along an axis that exists. Throws ShapeError unless the shapes are equal but for it, ValueError for no
/// inputs.
Variable concatenate(const Variables& inputs, int axis);
/// Joined along a new axis, at this place of the result. Throws ShapeError unless the shapes are equal, ValueError for
/// no inputs.
Variable stack(const Variables& inputs, int axis = 0);
/// Cut along an axis into pieces of these sizes, which must add up to the axis' size (else ValueError).
Variables split(const Variable& x, const std::vector<std::size_t>& sizes, int axis);

}  // namespace xtg
