#include "autograd/ops/elementwise.hpp"

#include <cmath>
#include <limits>

#include "autograd/operation.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/broadcast.hpp"

namespace xtg {

Variable add(const Variable& a, const Variable& b) {
  return record("add", add(a.value(), b.value()), {a, b}, [](const Variable& dy, const Context& c) {
    return Variables{c.wants(0) ? unbroadcast(dy, c.input_shape(0)) : Variable(),
                     c.wants(1) ? unbroadcast(dy, c.input_shape(1)) : Variable()};
  });
}

Variable subtract(const Variable& a, const Variable& b) {
  return record("subtract", subtract(a.value(), b.value()), {a, b}, [](const Variable& dy, const Context& c) {
    return Variables{c.wants(0) ? unbroadcast(dy, c.input_shape(0)) : Variable(),
                     c.wants(1) ? unbroadcast(negative(dy), c.input_shape(1)) : Variable()};
  });
}

Variable multiply(const Variable& a, const Variable& b) {
  return record("multiply", multiply(a.value(), b.value()), {a, b},
                [a = Saved(b.requires_grad() ? a : Variable()), b = Saved(a.requires_grad() ? b : Variable())](
                    const Variable& dy, const Context& c) {
                  return Variables{c.wants(0) ? unbroadcast(dy * b.get(), c.input_shape(0)) : Variable(),
                                   c.wants(1) ? unbroadcast(dy * a.get(), c.input_shape(1)) : Variable()};
                });
}

Variable divide(const Variable& a, const Variable& b) {
  return record(
      "divide", divide(a.value(), b.value()), {a, b},
      [b = Saved(b)](const Variable& dy, const Context& c) {
        const Variable da = dy / b.get();
        return Variables{c.wants(0) ? unbroadcast(da, c.input_shape(0)) : Variable(),
                         c.wants(1) ? unbroadcast(negative(da * c.output()), c.input_shape(1)) : Variable()};
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

Variable subtract(const Variable& a, Scalar b) {
  return record("subtract", subtract(a.value(), b), {a},
                [](const Variable& dy, const Context&) { return Variables{dy}; });
}

Variable subtract(Scalar a, const Variable& b) {
  return record("subtract", subtract(a, b.value()), {b},
                [](const Variable& dy, const Context&) { return Variables{negative(dy)}; });
}

Variable divide(const Variable& a, Scalar b) {
  return record("divide", divide(a.value(), b), {a},
                [b](const Variable& dy, const Context&) { return Variables{dy / b}; });
}

Variable divide(Scalar a, const Variable& b) {
  return record(
      "divide", divide(a, b.value()), {b},
      [b = Saved(b)](const Variable& dy, const Context& c) { return Variables{negative(dy * c.output() / b.get())}; },
      Keep::Output);
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

Variable expm1(const Variable& x) {  // y + 1 has no digits left where y is −1 but for rounding
  return record("expm1", expm1(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * exp(x.get())}; });
}

Variable log(const Variable& x) {
  return record("log", log(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy / x.get()}; });
}

Variable log1p(const Variable& x) {
  return record("log1p", log1p(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy / (x.get() + Scalar{1})}; });
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
        const Variable y = c.output();  // factor by factor: y³ may be out of range where dx is not
        return Variables{dy * y * y * (Scalar{-0.5} * y)};
      },
      Keep::Output);
}

Variable square(const Variable& x) {
  return record("square", square(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * x.get() * Scalar{2}}; });
}

Variable pow(const Variable& x, Scalar p) {
  return record("pow", pow(x.value(), p), {x}, [x = Saved(x), p](const Variable& dy, const Context&) {
    if (p == 0) return Variables{dy * Scalar{0}};
    return Variables{dy * (p * pow(x.get(), p - 1))};
  });
}

// The formulas meet 0·∞ where a^0 = 1 is constant and where log a = −∞. Such elements get the base 1 before anything is
// computed with them: a mask on the result alone would leave NaN in second derivatives, where the 0 that flows back
// through the mask is multiplied with ∞.
Variable pow(const Variable& a, const Variable& b) {
  return record(
      "pow", pow(a.value(), b.value()), {a, b}, [a = Saved(a), b = Saved(b)](const Variable& dy, const Context& c) {
        const Variable x = a.get(), p = b.get(), one(scalar(1));
        const Tensor zero = scalar(0), smallest = scalar(std::numeric_limits<Scalar>::min());
        Variables gradients(2);
        if (c.wants(0)) {  // 0 where p = 0, also where 1/x is not finite
          const Mask constant = equal(where(greater_equal(abs(x.value()), smallest), one.value(), p.value()), zero);
          const Variable slope = where(constant, Variable(zero), p) * pow(where(constant, one, x), p - Scalar{1});
          gradients[0] = unbroadcast(dy * slope, c.input_shape(0));
        }
        if (c.wants(1)) {  // 0 where x = 0 ≤ p
          const Mask flat = greater_equal(where(equal(x.value(), zero), p.value(), scalar(-1)), zero);
          const Variable base = where(flat, one, x);
          gradients[1] = unbroadcast(dy * (pow(base, p) * log(base)), c.input_shape(1));
        }
        return gradients;
      });
}

