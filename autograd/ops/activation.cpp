#include "autograd/ops/activation.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/operation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/broadcast.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

/// dy where y > 0, else 0. Linear in dy, and constant in y but for a jump: its own gradient has the same form.
Variable relu_backward(const Variable& dy, const Variable& y) {
  return record("relu_backward", relu_backward(dy.value(), y.value()), {dy},
                [y = y.detach()](const Variable& d, const Context&) { return Variables{relu_backward(d, y)}; });
}

/// y = f(x) with dx = dy·slope(x), both functions of one number: one pass each way, and only x is kept.
template <class Definition, class F, class Slope>
Variable activation(const char* name, const Variable& x, const Definition& definition, const F& f, const Slope& slope) {
  const auto backward = [slope](const Tensor& dy, const Arguments& arguments) {
    const Tensor& at = arguments[0];
    Tensor dx(at.shape());
    kernels::zip(dx.data(), dx.shape(), dy.data(), dy.shape(), at.data(), at.shape(),
                 [&](Scalar d, Scalar v) { return d * slope(v); });
    return analytic_gradients(std::move(dx));
  };
  return operation(
      name, {x}, [definition](const Variables& v) { return definition(v[0]); },
      [&] {
        Tensor y(x.shape());
        kernels::map(y.data(), x.value().data(), y.size(), f);
        return Computed{std::move(y), backward};
      });
}

/// 1/(1 + e^−v). e^−|v| cannot overflow; for v < 0 the fraction is extended by e^v.
Scalar logistic(Scalar v) {
  const Scalar e = std::exp(-std::abs(v));
  return (v < 0 ? e : Scalar{1}) / (1 + e);
}

/// logistic·(1 − logistic), the same for v and −v.
Scalar logistic_slope(Scalar v) {
  const Scalar e = std::exp(-std::abs(v));
  return e / ((1 + e) * (1 + e));
}

// silu and both forms of gelu are v·σ, σ a function that rises from 0 to 1. Beyond ±1000 σ is 0 or 1 and its slope 0,
// in both types, and what is left is relu. There v is replaced, for 0·∞ is NaN.
constexpr Scalar kFar = 1000;

Scalar near(Scalar v) { return std::clamp(v, -kFar, kFar); }

/// The definition, but relu beyond ±1000.
template <class Definition>
auto relu_far_out(const Definition& definition) {
  return [definition](const Variable& v) {
    const Mask far = greater(abs(v.value()), scalar(kFar));
    return where(far, relu(v), definition(where(far, Variable(scalar(0)), v)));
  };
}

}  // namespace

// The backward is made of Variables and reads the output: x, which a backward on arrays would save for the definition,
// is not kept, and the output is kept by the next layer anyway.
Variable relu(const Variable& x) {
  return operation(
      "relu", {x}, [](const Variables& v) { return where(less_equal(v[0].value(), 0), Variable(zeros({})), v[0]); },
      [&] {
        return Computed{relu(x.value()),
                        [](const Variable& dy, const Context& c) { return Variables{relu_backward(dy, c.output())}; },
                        Keep::Output};
      });
}

Variable add_relu(const Variable& x, const Variable& residual) {
  require<ShapeError>(x.shape() == residual.shape(), "add_relu: expected equal shapes, got {} and {}",
                      to_string(x.shape()), to_string(residual.shape()));
  const auto backward = [](const Variable& dy, const Context& c) {
    const Variable dz = relu_backward(dy, c.output());
    return Variables{dz, dz};
  };
  return operation(
      "add_relu", {x, residual}, [](const Variables& v) { return relu(v[0] + v[1]); },
      [&] {
        Tensor y(x.shape());
        kernels::zip(y.data(), y.shape(), x.value().data(), x.shape(), residual.value().data(), residual.shape(),
                     [](Scalar a, Scalar b) {
                       const Scalar z = a + b;
                       return z <= 0 ? Scalar{0} : z;
                     });
        return Computed{std::move(y), backward, Keep::Output};
      });
}

Variable sigmoid(const Variable& x) {
  return activation(
      "sigmoid", x,
      [](const Variable& v) {  // e^v/(1 + e^v) below 0, 1/(1 + e^−v) from there on: nothing overflows or cancels
        const Mask below = less(v.value(), scalar(0));
        const Variable e = exp(where(below, v, negative(v)));
        return where(below, e, Variable(scalar(1))) / (e + Scalar{1});
      },
      [](Scalar v) { return logistic(v); }, [](Scalar v) { return logistic_slope(v); });
}

