#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/activation.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr bool kDouble = sizeof(Scalar) == 8;

/// A function of one number, with its derivatives.
struct Unary {
  std::string name;
  Variable (*function)(const Variable&);
  double (*f)(double);
  double (*d1)(double);
  double (*d2)(double);
  double (*d3)(double);
};

double zero(double) { return 0; }
double tanh1(double x) { return 1 - std::tanh(x) * std::tanh(x); }

double erf1(double x) { return 2 / std::sqrt(std::acos(-1.0)) * std::exp(-x * x); }

const std::vector<Unary>& unaries() {
  static const std::vector<Unary> list = {
      {"negative", negative, [](double x) { return -x; }, [](double) { return -1.0; }, zero, zero},
      {"exp", exp, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); },
       [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
      {"expm1", expm1, [](double x) { return std::expm1(x); }, [](double x) { return std::exp(x); },
       [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
      {"log1p", log1p, [](double x) { return std::log1p(x); }, [](double x) { return 1 / (1 + x); },
       [](double x) { return -std::pow(1 + x, -2); }, [](double x) { return 2 * std::pow(1 + x, -3); }},
      {"log", log, [](double x) { return std::log(x); }, [](double x) { return 1 / x; },
       [](double x) { return -1 / (x * x); }, [](double x) { return 2 / (x * x * x); }},
      {"sqrt", sqrt, [](double x) { return std::sqrt(x); }, [](double x) { return 0.5 / std::sqrt(x); },
       [](double x) { return -0.25 * std::pow(x, -1.5); }, [](double x) { return 0.375 * std::pow(x, -2.5); }},
      {"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, [](double x) { return -0.5 * std::pow(x, -1.5); },
       [](double x) { return 0.75 * std::pow(x, -2.5); }, [](double x) { return -1.875 * std::pow(x, -3.5); }},
      {"square", square, [](double x) { return x * x; }, [](double x) { return 2 * x; }, [](double) { return 2.0; },
       zero},
      {"sin", sin, [](double x) { return std::sin(x); }, [](double x) { return std::cos(x); },
       [](double x) { return -std::sin(x); }, [](double x) { return -std::cos(x); }},
      {"cos", cos, [](double x) { return std::cos(x); }, [](double x) { return -std::sin(x); },
       [](double x) { return -std::cos(x); }, [](double x) { return std::sin(x); }},
      {"erf", erf, [](double x) { return std::erf(x); }, erf1, [](double x) { return -2 * x * erf1(x); },
       [](double x) { return (4 * x * x - 2) * erf1(x); }},
      {"erfc", erfc, [](double x) { return std::erfc(x); }, [](double x) { return -erf1(x); },
       [](double x) { return 2 * x * erf1(x); }, [](double x) { return (2 - 4 * x * x) * erf1(x); }},
      {"abs(-x)", [](const Variable& x) { return abs(-x); }, [](double x) { return x; }, [](double) { return 1.0; },
       zero, zero},
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
      {"pow x", [](const Variable& x) { return pow(x, Variable(scalar(Scalar{2.5}))); },
       [](double x) { return std::pow(x, 2.5); }, [](double x) { return 2.5 * std::pow(x, 1.5); },
       [](double x) { return 3.75 * std::sqrt(x); }, [](double x) { return 1.875 / std::sqrt(x); }},
      {"2^x", [](const Variable& x) { return pow(Variable(scalar(2)), x); }, [](double x) { return std::pow(2, x); },
       [](double x) { return std::log(2) * std::pow(2, x); },
       [](double x) { return std::log(2) * std::log(2) * std::pow(2, x); },
       [](double x) { return std::pow(std::log(2), 3) * std::pow(2, x); }},
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
      weight = weight * w.value();
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
    std::string name;
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
      {"minimum", minimum, [](S a, S b) { return a < b ? a : b; }, [](S a, S b) { return S(a < b); },
       [](S a, S b) { return S(b < a); }},
      {"maximum", maximum, [](S a, S b) { return a > b ? a : b; }, [](S a, S b) { return S(a > b); },
       [](S a, S b) { return S(b > a); }},
      {"pow", [](const Variable& a, const Variable& b) { return pow(square(a), b); },
       [](S a, S b) { return std::pow(a * a, b); }, [](S a, S b) { return 2 * b * std::pow(a * a, b) / a; },
       [](S a, S b) { return std::pow(a * a, b) * std::log(a * a); }},
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
      if (count(shape) > 0) CHECK(largest(a.grad()) + largest(b.grad()) > 0.01);  // min and max choose one of them
      CHECK(max_error(a.grad(), expected(op.da, sa)) < tolerance);
      CHECK(max_error(b.grad(), expected(op.db, sb)) < tolerance);
    }
  }
}

TEST_CASE("elementwise ops: rsqrt of the squares of deviations from 1e-18 to 1e18, with gradients of that size") {
  for (const double deviation : {1e-18, 1e-15, 1e-6, 1.0, 1e6, 1e15, 1e18})
    for (const double up : {deviation, deviation * std::sqrt(deviation), -deviation / 64}) {
      CAPTURE(deviation);
      CAPTURE(up);
      Variable x(full({2}, static_cast<Scalar>(3 * deviation * deviation)), true);
      const Variable y = rsqrt(x);
      const long double at = static_cast<long double>(x.value().data()[0]), r = 1 / std::sqrt(at);
      const auto dy = static_cast<Scalar>(up);
      y.backward(full({2}, dy));
      const double tolerance = kDouble ? 1e-15 : 4e-7;
      CHECK(std::abs(y.value().data()[1] / r - 1) < tolerance);
      CHECK(std::abs(x.grad().data()[1] / (dy * r * r * r / -2) - 1) < tolerance);
    }
}

TEST_CASE("elementwise ops: quotients with a number, either way round, and their gradients divide") {
  for (int n = 1; n < 200; n += 3)
    for (int m = 1; m < 60; m += 2) {
      const auto a = static_cast<Scalar>(n), b = static_cast<Scalar>(m);
      Variable x(full({3}, a * b), true), divisor(full({3}, b), true);
      const Variable quotient = x / b, inverse = a / divisor;
      CHECK(identical(quotient.value(), full({3}, a)));
      CHECK(identical(inverse.value(), full({3}, a / b)));
      quotient.backward(full({3}, a * b));
      CHECK(identical(x.grad(), full({3}, a)));
      x.zero_grad();
      mean(x * a).backward(scalar(3 * m));
      CHECK(identical(x.grad(), full({3}, a * b)));
    }
  const Scalar tiny = std::numeric_limits<Scalar>::denorm_min();  // its reciprocal is infinite
  Variable zero(zeros({2}), true);
  const Variable y = zero / tiny;
  CHECK(identical(y.value(), zeros({2})));
  y.backward(zeros({2}));
  CHECK(identical(zero.grad(), zeros({2})));
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
      [](const Variable& a, const Variable& b) { return pow(a, b); },
      [](const Variable& a, const Variable& b) { return pow(a, b - Scalar{1.25}) * b; },  // also negative exponents
      [](const Variable& a, const Variable& b) { return minimum(a * b, square(b)) + maximum(a, b) * b; },
      [](const Variable& a, const Variable& b) { return clamp(a * b, Scalar{0.75}, Scalar{1.5}) * a * b; },
      [](const Variable& a, const Variable& b) { return sin(a) * cos(b) + erf(a - b) * log1p(a) + expm1(a * b); },
      [](const Variable& a, const Variable& b) { return abs(a - b) * a * b + sign(a - b) * square(a * b); },
  };
  for (const auto& f : list)
    for (const auto& [sa, sb] : std::vector<std::pair<Shape, Shape>>{{{2, 3}, {3}}, {{3, 1}, {2, 1, 4}}, {{}, {5}}})
      CHECK(check_two_orders([&](const Variables& v) { return square(f(v[0], v[1])); },
                             {positive(sa, 1), positive(sb, 2)}) == "");
}

