#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "tensor/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr bool kDouble = sizeof(Scalar) == 8;

/// A function of one number, with its derivatives.
struct Unary {
  const char* name;
  Variable (*function)(const Variable&);
  double (*f)(double);
  double (*d1)(double);
  double (*d2)(double);
  double (*d3)(double);
};

double zero(double) { return 0; }
double tanh1(double x) { return 1 - std::tanh(x) * std::tanh(x); }

const std::vector<Unary>& unaries() {
  static const std::vector<Unary> list = {
      {"negative", negative, [](double x) { return -x; }, [](double) { return -1.0; }, zero, zero},
      {"exp", exp, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); },
       [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
      {"log", log, [](double x) { return std::log(x); }, [](double x) { return 1 / x; },
       [](double x) { return -1 / (x * x); }, [](double x) { return 2 / (x * x * x); }},
      {"sqrt", sqrt, [](double x) { return std::sqrt(x); }, [](double x) { return 0.5 / std::sqrt(x); },
       [](double x) { return -0.25 * std::pow(x, -1.5); }, [](double x) { return 0.375 * std::pow(x, -2.5); }},
      {"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, [](double x) { return -0.5 * std::pow(x, -1.5); },
       [](double x) { return 0.75 * std::pow(x, -2.5); }, [](double x) { return -1.875 * std::pow(x, -3.5); }},
      {"square", square, [](double x) { return x * x; }, [](double x) { return 2 * x; }, [](double) { return 2.0; },
       zero},
      {"tanh", tanh, [](double x) { return std::tanh(x); }, tanh1,
       [](double x) { return -2 * std::tanh(x) * tanh1(x); },
       [](double x) { return tanh1(x) * (6 * std::tanh(x) * std::tanh(x) - 2); }},
      {"pow 3", [](const Variable& x) { return pow(x, 3); }, [](double x) { return x * x * x; },
       [](double x) { return 3 * x * x; }, [](double x) { return 6 * x; }, [](double) { return 6.0; }},
      {"pow 2.5", [](const Variable& x) { return pow(x, Scalar{2.5}); }, [](double x) { return std::pow(x, 2.5); },
       [](double x) { return 2.5 * std::pow(x, 1.5); }, [](double x) { return 3.75 * std::sqrt(x); },
       [](double x) { return 1.875 / std::sqrt(x); }},
      {"pow -1", [](const Variable& x) { return pow(x, -1); }, [](double x) { return 1 / x; },
       [](double x) { return -1 / (x * x); }, [](double x) { return 2 / (x * x * x); },
       [](double x) { return -6 / (x * x * x * x); }},
      {"x*x*x", [](const Variable& x) { return x * x * x; }, [](double x) { return x * x * x; },
       [](double x) { return 3 * x * x; }, [](double x) { return 6 * x; }, [](double) { return 6.0; }},
      {"1 / x", [](const Variable& x) { return Scalar{1} / x; }, [](double x) { return 1 / x; },
       [](double x) { return -1 / (x * x); }, [](double x) { return 2 / (x * x * x); },
       [](double x) { return -6 / (x * x * x * x); }},
      {"x / (x + 1)", [](const Variable& x) { return x / (x + Scalar{1}); }, [](double x) { return x / (x + 1); },
       [](double x) { return std::pow(x + 1, -2); }, [](double x) { return -2 * std::pow(x + 1, -3); },
       [](double x) { return 6 * std::pow(x + 1, -4); }},
      {"3 - 2 x", [](const Variable& x) { return Scalar{3} - Scalar{2} * x; }, [](double x) { return 3 - 2 * x; },
       [](double) { return -2.0; }, zero, zero},
      {"(x - 1) / 4 + 2", [](const Variable& x) { return Scalar{2} + (x - Scalar{1}) / Scalar{4}; },
       [](double x) { return (x - 1) / 4 + 2; }, [](double) { return 0.25; }, zero, zero},
      {"-relu(x)", [](const Variable& x) { return -relu(x); }, [](double x) { return -x; }, [](double) { return -1.0; },
       zero, zero},
  };
  return list;
}

Tensor times(const Tensor& weight, const Tensor& x, double (*f)(double)) {
  Tensor y(x.shape());
  for (std::size_t i = 0; i < x.size(); ++i)
    y.data()[i] = static_cast<Scalar>(static_cast<double>(weight.data()[i]) * f(static_cast<double>(x.data()[i])));
  return y;
}

}  // namespace

