#pragma once

#include "autograd/variable.hpp"
#include "tensor/shaping.hpp"

namespace xtg {

// The same numbers in another arrangement; gradients are arranged back.

/// One size may be −1.
Variable reshape(const Variable& x, const std::vector<std::ptrdiff_t>& shape);
Variable reshape(const Variable& x, const Shape& shape);
Variable reshape(const Variable& x, std::initializer_list<std::ptrdiff_t> shape);
/// Result axis i is x's axis axes[i]; {} reverses the axes.
Variable transpose(const Variable& x, const Axes& axes = {});
/// One range for each axis.
Variable slice(const Variable& x, const std::vector<Range>& ranges);
/// `before` and `after` zeros at each axis.
Variable pad(const Variable& x, const std::vector<std::size_t>& before, const std::vector<std::size_t>& after);

}  // namespace xtg
