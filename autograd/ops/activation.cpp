#include "autograd/ops/activation.hpp"

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"

namespace xtg {
namespace {

/// dy where y > 0, else 0. Linear in dy, and constant in y but for a jump: its own gradient has the same form.
Variable relu_backward(const Variable& dy, const Variable& y) {
  return record("relu_backward", relu_backward(dy.value(), y.value()), {dy},
                [y = y.detach()](const Variable& d, const Context&) { return Variables{relu_backward(d, y)}; });
}

}  // namespace

Variable relu(const Variable& x) {
  if (DerivedGradients::current()) return where(less_equal(x.value(), 0), Variable(zeros({})), x);
  return record(
      "relu", relu(x.value()), {x},
      [](const Variable& dy, const Context& c) { return Variables{relu_backward(dy, c.output())}; }, Keep::Output);
}

}  // namespace xtg
