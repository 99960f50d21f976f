#include "autograd/ops/shaping.hpp"

#include <algorithm>
#include <functional>

#include "autograd/operation.hpp"
#include "tensor/shape.hpp"

namespace xtg {

Variable reshape(const Variable& x, const Shape& shape) {
  return record("reshape", reshape(x.value(), shape), {x},
                [](const Variable& dy, const Context& c) { return Variables{reshape(dy, c.input_shape(0))}; });
}

Variable reshape(const Variable& x, const std::vector<std::ptrdiff_t>& shape) {
  return reshape(x, resolve_shape(x.shape(), shape));
}

Variable reshape(const Variable& x, std::initializer_list<std::ptrdiff_t> shape) {
  return reshape(x, std::vector<std::ptrdiff_t>(shape));
}

namespace {

/// Axes begin … end−1 replaced by one of this size.
Shape replaced(const Shape& shape, std::size_t begin, std::size_t end, std::size_t size) {
  Shape result;
  for (std::size_t i = 0; i < begin; ++i) result.push_back(shape[i]);
  result.push_back(size);
  for (std::size_t i = end; i < shape.size(); ++i) result.push_back(shape[i]);
  return result;
}

}  // namespace

Variable flatten(const Variable& x, int first, int last) {
  const Shape from = x.shape().empty() ? Shape{1} : x.shape();
  const std::size_t begin = normalize_axis("flatten", first, from.size());
  const std::size_t end = normalize_axis("flatten", last, from.size()) + 1;
  require(begin < end, "flatten: axis {} comes after axis {} in {}", first, last, to_string(x.shape()));
  std::size_t merged = 1;
  for (std::size_t i = begin; i < end; ++i) merged *= from[i];
  return reshape(x, replaced(from, begin, end, merged));
}

Variable squeeze(const Variable& x, const Axes& axes) {
  std::vector<std::size_t> dropped;
  for (const std::size_t axis : normalize_axes("squeeze", axes, x.shape().size())) {
    require<ShapeError>(axes.empty() || x.shape()[axis] == 1, "squeeze: axis {} of {} has size {}, not 1", axis,
                        to_string(x.shape()), x.shape()[axis]);
    if (x.shape()[axis] == 1) dropped.push_back(axis);
  }
  return reshape(x, reduced_shape(x.shape(), dropped, false));
}

Variable unsqueeze(const Variable& x, int axis) {
  const std::size_t k = normalize_axis("unsqueeze", axis, x.shape().size() + 1);
  return reshape(x, replaced(x.shape(), k, k, 1));
}

Variable transpose(const Variable& x, const Axes& axes) {
  return record("transpose", transpose(x.value(), axes), {x}, [axes](const Variable& dy, const Context&) {
    Axes inverse(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i)
      inverse[normalize_axis("transpose", axes[i], axes.size())] = static_cast<int>(i);
    return Variables{transpose(dy, inverse)};
  });
}

Variable flip(const Variable& x, const Axes& axes) {
  return record("flip", flip(x.value(), axes), {x},
                [axes](const Variable& dy, const Context&) { return Variables{flip(dy, axes)}; });
}

namespace {

Variable unslice(const Variable& x, const std::vector<Range>& ranges, const Shape& shape) {
  return record("unslice", unslice(x.value(), ranges, shape), {x},
                [ranges](const Variable& dy, const Context&) { return Variables{slice(dy, ranges)}; });
}

}  // namespace

Variable slice(const Variable& x, const std::vector<Range>& ranges) {
  return record("slice", slice(x.value(), ranges), {x}, [ranges](const Variable& dy, const Context& c) {
    return Variables{unslice(dy, ranges, c.input_shape(0))};
  });
}

Variable pad(const Variable& x, const std::vector<std::size_t>& before, const std::vector<std::size_t>& after) {
  return record("pad", pad(x.value(), before, after), {x}, [before](const Variable& dy, const Context& c) {
    std::vector<Range> inside;
    for (std::size_t i = 0; i < before.size(); ++i)
      inside.push_back({before[i], static_cast<std::ptrdiff_t>(before[i] + c.input_shape(0)[i]), 1});
    return Variables{slice(dy, inside)};
  });
}

namespace {

/// Everything, but along one axis only `size` places from `start` on.
std::vector<Range> part_of(const Shape& shape, std::size_t axis, std::size_t start, std::size_t size) {
  std::vector<Range> ranges(shape.size());
  ranges[axis] = {start, static_cast<std::ptrdiff_t>(start + size), 1};
  return ranges;
}

}  // namespace

Variable concatenate(const Variables& inputs, int axis) {
  std::vector<std::reference_wrapper<const Tensor>> parts;
  for (const Variable& input : inputs) parts.push_back(input.value());
  return record("concatenate", concatenate(parts, axis), inputs,
                [axis, n = inputs.size()](const Variable& dy, const Context& c) {
                  const std::size_t k = normalize_axis("concatenate", axis, dy.shape().size());
                  Variables gradients(n);
                  for (std::size_t i = 0, start = 0; i < n; start += c.input_shape(i++)[k])
                    if (c.wants(i)) gradients[i] = slice(dy, part_of(dy.shape(), k, start, c.input_shape(i)[k]));
                  return gradients;
                });
}

Variable stack(const Variables& inputs, int axis) {
  require(!inputs.empty(), "stack: expected at least one array");
  const std::size_t k = normalize_axis("stack", axis, inputs[0].shape().size() + 1);
  Variables parts;
  for (const Variable& input : inputs) {
    require<ShapeError>(input.shape() == inputs[0].shape(), "stack: expected equal shapes, got {} and {}",
                        to_string(inputs[0].shape()), to_string(input.shape()));
    parts.push_back(unsqueeze(input, static_cast<int>(k)));
  }
  return concatenate(parts, static_cast<int>(k));
}

Variables split(const Variable& x, const std::vector<std::size_t>& sizes, int axis) {
  const std::size_t k = normalize_axis("split", axis, x.shape().size());
  std::size_t rest = x.shape()[k];  // a sum of the sizes could wrap
  const bool fit = std::all_of(sizes.begin(), sizes.end(), [&rest](std::size_t size) {
    const bool fits = size <= rest;
    rest -= size;
    return fits;
  });
  require(fit && rest == 0, "split: sizes {} do not add up to axis {} of {}",
          to_string(Shape(sizes.begin(), sizes.end())), k, to_string(x.shape()));
  Variables parts;
  std::size_t start = 0;
  for (const std::size_t size : sizes) {
    parts.push_back(slice(x, part_of(x.shape(), k, start, size)));
    start += size;
  }
  return parts;
}

}  // namespace xtg
