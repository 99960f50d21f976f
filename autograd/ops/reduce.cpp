#include "autograd/ops/reduce.hpp"

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace xtg {

Variable sum(const Variable& x, const Axes& axes, bool keepdims) {
  const Shape kept = reduced_shape(x.shape(), normalize_axes("sum", axes, x.shape().size()), true);
  return record("sum", sum(x.value(), axes, keepdims), {x}, [kept](const Variable& dy, const Context& c) {
    return Variables{broadcast_to(reshape(dy, kept), c.input_shape(0))};
  });
}

Variable mean(const Variable& x, const Axes& axes, bool keepdims) {
  const std::vector<std::size_t> reduced = normalize_axes("mean", axes, x.shape().size());
  const Shape kept = reduced_shape(x.shape(), reduced, true);
  std::size_t averaged = 1;
  for (const std::size_t axis : reduced) averaged *= x.shape()[axis];
  return record("mean", mean(x.value(), axes, keepdims), {x},
                [kept, n = static_cast<Scalar>(averaged)](const Variable& dy, const Context& c) {
                  return Variables{broadcast_to(reshape(dy / n, kept), c.input_shape(0))};
                });
}

Variable broadcast_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("broadcast_to", broadcast_to(x.value(), shape), {x},
                [](const Variable& dy, const Context& c) { return Variables{sum_to(dy, c.input_shape(0))}; });
}

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("sum_to", sum_to(x.value(), shape), {x},
                [](const Variable& dy, const Context& c) { return Variables{broadcast_to(dy, c.input_shape(0))}; });
}

}  // namespace xtg