TEST_CASE("elementwise ops: first, second and third derivatives of functions of one variable") {
  const double tolerance = kDouble ? 1e-13 : 1e-5;
  GradOptions options;
  options.create_graph = options.allow_unused = true;
  for (const Unary& op : unaries()) {
    CAPTURE(op.name);
    const Shape shape = {3, 5};
    const Tensor at = positive(shape, 1);
    const Variable x(at, true), w1(normal(shape, 2)), w2(normal(shape, 3)), w3(normal(shape, 4));
    const Variable y = op.function(x);
    CHECK(max_error(y.value(), times(ones(shape), at, op.f)) < tolerance);
    Tensor weight = w1.value();
    Variable d = grad({y}, {x}, {w1}, options)[0];
    CHECK(largest(d.value()) > 0.01);
    CHECK(max_error(d.value(), times(weight, at, op.d1)) < tolerance);
    for (const auto& [f, w] : {std::make_pair(op.d2, w2), std::make_pair(op.d3, w3)}) {
      weight = xtg::multiply(weight, w.value());
      const Tensor expected = times(weight, at, f);
      if (largest(expected) == 0) {  // zero by formula: unused, or zeros
        d = d.requires_grad() ? grad({d}, {x}, {w}, options)[0] : Variable();
        CHECK((!d.defined() || largest(d.value()) == 0));
        break;
      }
      d = grad({d}, {x}, {w}, options)[0];
      REQUIRE(d.defined());
      CHECK(max_error(d.value(), expected) < tolerance);
    }
  }
}

TEST_CASE("elementwise ops: gradients of two arrays, summed back over what was repeated") {
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{2, 3}, {2, 3}}, {{2, 3}, {3}},          {{3}, {2, 3}},    {{2, 3, 4}, {3, 1}},    {{2, 1, 4}, {1, 3, 1}},
      {{}, {2, 3}},     {{2, 3}, {}},           {{}, {}},         {{2, 3, 4, 5}, {4, 1}}, {{0, 3}, {3}},
      {{1, 3}, {0, 1}}, {{2, 3, 4}, {1, 1, 4}}, {{5, 1}, {1, 7}}, {{7001, 3}, {3}},
  };
  struct Binary {
    const char* name;
    Variable (*function)(const Variable&, const Variable&);
    Scalar (*f)(Scalar, Scalar);
    Scalar (*da)(Scalar, Scalar);
    Scalar (*db)(Scalar, Scalar);
  };
  using S = Scalar;
  const std::vector<Binary> list = {
      {"add", add, [](S a, S b) { return a + b; }, [](S, S) { return S{1}; }, [](S, S) { return S{1}; }},
      {"subtract", subtract, [](S a, S b) { return a - b; }, [](S, S) { return S{1}; }, [](S, S) { return S{-1}; }},
      {"multiply", multiply, [](S a, S b) { return a * b; }, [](S, S b) { return b; }, [](S a, S) { return a; }},
      {"divide", divide, [](S a, S b) { return a / b; }, [](S, S b) { return 1 / b; },
       [](S a, S b) { return -a / (b * b); }},
  };
  for (const auto& shapes : pairs) {
    const Shape &sa = shapes.first, &sb = shapes.second;  // clang 14 captures no structured bindings
    for (const Binary& op : list) {
      CAPTURE(op.name);
      CAPTURE(to_string(sa));
      CAPTURE(to_string(sb));
      Variable a(normal(sa, 1), true), b(positive(sb, 2), true);
      const Variable y = op.function(a, b);
      const Shape shape = broadcast_shapes("test", sa, sb);
      CHECK(identical(y.value(), naive_zip(shape, a.value(), b.value(), op.f)));
      const Tensor dy = normal(shape, 3);
      y.backward(dy);
      const auto expected = [&](S (*d)(S, S), const Shape& to) {
        const Tensor whole = naive_zip(shape, a.value(), b.value(), d);
        return naive_sum_to(naive_zip(shape, whole, dy, [](S u, S v) { return u * v; }), to);
      };
      const double tolerance = kDouble ? 1e-12 : 1e-5;
      if (count(shape) > 0) CHECK(largest(a.grad()) > 0.01);
      CHECK(max_error(a.grad(), expected(op.da, sa)) < tolerance);
      CHECK(max_error(b.grad(), expected(op.db, sb)) < tolerance);
    }
  }
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("elementwise ops: gradients and second derivatives against finite differences, with broadcasting") {
  const std::vector<std::function<Variable(const Variable&, const Variable&)>> list = {
      [](const Variable& a, const Variable& b) { return square(a) + b * a; },
      [](const Variable& a, const Variable& b) { return a * a - b * b; },
      [](const Variable& a, const Variable& b) { return a * b * b; },
      [](const Variable& a, const Variable& b) { return a / b; },
      [](const Variable& a, const Variable& b) { return exp(a * b) / rsqrt(b); },
      [](const Variable& a, const Variable& b) { return where(less_equal(a.value(), 1), a * b, square(b)); },
  };
  for (const auto& f : list)
    for (const auto& [sa, sb] : std::vector<std::pair<Shape, Shape>>{{{2, 3}, {3}}, {{3, 1}, {2, 1, 4}}, {{}, {5}}})
      CHECK(check_two_orders([&](const Variables& v) { return square(f(v[0], v[1])); },
                             {positive(sa, 1), positive(sb, 2)}) == "");
}