Variable sin(const Variable& x) {
  return record("sin", sin(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * cos(x.get())}; });
}

Variable cos(const Variable& x) {
  return record("cos", cos(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * negative(sin(x.get()))}; });
}

namespace {

/// 1 − tanh²(x), a difference without digits where tanh is ±1 but for rounding: 4e/(1 + e)² with e = exp(−2|x|). Its
/// derivative is −2·tanh(x) times itself.
Variable tanh_slope(const Variable& x) {
  Tensor slope(x.shape());
  kernels::map(slope.data(), x.value().data(), slope.size(), [](Scalar v) {
    const Scalar e = std::exp(-2 * std::abs(v));
    return 4 * e / ((1 + e) * (1 + e));
  });
  return record(
      "tanh_slope", std::move(slope), {x},
      [x = Saved(x)](const Variable& dy, const Context& c) {
        return Variables{dy * (Scalar{-2} * tanh(x.get()) * c.output())};
      },
      Keep::Output);
}

/// 2/√π·exp(−x²). Beyond ±100 it is 0 in both types; x is limited to that because its derivative has the factor x, and
/// 0·∞ is NaN.
Variable erf_slope(const Variable& x) {
  constexpr auto two_over_sqrt_pi = static_cast<Scalar>(1.1283791670955126);
  return two_over_sqrt_pi * exp(negative(square(clamp(x, -100, 100))));
}

}  // namespace

Variable tanh(const Variable& x) {
  return record("tanh", tanh(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * tanh_slope(x.get())}; });
}

Variable erf(const Variable& x) {
  return record("erf", erf(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * erf_slope(x.get())}; });
}

Variable erfc(const Variable& x) {
  return record("erfc", erfc(x.value()), {x}, [x = Saved(x)](const Variable& dy, const Context&) {
    return Variables{negative(dy * erf_slope(x.get()))};
  });
}

Variable abs(const Variable& x) {
  return record("abs", abs(x.value()), {x},
                [x = Saved(x)](const Variable& dy, const Context&) { return Variables{dy * sign(x.get())}; });
}

// Recorded, so that grad() finds a gradient, which is zero, where there is one to find.
Variable sign(const Variable& x) {
  return record("sign", sign(x.value()), {x},
                [](const Variable& dy, const Context&) { return Variables{Variable(zeros_like(dy.value()))}; });
}

namespace {

/// The gradients of minimum and maximum. Where one is NaN no mask holds, and both get dy.
Variables to_the_winner(const Variable& dy, const Context& c, const Mask& tie, const Mask& a_loses,
                        const Mask& b_loses) {
  const Variable zero(scalar(0)), share = where(tie, dy * Scalar{0.5}, dy);
  return {c.wants(0) ? unbroadcast(where(a_loses, zero, share), c.input_shape(0)) : Variable(),
          c.wants(1) ? unbroadcast(where(b_loses, zero, share), c.input_shape(1)) : Variable()};
}

}  // namespace

Variable minimum(const Variable& a, const Variable& b) {
  return record("minimum", minimum(a.value(), b.value()), {a, b},
                [a = Saved(a), b = Saved(b)](const Variable& dy, const Context& c) {
                  const Tensor &u = a.value(), &v = b.value();
                  return to_the_winner(dy, c, equal(u, v), greater(u, v), less(u, v));
                });
}

Variable maximum(const Variable& a, const Variable& b) {
  return record("maximum", maximum(a.value(), b.value()), {a, b},
                [a = Saved(a), b = Saved(b)](const Variable& dy, const Context& c) {
                  const Tensor &u = a.value(), &v = b.value();
                  return to_the_winner(dy, c, equal(u, v), less(u, v), greater(u, v));
                });
}

Variable clamp(const Variable& x, Scalar low, Scalar high) {
  return record(
      "clamp", clamp(x.value(), low, high), {x},
      [x = Saved(x)](const Variable& dy, const Context& c) {
        const Mask unchanged = equal(x.value(), c.output().value());
        return Variables{where(unchanged, dy, Variable(scalar(0)))};
      },
      Keep::Output);
}

Variable where(const Mask& mask, const Variable& a, const Variable& b) {
  return record("where", where(mask, a.value(), b.value()), {a, b}, [mask](const Variable& dy, const Context& c) {
    const Variable zero(zeros({}));
    return Variables{c.wants(0) ? unbroadcast(where(mask, dy, zero), c.input_shape(0)) : Variable(),
                     c.wants(1) ? unbroadcast(where(mask, zero, dy), c.input_shape(1)) : Variable()};
  });
}

Mask less(const Variable& a, const Variable& b) { return less(a.value(), b.value()); }
Mask less_equal(const Variable& a, const Variable& b) { return less_equal(a.value(), b.value()); }
Mask greater(const Variable& a, const Variable& b) { return greater(a.value(), b.value()); }
Mask greater_equal(const Variable& a, const Variable& b) { return greater_equal(a.value(), b.value()); }
Mask equal(const Variable& a, const Variable& b) { return equal(a.value(), b.value()); }
Mask not_equal(const Variable& a, const Variable& b) { return not_equal(a.value(), b.value()); }

}  // namespace xtg
