#include "autograd/ops/elementwise.hpp"

#include "autograd/grad_mode.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"

namespace xtg {

Variable add(const Variable& a, const Variable& b) {
  return record("add", add(a.value(), b.value()), {a, b}, [](const Variable& dy, const Context& c) {
    return Variables{c.wants(0) ? sum_to(dy, c.input_shape(0)) : Variable(),
                     c.wants(1) ? sum_to(dy, c.input_shape(1)) : Variable()};
  });
}

Variable subtract(const Variable& a, const Variable& b) {
  return record("subtract", subtract(a.value(), b.value()), {a, b}, [](const Variable& dy, const Context& c) {
    return Variables{c.wants(0) ? sum_to(dy, c.input_shape(0)) : Variable(),
                     c.wants(1) ? sum_to(negative(dy), c.input_shape(1)) : Variable()};
  });
}

Variable multiply(const Variable& a, const Variable& b) {
  return record("multiply", multiply(a.value(), b.value()), {a, b},
                [a = Saved(b.requires_grad() ? a : Variable()), b = Saved(a.requires_grad() ? b : Variable())](
                    const Variable& dy, const Context& c) {
                  return Variables{c.wants(0) ? sum_to(dy * b.get(), c.input_shape(0)) : Variable(),
                                   c.wants(1) ? sum_to(dy * a.get(), c.input_shape(1)) : Variable()};
                });
}

Variable divide(const Variable& a, const Variable& b) {
  return record(
      "divide", divide(a.value(), b.value()), {a, b},
      [b = Saved(b)](const Variable& dy, const Context& c) {
        const Variable da = dy / b.get();
        return Variables{c.wants(0) ? sum_to(da, c.input_shape(0)) : Variable(),
                         c.wants(1) ? sum_to(negative(da * c.output()), c.input_shape(1)) : Variable()};
      },
      Keep::Output);
}

Variable add(const Variable& a, Scalar b) {
  return record("add", add(a.value(), b), {a}, [](const Variable& dy, const Context&) { return Variables{dy}; });
}

Variable multiply(const Variable& a, Scalar b) {
  return record("multiply", multiply(a.value(), b), {a},
                [b](const Variable& dy, const Context&) { return Variables{dy * b}; });
}

Variable negative(const Variable& x) {
  return record("negative", negative(x.value()), {x},
                [](const Variable& dy, const Context&) { return Variables{negative(dy)}; });
}

Variable exp(const Variable& x) {
  return record(
      "exp", exp(x.value()), {x}, [](const Variable& dy, const Context& c) { return Variables{dy * c.output()}; },
      Keep::Output);
}

Variable log(const Variable& x) {
  return record("log", log(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy / x.get()}; });
}

Variable sqrt(const Variable& x) {
  return record(
      "sqrt", sqrt(x.value()), {x},
      [](const Variable& dy, const Context& c) { return Variables{dy / (Scalar{2} * c.output())}; }, Keep::Output);
}

Variable rsqrt(const Variable& x) {
  return record(
      "rsqrt", rsqrt(x.value()), {x},
      [](const Variable& dy, const Context& c) {
        const Variable y = c.output();
        return Variables{dy * (Scalar{-0.5} * (y * square(y)))};
      },
      Keep::Output);
}

Variable square(const Variable& x) {
  return record("square", square(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * (Scalar{2} * x.get())}; });
}

Variable pow(const Variable& x, Scalar p) {
  return record("pow", pow(x.value(), p), {x}, [x = Saved(x), p](const Variable& dy, const Context&) {
    if (p == 0) return Variables{dy * Scalar{0}};
    return Variables{dy * (p * pow(x.get(), p - 1))};
  });
}

Variable tanh(const Variable& x) {
  return record(
      "tanh", tanh(x.value()), {x},
      [](const Variable& dy, const Context& c) { return Variables{dy * (Scalar{1} - square(c.output()))}; },
      Keep::Output);
}

Variable where(const Mask& mask, const Variable& a, const Variable& b) {
  return record("where", where(mask, a.value(), b.value()), {a, b}, [mask](const Variable& dy, const Context& c) {
    const Variable zero(zeros({}));
    return Variables{c.wants(0) ? sum_to(where(mask, dy, zero), c.input_shape(0)) : Variable(),
                     c.wants(1) ? sum_to(where(mask, zero, dy), c.input_shape(1)) : Variable()};
  });
}

}  // namespace xtg
