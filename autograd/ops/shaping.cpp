#include "autograd/ops/shaping.hpp"

#include "tensor/shape.hpp"

namespace xtg {

Variable reshape(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("reshape", reshape(x.value(), shape), {x},
                [](const Variable& dy, const Context& c) { return Variables{reshape(dy, c.input_shape(0))}; });
}

Variable reshape(const Variable& x, const std::vector<std::ptrdiff_t>& shape) {
  return reshape(x, resolve_shape(x.shape(), shape));
}

Variable reshape(const Variable& x, std::initializer_list<std::ptrdiff_t> shape) {
  return reshape(x, std::vector<std::ptrdiff_t>(shape));
}

Variable transpose(const Variable& x, const Axes& axes) {
  return record("transpose", transpose(x.value(), axes), {x}, [axes](const Variable& dy, const Context&) {
    Axes inverse(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i)
      inverse[normalize_axis("transpose", axes[i], axes.size())] = static_cast<int>(i);
    return Variables{transpose(dy, inverse)};
  });
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

}  // namespace xtg
