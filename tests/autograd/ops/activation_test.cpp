#include "autograd/ops/activation.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tensor/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

// The formulas as they stand in papers, for moderate x.
double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double logistic1(double x) { return std::exp(-x) / std::pow(1 + std::exp(-x), 2); }
double logistic2(double x) { return logistic1(x) * (1 - 2 * logistic(x)); }
double density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)); }
double distribution(double x) { return (1 + std::erf(x / std::sqrt(2.0))) / 2; }
const double kRoot = std::sqrt(2 / std::acos(-1.0));
double inner(double x) { return kRoot * (x + 0.044715 * x * x * x); }
double inner1(double x) { return kRoot * (1 + 3 * 0.044715 * x * x); }
double sech2(double x) { return std::pow(std::cosh(x), -2); }

struct Activation {
  std::string name;
  Variable (*function)(const Variable&);
  double (*f)(double);
  double (*d1)(double);
  double (*d2)(double);
  double low, high;  // at −1000 and 1000
  double low_slope;  // at −1000; at 1000 the slope is high/1000
  double slope_at_0;
};

const std::vector<Activation>& activations() {
  static const std::vector<Activation> list = {
      {"relu", relu, [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0; },
       [](double) { return 0.0; }, 0, 1000, 0, 0},
      {"sigmoid", sigmoid, logistic, logistic1, logistic2, 0, 1, 0, 0.25},
      {"softplus", softplus, [](double x) { return std::log(1 + std::exp(x)); }, logistic, logistic1, 0, 1000, 0, 0.5},
      {"silu", silu, [](double x) { return x * logistic(x); }, [](double x) { return logistic(x) + x * logistic1(x); },
       [](double x) { return 2 * logistic1(x) + x * logistic2(x); }, 0, 1000, 0, 0.5},
      {"leaky_relu", [](const Variable& x) { return leaky_relu(x); }, [](double x) { return x > 0 ? x : 0.01 * x; },
       [](double x) { return x > 0 ? 1 : 0.01; }, [](double) { return 0.0; }, -10, 1000, 0.01, 0.01},
      {"leaky_relu -1.5", [](const Variable& x) { return leaky_relu(x, Scalar{-1.5}); },
       [](double x) { return x > 0 ? x : -1.5 * x; }, [](double x) { return x > 0 ? 1 : -1.5; },
       [](double) { return 0.0; }, 1500, 1000, -1.5, -1.5},
      {"elu", [](const Variable& x) { return elu(x); }, [](double x) { return x > 0 ? x : std::exp(x) - 1; },
       [](double x) { return x > 0 ? 1 : std::exp(x); }, [](double x) { return x > 0 ? 0 : std::exp(x); }, -1, 1000, 0,
       1},
      {"elu 1.5", [](const Variable& x) { return elu(x, Scalar{1.5}); },
       [](double x) { return x > 0 ? x : 1.5 * (std::exp(x) - 1); },
       [](double x) { return x > 0 ? 1 : 1.5 * std::exp(x); }, [](double x) { return x > 0 ? 0 : 1.5 * std::exp(x); },
       -1.5, 1000, 0, 1.5},
      {"gelu", [](const Variable& x) { return gelu(x); }, [](double x) { return x * distribution(x); },
       [](double x) { return distribution(x) + x * density(x); }, [](double x) { return (2 - x * x) * density(x); }, 0,
       1000, 0, 0.5},
      {"gelu tanh", [](const Variable& x) { return gelu(x, Gelu::Tanh); },
       [](double x) { return x / 2 * (1 + std::tanh(inner(x))); },
       [](double x) { return (1 + std::tanh(inner(x))) / 2 + x / 2 * sech2(inner(x)) * inner1(x); },
       [](double x) {
         const double t = inner1(x), s = sech2(inner(x));
         return s * t - x * s * std::tanh(inner(x)) * t * t + x / 2 * s * kRoot * 6 * 0.044715 * x;
       },
       0, 1000, 0, 0.5},
  };
  return list;
}

Tensor apply(double (*f)(double), const Tensor& x) {
  Tensor y(x.shape());
  for (std::size_t i = 0; i < x.size(); ++i) y.data()[i] = static_cast<Scalar>(f(static_cast<double>(x.data()[i])));
  return y;
}

}  // namespace

TEST_CASE("activations: values, first and second derivatives are the formulas', by hand and by the definition") {
  GradOptions options;
  options.create_graph = options.allow_unused = true;
  for (const bool derived : {false, true})
    for (const Shape& shape : {Shape{3, 5, 7}, Shape{70001}})
      for (const Activation& op : activations()) {
        CAPTURE(op.name);
        CAPTURE(derived);
        const DerivedGradients mode(derived);
        const Tensor at = 3 * normal(shape, 1), w1 = normal(shape, 2), w2 = normal(shape, 3);
        const Tensor d1 = w1 * apply(op.d1, at);
        Variable x(at, true);
        const Variable y = op.function(x);
        CHECK(max_error(y.value(), apply(op.f, at)) < kRounding);
        CHECK(max_error(op.function(Variable(at)).value(), apply(op.f, at)) < kRounding);  // not recorded
        y.backward(w1, true);
        CHECK(max_error(x.grad(), d1) < 10 * kRounding);

        const Variable first = grad({y}, {x}, {Variable(w1)}, options)[0];
        CHECK(max_error(first.value(), d1) < 10 * kRounding);
        const Tensor expected = w1 * w2 * apply(op.d2, at);
        const Variable second = first.requires_grad() ? grad({first}, {x}, {Variable(w2)}, options)[0] : Variable();
        if (largest(expected) == 0)
          CHECK((!second.defined() || largest(second.value()) == 0));
        else
          CHECK((second.defined() && max_error(second.value(), expected) < 10 * kRounding));
      }
}

