#include "autograd/ops/activation.hpp"

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
      // 1/(1 + e^−x) has the gradient ∞·0 at a large negative x; this is the same function.
      [](const Variable& v) { return (tanh(v * Scalar{0.5}) + Scalar{1}) * Scalar{0.5}; },
      [](Scalar v) { return logistic(v); },
      [](Scalar v) {  // y·(1 − y), the same for v and −v
        const Scalar e = std::exp(-std::abs(v));
        return e / ((1 + e) * (1 + e));
      });
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
      "silu", x, [](const Variable& v) { return v * sigmoid(v); }, [](Scalar v) { return v * logistic(v); },
      [](Scalar v) {
        const Scalar s = logistic(v);
        return s * (1 + v * (1 - s));
      });
}

// What is not chosen is read or computed first: only then does the loop run without branches, thirty times as fast.
Variable leaky_relu(const Variable& x, Scalar slope) {
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
Variable gelu_erf(const Variable& x) {
  constexpr auto sqrt_half = Scalar(0.7071067811865476);             // √(1/2)
  constexpr auto one_over_sqrt_two_pi = Scalar(0.3989422804014327);  // 1/√(2π)
  return activation(
      "gelu", x, [=](const Variable& v) { return v * (erf(v * sqrt_half) + Scalar{1}) * Scalar{0.5}; },
      [=](Scalar v) { return v * std::erfc(-v * sqrt_half) / 2; },
      [=](Scalar v) { return std::erfc(-v * sqrt_half) / 2 + v * one_over_sqrt_two_pi * std::exp(-v * v / 2); });
}

// y = x/2·(1 + t), t = tanh u, u = a·(x + b·x³): dx = dy·((1 + t)/2 + x/2·(1 − t²)·u'), u' = a·(1 + 3b·x²).
Variable gelu_tanh(const Variable& x) {
  constexpr auto a = Scalar(0.7978845608028654), b = Scalar(0.044715);  // a = √(2/π)
  return activation(
      "gelu", x, [=](const Variable& v) { return v * (tanh((v + pow(v, 3) * b) * a) + Scalar{1}) * Scalar{0.5}; },
      [=](Scalar v) { return v / 2 * (1 + std::tanh(a * (v + b * v * v * v))); },
      [=](Scalar v) {
        const Scalar t = std::tanh(a * (v + b * v * v * v));
        return (1 + t) / 2 + v / 2 * (1 - t * t) * a * (1 + 3 * b * v * v);
      });
}

}  // namespace

Variable gelu(const Variable& x, Gelu form) { return form == Gelu::Erf ? gelu_erf(x) : gelu_tanh(x); }

}  // namespace xtg