TEST_CASE("elementwise ops: one Variable in both places, to second order") {
  struct Repeated {
    std::string name;
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
      {"minimum", [](const Variable& a) { return square(minimum(a, a)); }, [](double a) { return 2 * a; },
       [](double) { return 2.0; }},
      {"maximum", [](const Variable& a) { return square(maximum(a, a)); }, [](double a) { return 2 * a; },
       [](double) { return 2.0; }},
      {"pow", [](const Variable& a) { return pow(a, a); }, [](double a) { return std::pow(a, a) * (1 + std::log(a)); },
       [](double a) { return std::pow(a, a) * (std::pow(1 + std::log(a), 2) + 1 / a); }},
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
    CHECK(max_error(second.value(), times(w1.value() * w2.value(), at, op.d2)) < 1e-12);
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

TEST_CASE("elementwise ops: pow of two arrays where its formulas meet 0 times infinity") {
  const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN(), inf = std::numeric_limits<Scalar>::infinity();
  const Scalar tiny = std::numeric_limits<Scalar>::denorm_min(), ln2 = std::log(Scalar{2});
  struct Point {
    Scalar a, b, y, da, db;
  };
  const std::vector<Point> points = {
      {0, 0, 1, 0, 0},
      {0, 1, 0, 1, 0},
      {0, 2, 0, 0, 0},
      {0, Scalar{0.5}, 0, inf, 0},
      {0, -1, inf, -inf, -inf},
      {2, 0, 1, 0, ln2},
      {nan, 0, 1, 0, nan},
      {inf, 0, 1, 0, inf},
      {tiny, 0, 1, 0, std::log(tiny)},
      {-2, 0, 1, 0, nan},
      {-2, 2, 4, -4, nan},
      {-2, Scalar{0.5}, nan, nan, nan},
  };
  const auto same = [](Scalar u, Scalar v) {
    return u == v || (std::isnan(u) && std::isnan(v)) || std::abs(u - v) < Scalar{1e-5} * std::abs(v);
  };
  for (const Point& point : points) {
    CAPTURE(point.a);
    CAPTURE(point.b);
    Variable a(scalar(point.a), true), b(scalar(point.b), true);
    const Variable y = pow(a, b);
    y.backward();
    CHECK(same(y.item(), point.y));
    CHECK(same(a.grad().item(), point.da));
    CHECK(same(b.grad().item(), point.db));
  }

  struct Second {
    Scalar a, b, aa, ab, bb;
  };
  const std::vector<Second> seconds = {{0, 0, 0, 0, 0},
                                       {0, 2, 2, 0, 0},
                                       {0, 3, 0, 0, 0},
                                       {2, 0, 0, Scalar{0.5}, ln2 * ln2},
                                       {2, 1, 0, 1 + ln2, 2 * ln2 * ln2}};
  GradOptions options;
  options.create_graph = true;
  for (const Second& point : seconds) {
    CAPTURE(point.a);
    CAPTURE(point.b);
    const Variable a(scalar(point.a), true), b(scalar(point.b), true);
    const Variables first = grad({pow(a, b)}, {a, b}, {}, options);
    const Variables of_a = grad({first[0]}, {a, b}, {}, options), of_b = grad({first[1]}, {a, b}, {}, options);
    CHECK(same(of_a[0].item(), point.aa));
    CHECK(same(of_a[1].item(), point.ab));
    CHECK(same(of_b[0].item(), point.ab));
    CHECK(same(of_b[1].item(), point.bb));
  }
  // Negative bases with a constant exponent, to third order: no logarithm is taken.
  const Variable a(tensor({-2, 0, 3}, {3}), true), b(tensor({3, 3, 3}, {3})), one(ones({3}));
  Variable d = pow(a, b);
  for (const Tensor& expected : {tensor({12, 0, 27}, {3}), tensor({-12, 0, 18}, {3}), tensor({6, 6, 6}, {3})}) {
    d = grad({d}, {a}, {one}, options)[0];
    CHECK(max_error(d.value(), expected) < 1e-5);
  }
}

TEST_CASE("elementwise ops: minimum and maximum share dy where they tie, and give it to both where one is NaN") {
  const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN();
  const Tensor at = tensor({1, 2, 2, nan, 1}, {5}), bt = tensor({2, 1, 2, 1, nan}, {5}),
               dy = tensor({1, 3, 5, 7, 9}, {5});
  const Tensor winner = tensor({1, 0, 2.5, 7, 9}, {5}), other = tensor({0, 3, 2.5, 7, 9}, {5});
  Variable a(at, true), b(bt, true);
  minimum(a, b).backward(dy);
  CHECK(identical(a.grad(), winner));
  CHECK(identical(b.grad(), other));
  a.zero_grad();
  b.zero_grad();
  maximum(a, b).backward(dy);
  CHECK(identical(a.grad(), other));
  CHECK(identical(b.grad(), winner));

  Variable row(tensor({1, 3}, {2}), true), table(tensor({1, 2, 4, 3}, {2, 2}), true);  // ties with a repeated array
  maximum(row, table).backward(tensor({2, 4, 6, 8}, {2, 2}));
  CHECK(identical(row.grad(), tensor({1, 8}, {2})));
  CHECK(identical(table.grad(), tensor({1, 0, 6, 4}, {2, 2})));
}

TEST_CASE("elementwise ops: clamp passes dy on from bound to bound, bounds included") {
  const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN(), inf = std::numeric_limits<Scalar>::infinity();
  const Tensor at = tensor({-2, -1, 0, 2, 3, inf, nan}, {7}), dy = tensor({1, 2, 3, 4, 5, 6, 7}, {7});
  Variable x(at, true);
  const Variable y = clamp(x, -1, 2);
  CHECK(std::isnan(y.value().data()[6]));
  y.backward(dy);
  CHECK(identical(x.grad(), tensor({0, 2, 3, 4, 0, 0, 0}, {7})));
  x.zero_grad();
  clamp(x, 0, inf).backward(dy);  // an open end
  CHECK(identical(x.grad(), tensor({0, 0, 3, 4, 5, 6, 0}, {7})));
  x.zero_grad();
  clamp(x, 2, 2).backward(dy);
  CHECK(identical(x.grad(), tensor({0, 0, 0, 4, 0, 0, 0}, {7})));
  CHECK(clamp(Variable(zeros({0, 3})), 0, 1).shape() == Shape{0, 3});
  CHECK(error_of([&] { clamp(x, 2, 1); }) == "ValueError: clamp: expected low ≤ high, got 2 and 1");
  CHECK(error_of([&] { clamp(x, nan, 1); }) == "ValueError: clamp: expected low ≤ high, got nan and 1");
  CHECK(error_of([&] { clamp(x, 0, nan); }) == "ValueError: clamp: expected low ≤ high, got 0 and nan");
}

TEST_CASE("elementwise ops: abs has gradient 0 at 0, and sign a gradient, which is 0") {
  const Tensor at = tensor({-2, 0, 3}, {3}), dy = tensor({5, 6, 7}, {3});
  GradOptions options;
  options.create_graph = true;
  const Variable x(at, true);
  const Variable d = grad({abs(x)}, {x}, {Variable(dy)}, options)[0];
  CHECK(max_error(d.value(), tensor({-5, 0, 7}, {3})) == 0);
  CHECK(largest(grad({d}, {x}, {Variable(dy)})[0].value()) == 0);
  const Variable s = sign(x);
  CHECK(identical(s.value(), tensor({-1, 0, 1}, {3})));
  CHECK(identical(grad({s}, {x}, {Variable(dy)})[0].value(), zeros({3})));  // without allow_unused
}

TEST_CASE("elementwise ops: the gradients of erf and tanh at large arguments are 0, to second order") {
  GradOptions options;
  options.create_graph = true;
  const Tensor at = tensor({-1000, 1000}, {2}), dy = tensor({2, 3}, {2});
  for (Variable (*f)(const Variable&) : {static_cast<Variable (*)(const Variable&)>(erf), tanh}) {
    const Variable x(at, true);
    const Variable y = f(x), d = grad({y}, {x}, {Variable(dy)}, options)[0];
    CHECK(identical(y.value(), tensor({-1, 1}, {2})));
    CHECK(max_error(d.value(), zeros({2})) == 0);
    CHECK(max_error(grad({d}, {x}, {Variable(dy)})[0].value(), zeros({2})) == 0);
  }
}

TEST_CASE("elementwise ops: comparisons of Variables compare their numbers") {
  const Variable a(tensor({1, 2, 3}, {3}), true), b(tensor({2}, {1}), true);
  const auto values = [](const Mask& mask) { return std::vector<int>(mask.values.begin(), mask.values.end()); };
  CHECK(values(less(a, b)) == std::vector<int>{1, 0, 0});
  CHECK(values(less_equal(a, b)) == std::vector<int>{1, 1, 0});
  CHECK(values(greater(a, b)) == std::vector<int>{0, 0, 1});
  CHECK(values(greater_equal(a, b)) == std::vector<int>{0, 1, 1});
  CHECK(values(equal(a, b)) == std::vector<int>{0, 1, 0});
  CHECK(values(not_equal(a, b)) == std::vector<int>{1, 0, 1});
  CHECK(less(a, b).shape == Shape{3});
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
  CHECK(error_of([&] { pow(a, b); }) == "ShapeError: pow: shapes (2, 3) and (2) do not broadcast");
  CHECK(error_of([&] { minimum(a, b); }) == "ShapeError: minimum: shapes (2, 3) and (2) do not broadcast");
  CHECK(error_of([&] { maximum(a, b); }) == "ShapeError: maximum: shapes (2, 3) and (2) do not broadcast");
  CHECK(error_of([&] { less(a, b); }) == "ShapeError: less: shapes (2, 3) and (2) do not broadcast");
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