TEST_CASE("activations: value and slope at 0") {
  for (const bool derived : {false, true})
    for (const Activation& op : activations()) {
      CAPTURE(op.name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      Variable x(tensor({0, -0.0}, {2}), true);
      const Variable y = op.function(x);
      CHECK(max_error(y.value(), full({2}, static_cast<Scalar>(op.f(0)))) < kRounding);
      y.backward(tensor({2, 3}, {2}));
      CHECK(max_error(x.grad(), tensor({2 * op.slope_at_0, 3 * op.slope_at_0}, {2})) < kRounding);
    }
}

TEST_CASE("activations: the second derivatives of the smooth ones at 0") {
  GradOptions options;
  options.create_graph = true;
  for (const bool derived : {false, true})
    for (const Activation& op : activations()) {
      if (op.name == "relu" || starts_with(op.name, "leaky_relu") || starts_with(op.name, "elu")) continue;  // a kink
      CAPTURE(op.name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      const Variable x(tensor({0, -0.0}, {2}), true), one(ones({2}));
      const Variable first = grad({op.function(x)}, {x}, {one}, options)[0];
      const Tensor found = grad({first}, {x}, {one})[0].value(), expected = full({2}, static_cast<Scalar>(op.d2(0)));
      CHECK(max_error(found + 1, expected + 1) < kRounding);  // sigmoid's is 0
    }
}

TEST_CASE("activations: at ±1000 nothing overflows, to second order") {
  GradOptions options;
  options.create_graph = options.allow_unused = true;
  for (const bool derived : {false, true})
    for (const Activation& op : activations()) {
      CAPTURE(op.name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      Variable x(tensor({-1000, 1000}, {2}), true);
      const Variable y = op.function(x), dy(tensor({2, 3}, {2}));
      const double high_slope = op.high == 1000 ? 1 : 0;
      const Tensor slopes = tensor({2 * op.low_slope, 3 * high_slope}, {2});
      CHECK(max_error(y.value(), tensor({op.low, op.high}, {2})) < kRounding);
      y.backward(dy.value(), true);
      const Variable first = grad({y}, {x}, {dy}, options)[0];
      for (const Tensor& gradient : {x.grad(), first.value()})
        CHECK(max_error(gradient + 1, slopes + 1) < kRounding);  // both of sigmoid's are 0
      const Variable second = first.requires_grad() ? grad({first}, {x}, {dy}, options)[0] : Variable();
      CHECK((!second.defined() || max_error(second.value(), zeros({2})) == 0));
    }
}

TEST_CASE("activations: NaN stays NaN, and takes nothing with it") {
  for (const bool derived : {false, true})
    for (const Activation& op : activations()) {
      CAPTURE(op.name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      const Tensor at = tensor({std::nan(""), 0.5}, {2});
      Variable x(at, true);
      const Variable y = op.function(x);
      CHECK(std::isnan(y.value().data()[0]));
      y.backward(ones({2}));
      CHECK(std::abs(static_cast<double>(x.grad().data()[1]) - op.d1(0.5)) < kRounding);
    }
}

TEST_CASE("activations: small values far to the left keep their digits") {
  Variable x(scalar(-30), true);
  const double e = std::exp(-30.0), tolerance = 100 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  const auto close = [&](Scalar found, double expected) {
    return std::abs(static_cast<double>(found) - expected) < tolerance * std::abs(expected);
  };
  CHECK(close(sigmoid(x).item(), e / (1 + e)));
  CHECK(close(softplus(x).item(), e - e * e / 2));
  CHECK(close(silu(x).item(), -30 * e / (1 + e)));
  sigmoid(x).backward();
  CHECK(close(x.grad().item(), e / (1 + e) / (1 + e)));
  x.zero_grad();
  sigmoid(-x).backward();  // 1 − sigmoid(30) by subtraction has no digit left in float, four in double
  CHECK(close(x.grad().item(), -e / (1 + e) / (1 + e)));
  CHECK(close(gelu(Variable(scalar(-5))).item(), -5 * 2.8665157187919391e-7));  // 1 + erf(−5/√2) cancels
}

TEST_CASE("activations: a slope of 0, and infinite arguments") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    Variable x(tensor({inf, -2}, {2}), true);
    const Variable y = leaky_relu(x, 0);
    CHECK((y.value().data()[0] == static_cast<Scalar>(inf) && y.value().data()[1] == 0));
    y.backward(tensor({2, 3}, {2}));
    CHECK(identical(x.grad(), tensor({2, 0}, {2})));
    x.zero_grad();
    elu(x, 2).backward(tensor({2, 3}, {2}));
    CHECK(max_error(x.grad(), tensor({2, 6 * std::exp(-2.0)}, {2})) < kRounding);
    Variable both(tensor({-inf, inf}, {2}), true);
    sigmoid(both).backward(ones({2}));
    CHECK(identical(both.grad(), zeros({2})));
    both.zero_grad();
    softplus(both).backward(ones({2}));
    CHECK(identical(both.grad(), tensor({0, 1}, {2})));
  }
}

TEST_CASE("activations: a scalar, and zero elements") {
  for (const Activation& op : activations()) {
    CAPTURE(op.name);
    Variable s(scalar(Scalar{0.75}), true);
    const Variable y = op.function(s);
    y.backward();
    CHECK(std::abs(static_cast<double>(y.item()) - op.f(0.75)) < kRounding);
    CHECK(std::abs(static_cast<double>(s.grad().item()) - op.d1(0.75)) < kRounding);
    Variable x(zeros({0, 3}), true);
    op.function(x).backward(zeros({0, 3}));
    CHECK(x.grad().shape() == Shape{0, 3});
  }
}

TEST_CASE("activations: the two forms of gelu differ, by less than the paper's approximation error") {
  const Variable x(2 * normal({1000}, 1));
  const double difference = largest(gelu(x, Gelu::Erf).value() - gelu(x, Gelu::Tanh).value());
  CHECK(difference > 1e-5);
  CHECK(difference < 1e-3);
}

TEST_CASE("relu: the gradient flows where x is NaN, through the analytic backward as through the definition") {
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    Variable x(tensor({std::nan(""), -1, 2, 0}, {4}), true);
    relu(x).backward(tensor({2, 3, 4, 5}, {4}));
    CHECK(identical(x.grad(), tensor({2, 0, 4, 0}, {4})));
  }
}

TEST_CASE("add_relu: the sum, then relu; both gradients are dy where the result is positive") {
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const double nan = std::nan("");
    const Tensor a = tensor({1, -2, 3, 1, nan, 0.5, 2}, {7}), b = tensor({2, 1, -3, -2, 1, nan, -1.5}, {7});
    const Tensor dy = tensor({2, 3, 4, 5, 6, 7, -8}, {7});
    Variable x(a, true), residual(b, true);
    const Variable y = add_relu(x, residual);
    CHECK(std::string(y.node()->name) == (derived ? "where" : "add_relu"));
    for (const std::size_t i : {4, 5}) CHECK(std::isnan(y.value().data()[i]));
    Tensor without = y.value();
    without.data()[4] = without.data()[5] = 9;
    CHECK(identical(without, tensor({3, 0, 0, 0, 9, 9, 0.5}, {7})));
    y.backward(dy);
    CHECK(identical(x.grad(), tensor({2, 0, 0, 0, 6, 7, -8}, {7})));  // 0 where the sum is 0, dy where it is NaN
    CHECK(identical(residual.grad(), x.grad()));
    x.mutable_grad().data()[0] = 50;  // an array of its own
    CHECK(residual.grad().data()[0] == 2);

    Variable twice(a, true);
    add_relu(twice, twice).backward(dy);
    CHECK(identical(twice.grad(), tensor({4, 0, 8, 10, 12, 14, -16}, {7})));
  }
}