Variable softplus(const Variable& x) {
  return activation(
      "softplus", x,
      [](const Variable& v) {  // log(1 + e^v) below 0, v + log(1 + e^−v) from there on: where they meet, all is smooth
        const Mask below = less(v.value(), scalar(0));
        return where(below, Variable(scalar(0)), v) + log1p(exp(where(below, v, negative(v))));
      },
      [](Scalar v) { return (v < 0 ? Scalar{0} : v) + std::log1p(std::exp(-std::abs(v))); },
      [](Scalar v) { return logistic(v); });
}

Variable silu(const Variable& x) {
  return activation(
      "silu", x, relu_far_out([](const Variable& v) { return v * sigmoid(v); }),
      [](Scalar v) { return std::max(v, -kFar) * logistic(v); },
      [](Scalar v) { return logistic(v) + near(v) * logistic_slope(v); });
}

// What is not chosen is read or computed first: only then does the loop run without branches, thirty times as fast.
Variable leaky_relu(const Variable& x, Scalar slope) {
  if (slope == 0) return relu(x);  // 0·−∞ is NaN
  return activation(
      "leaky_relu", x, [slope](const Variable& v) { return where(greater(v.value(), scalar(0)), v, v * slope); },
      [slope](Scalar v) {
        const Scalar scaled = slope * v;
        return v > 0 ? v : scaled;
      },
      [slope](Scalar v) {
        const Scalar below = slope;
        return v > 0 ? Scalar{1} : below;
      });
}

Variable elu(const Variable& x, Scalar alpha) {
  return activation(
      "elu", x,
      [alpha](const Variable& v) {
        const Mask above = greater(v.value(), scalar(0));
        const Variable rest = where(above, Variable(scalar(0)), v);  // e^v of a large v is ∞, and its gradient 0·∞
        return where(above, v, expm1(rest) * alpha);
      },
      [alpha](Scalar v) { return v > 0 ? v : alpha * std::expm1(v); },
      [alpha](Scalar v) { return v > 0 ? Scalar{1} : alpha * std::exp(v); });
}

namespace {

// With Φ the normal distribution function and φ its derivative: y = x·Φ(x), dx = dy·(Φ(x) + x·φ(x)).
// Φ(x) is erfc(−x/√2)/2; in (1 + erf(x/√2))/2, the same, the sum cancels for x < 0.
Variable gelu_erf(const Variable& x) {
  constexpr auto sqrt_half = Scalar(0.7071067811865476);             // √(1/2)
  constexpr auto one_over_sqrt_two_pi = Scalar(0.3989422804014327);  // 1/√(2π)
  return activation(
      "gelu", x, relu_far_out([=](const Variable& v) { return v * Scalar{0.5} * erfc(v * -sqrt_half); }),
      [=](Scalar v) { return std::max(v, -kFar) / 2 * std::erfc(-v * sqrt_half); },
      [=](Scalar v) {
        const Scalar w = near(v);
        return std::erfc(-w * sqrt_half) / 2 + w * one_over_sqrt_two_pi * std::exp(-w * w / 2);
      });
}

// (1 + tanh u)/2 is σ(2u), and does not cancel for u < 0: y = x·σ(v), v = a·(x + b·x³), dx = dy·(σ(v) + x·σ'(v)·v'),
// v' = a·(1 + 3b·x²).
Variable gelu_tanh(const Variable& x) {
  constexpr auto a = Scalar(1.5957691216057308), b = Scalar(0.044715);  // a = 2·√(2/π)
  return activation(
      "gelu", x, relu_far_out([=](const Variable& v) { return v * sigmoid((v + pow(v, 3) * b) * a); }),
      [=](Scalar v) {
        const Scalar w = near(v);
        return std::max(v, -kFar) * logistic(a * (w + b * w * w * w));
      },
      [=](Scalar v) {
        const Scalar w = near(v), u = a * (w + b * w * w * w);
        return logistic(u) + w * logistic_slope(u) * a * (1 + 3 * b * w * w);
      });
}

}  // namespace

Variable gelu(const Variable& x, Gelu form) { return form == Gelu::Erf ? gelu_erf(x) : gelu_tanh(x); }

}  // namespace xtg