TEST_CASE("elementwise ops: one Variable in both places, to second order") {
  struct Repeated {
    const char* name;
    std::function<Variable(const Variable&)> function;
    double (*d1)(double);
    double (*d2)(double);
  };
  const std::vector<Repeated> list = {
      {"add", [](const Variable& a) { return square(add(a, a)); }, [](double a) { return 8 * a; },
       [](double) { return 8.0; }},
      {"subtract", [](const Variable& a) { return square(subtract(a, a)) + square(a); }, [](double a) { return 2 * a; },
       [](double) { return 2.0; }},
      {"multiply", [](const Variable& a) { return multiply(a, a); }, [](double a) { return 2 * a; },
       [](double) { return 2.0; }},
      {"multiply cubed",
       [](const Variable& a) {
         const Variable b = multiply(a, a);
         return multiply(b, a);
       },
       [](double a) { return 3 * a * a; }, [](double a) { return 6 * a; }},
      {"divide", [](const Variable& a) { return divide(a, a) + square(a); }, [](double a) { return 2 * a; },
       [](double) { return 2.0; }},
      {"where", [](const Variable& a) { return square(where(less_equal(a.value(), 1), a, a)); },
       [](double a) { return 2 * a; }, [](double) { return 2.0; }},
  };
  for (const Repeated& op : list) {
    CAPTURE(op.name);
    const Tensor at = positive({7}, 1);
    const Variable a(at, true), w1(normal({7}, 2)), w2(normal({7}, 3));
    GradOptions options;
    options.create_graph = true;
    const Variable first = grad({op.function(a)}, {a}, {w1}, options)[0];
    CHECK(max_error(first.value(), times(w1.value(), at, op.d1)) < 1e-12);
    const Variable second = grad({first}, {a}, {w2})[0];
    CHECK(max_error(second.value(), times(xtg::multiply(w1.value(), w2.value()), at, op.d2)) < 1e-12);
  }
}

#endif

TEST_CASE("elementwise ops: relu's gradient at 0 is 0, fused and derived, and its second derivative is 0") {
  const Tensor at = tensor({-1, 0, -0.0, 2, 0.5}, {5}), dy = tensor({1, 2, 3, 4, 5}, {5});
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    Variable x(at, true);
    const Variable y = relu(x);
    CHECK(max_error(y.value(), tensor({0, 0, 0, 2, 0.5}, {5})) == 0);
    y.backward(dy);
    CHECK(max_error(x.grad(), tensor({0, 0, 0, 4, 5}, {5})) == 0);
    // relu(x)²: the second derivative is 2 where x > 0
    GradOptions options;
    options.create_graph = true;
    const Variable first = grad({square(relu(x))}, {x}, {Variable(dy)}, options)[0];
    CHECK(max_error(first.value(), tensor({0, 0, 0, 16, 5}, {5})) == 0);
    CHECK(max_error(grad({first}, {x}, {Variable(ones({5}))})[0].value(), tensor({0, 0, 0, 8, 10}, {5})) == 0);
  }
}

TEST_CASE("elementwise ops: pow at 0") {
  Variable x(zeros({2}), true);
  pow(x, 2).backward(ones({2}));
  CHECK(largest(x.grad()) == 0);
  x.zero_grad();
  pow(x, 1).backward(ones({2}));
  CHECK(identical(x.grad(), ones({2})));
  x.zero_grad();
  pow(x, 0).backward(ones({2}));
  CHECK(largest(x.grad()) == 0);
}

TEST_CASE("elementwise ops: where sends each element's gradient to where it came from") {
  const Mask mask = less_equal(tensor({-1, 1, -1}, {3, 1}), 0);
  Variable a(normal({2, 3, 4}, 1), true), b(normal({4}, 2), true);
  const Tensor dy = normal({2, 3, 4}, 3);
  where(mask, a, b).backward(dy);
  Tensor da = dy, db = zeros({4});
  for (std::size_t i = 0; i < dy.size(); ++i)
    if (i / 4 % 3 == 1) {
      da.data()[i] = 0;
      db.data()[i % 4] += dy.data()[i];
    }
  CHECK(identical(a.grad(), da));
  CHECK(max_error(b.grad(), db) < 1e-6);
}

TEST_CASE("elementwise ops: shapes that do not broadcast are refused by name") {
  const Variable a(ones({2, 3}), true), b(ones({2}));
  CHECK(error_of([&] { a + b; }) == "ShapeError: add: shapes (2, 3) and (2) do not broadcast");
  CHECK(error_of([&] { a - b; }) == "ShapeError: subtract: shapes (2, 3) and (2) do not broadcast");
  CHECK(error_of([&] { a* b; }) == "ShapeError: multiply: shapes (2, 3) and (2) do not broadcast");
  CHECK(error_of([&] { a / b; }) == "ShapeError: divide: shapes (2, 3) and (2) do not broadcast");
  CHECK(error_of([&] { a + Variable(); }) == "ValueError: Variable: value of an undefined Variable");
}

TEST_CASE("elementwise ops: relu passes NaN on, by hand and by its definition, and has gradient 0 at 0") {
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    const Variable x(tensor({std::nan(""), 0, -1, 2}, {4}), true);
    const Variable y = relu(x);
    CHECK(std::isnan(y.value().data()[0]));
    y.backward(tensor({1, 3, 5, 7}, {4}));
    for (const std::size_t i : {1, 2, 3}) CHECK(x.grad().data()[i] == (i == 3 ? 7 : 0));
  }
}