TEST_CASE("add_relu: other shapes are refused, and none is broadcast") {
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    const Variable x(ones({2, 3}), true);
    for (const Shape& other : {Shape{3}, Shape{2, 1}, Shape{3, 2}, Shape{}})
      CHECK(error_of([&] { add_relu(x, Variable(ones(other))); }) ==
            "ShapeError: add_relu: expected equal shapes, got (2, 3) and " + to_string(other));
    CHECK(add_relu(Variable(ones({0, 3})), Variable(ones({0, 3}))).shape() == Shape{0, 3});
  }
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("activations: gradients and second derivatives against finite differences") {
  Tensor at = normal({4, 3, 5}, 8);
  for (Scalar& v : at) v += v > 0 ? Scalar{0.01} : Scalar{-0.01};  // away from the kinks
  for (const Activation& op : activations()) {
    CAPTURE(op.name);
    CHECK(check_two_orders([&](const Variables& v) { return square(op.function(v[0]) * v[1]) + v[0] * v[1]; },
                           {at, positive({3, 1}, 9)}) == "");
  }
}

TEST_CASE("add_relu: gradients and second derivatives against finite differences") {
  const auto f = [](const Variables& v) { return square(add_relu(v[0] * v[1], v[1])); };
  CHECK(check_two_orders(f, {normal({4, 3, 5}, 8), normal({4, 3, 5}, 9)}) == "");
  CHECK(check_two_orders([](const Variables& v) { return square(add_relu(v[0], v[0])); }, {normal({4, 3}, 8)}) == "");
}

#endif
