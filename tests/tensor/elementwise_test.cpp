#include "tensor/elementwise.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "tensor/parallel.hpp"
#include "tensor/shaping.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

struct Binary {
  std::string name;
  Tensor (*function)(const Tensor&, const Tensor&);
  std::function<Scalar(Scalar, Scalar)> naive;
  bool takes_negative = true;
};

const std::vector<Binary>& binaries() {
  static const std::vector<Binary> list = {
      {"add", add, [](Scalar a, Scalar b) { return a + b; }},
      {"subtract", subtract, [](Scalar a, Scalar b) { return a - b; }},
      {"multiply", multiply, [](Scalar a, Scalar b) { return a * b; }},
      {"divide", divide, [](Scalar a, Scalar b) { return a / b; }},
      {"minimum", minimum, [](Scalar a, Scalar b) { return std::min(a, b); }},
      {"maximum", maximum, [](Scalar a, Scalar b) { return std::max(a, b); }},
      {"pow", [](const Tensor& a, const Tensor& b) { return xtg::pow(a, b); },
       [](Scalar a, Scalar b) { return std::pow(a, b); }, false},
  };
  return list;
}

struct Comparison {
  std::string name;
  Mask (*function)(const Tensor&, const Tensor&);
  bool (*naive)(Scalar, Scalar);
};

const std::vector<Comparison>& comparisons() {
  static const std::vector<Comparison> list = {
      {"less", less, [](Scalar a, Scalar b) { return a < b; }},
      {"less_equal", less_equal, [](Scalar a, Scalar b) { return a <= b; }},
      {"greater", greater, [](Scalar a, Scalar b) { return a > b; }},
      {"greater_equal", greater_equal, [](Scalar a, Scalar b) { return a >= b; }},
      {"equal", equal, [](Scalar a, Scalar b) { return a == b; }},
      {"not_equal", not_equal, [](Scalar a, Scalar b) { return a != b; }},
  };
  return list;
}

const Scalar kNan = std::numeric_limits<Scalar>::quiet_NaN();
const Scalar kInfinity = std::numeric_limits<Scalar>::infinity();

}  // namespace

TEST_CASE("elementwise: two arrays broadcast as a loop over indices says") {
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{2, 3}, {2, 3}},
      {{2, 3}, {3}},
      {{3}, {2, 3}},
      {{2, 3, 4}, {3, 1}},
      {{2, 1, 4}, {1, 3, 1}},
      {{}, {2, 3}},
      {{2, 3}, {}},
      {{}, {}},
      {{1}, {}},
      {{5}, {1}},
      {{2, 3, 4, 5}, {5}},
      {{4, 1}, {1, 5}},
      {{2, 3, 4, 5}, {4, 5}},
      {{2, 3, 4, 5}, {3, 4, 1}},
      {{2, 3, 4, 5}, {2, 1, 1, 5}},
      {{2, 1, 4, 1}, {3, 1, 5}},
      {{0, 3}, {3}},
      {{0, 3}, {1, 1}},
      {{1, 3}, {0, 1}},
      {{2, 0, 4}, {4}},
      {{0}, {}},
      {{1, 1, 1}, {1}},
      {{3, 1, 1, 2}, {3, 4, 1, 2}},
      {{1, 3, 1, 5}, {2, 3, 4, 5}},
  };
  for (const auto& shapes : pairs) {
    const Shape &sa = shapes.first, &sb = shapes.second;  // clang 14 captures no structured bindings
    for (const Binary& op : binaries()) {
      CAPTURE(op.name);
      CAPTURE(to_string(sa));
      CAPTURE(to_string(sb));
      const Tensor a = op.takes_negative ? normal(sa, 1) : positive(sa, 1), b = positive(sb, 2);
      const Shape shape = broadcast_shapes("test", sa, sb);
      CHECK(identical(op.function(a, b), naive_zip(shape, a, b, op.naive)));
    }
  }
}

TEST_CASE("elementwise: every way to repeat one or both of two arrays along five axes") {
  const std::vector<Shape> shapes = {
      {2, 3, 8, 17, 1}, {17, 8, 3, 2, 2}, {3, 17, 2, 8, 3}, {8, 2, 17, 3, 2}, {2, 2, 2, 2, 2}};
  for (const Shape& shape : shapes) {
    const auto repeated = [&](unsigned axes) {  // of size 1 along them
      Shape result = shape;
      for (std::size_t k = 0; k < 5; ++k)
        if ((axes >> k & 1) != 0) result[k] = 1;
      return result;
    };
    for (unsigned axes = 0; axes < 32; ++axes)
      for (const unsigned others : {0u, ~axes, axes >> 1, axes << 1 | 1}) {
        const Tensor a = normal(repeated(axes), 1), b = normal(repeated(others), 2);
        const Shape both = repeated(axes & others);
        CAPTURE(to_string(a.shape()));
        CAPTURE(to_string(b.shape()));
        const auto naive = [](Scalar u, Scalar v) { return u - v; };
        CHECK(identical(subtract(a, b), naive_zip(both, a, b, naive)));
        CHECK(identical(subtract(b, a), naive_zip(both, b, a, naive)));
        CHECK(identical(broadcast_to(a, shape), naive_zip(shape, a, a, [](Scalar u, Scalar) { return u; })));
      }
  }
}

TEST_CASE("elementwise: broadcast results have the same bits for every number of threads") {
  const int before = num_threads();
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{60, 1027, 8, 2}, {60, 1, 8, 1}}, {{100003, 3}, {100003, 1}}, {{100003, 3}, {3}}, {{3, 100003}, {3, 1}},
      {{701, 1, 13}, {37, 1}},           {{1, 1000}, {513, 1}}};
  for (const auto& shapes : pairs) {
    const Tensor a = normal(shapes.first, 1), b = normal(shapes.second, 2);
    set_num_threads(1);
    const Tensor one = subtract(a, b), back = subtract(b, a);
    for (const int threads : {2, 3, 7}) {
      set_num_threads(threads);
      CHECK(identical(subtract(a, b), one));
      CHECK(identical(subtract(b, a), back));
    }
  }
  set_num_threads(before);
}

TEST_CASE("elementwise: large arrays, above the size at which threads share the work") {
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{100003}, {100003}}, {{7001, 17}, {17}},     {{7001, 17}, {7001, 1}},
      {{3, 40009}, {3, 1}}, {{41, 1, 53}, {67, 1}}, {{}, {100003}},
  };
  for (const auto& shapes : pairs) {
    const Shape &sa = shapes.first, &sb = shapes.second;  // clang 14 captures no structured bindings
    CAPTURE(to_string(sa));
    CAPTURE(to_string(sb));
    const Tensor b = positive(sb, 4);
    const Shape shape = broadcast_shapes("test", sa, sb);
    for (const Binary& op : binaries()) {
      const Tensor a = op.takes_negative ? normal(sa, 3) : positive(sa, 3);
      CHECK(identical(op.function(a, b), naive_zip(shape, a, b, op.naive)));
    }
  }
}

TEST_CASE("elementwise: functions of one array") {
  struct Unary {
    std::string name;
    Tensor (*function)(const Tensor&);
    double (*naive)(double);
  };
  const std::vector<Unary> list = {
      {"negative", negative, [](double v) { return -v; }},
      {"exp", exp, [](double v) { return std::exp(v); }},
      {"expm1", expm1, [](double v) { return std::expm1(v); }},
      {"log", log, [](double v) { return std::log(v); }},
      {"log1p", log1p, [](double v) { return std::log1p(v); }},
      {"sqrt", sqrt, [](double v) { return std::sqrt(v); }},
      {"rsqrt", rsqrt, [](double v) { return 1 / std::sqrt(v); }},
      {"square", square, [](double v) { return v * v; }},
      {"sin", sin, [](double v) { return std::sin(v); }},
      {"cos", cos, [](double v) { return std::cos(v); }},
      {"tanh", tanh, [](double v) { return std::tanh(v); }},
      {"erf", erf, [](double v) { return std::erf(v); }},
      {"erfc", erfc, [](double v) { return std::erfc(v); }},
      {"sign", sign, [](double) { return 1.0; }},
      {"clamp", [](const Tensor& x) { return clamp(x, Scalar{0.75}, Scalar{1.5}); },
       [](double v) { return std::min(std::max(v, 0.75), 1.5); }},
      {"relu", relu, [](double v) { return v > 0 ? v : 0; }},
      {"plus 3", [](const Tensor& x) { return xtg::add(x, Scalar{3}); }, [](double v) { return v + 3; }},
      {"times -2", [](const Tensor& x) { return xtg::multiply(x, Scalar{-2}); }, [](double v) { return v * -2; }},
      {"pow 2.5", [](const Tensor& x) { return xtg::pow(x, Scalar{2.5}); }, [](double v) { return std::pow(v, 2.5); }},
      {"pow -1", [](const Tensor& x) { return xtg::pow(x, Scalar{-1}); }, [](double v) { return 1 / v; }},
  };
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{2, 3, 4}, Shape{70001}})
    for (const Unary& op : list) {
      CAPTURE(op.name);
      const Tensor x = positive(shape, 5);
      Tensor expected(shape);
      for (std::size_t i = 0; i < x.size(); ++i)
        expected.data()[i] = static_cast<Scalar>(op.naive(static_cast<double>(x.data()[i])));
      CHECK(max_error(op.function(x), expected) < 4 * std::numeric_limits<Scalar>::epsilon());
    }
  const Tensor x = tensor({-2, -0.5, 0, 0.5, 2}, {5});
  CHECK(identical(xtg::relu(x), tensor({0, 0, 0, 0.5, 2}, {5})));
  CHECK(max_error(xtg::tanh(x),
                  tensor({-0.9640275800758169, -0.46211715726000976, 0, 0.46211715726000976, 0.9640275800758169},
                         {5})) < 1e-6);
  CHECK(identical(xtg::abs(x), tensor({2, 0.5, 0, 0.5, 2}, {5})));
  CHECK(identical(xtg::sign(x), tensor({-1, -1, 0, 1, 1}, {5})));
  CHECK(max_error(xtg::erf(x),
                  tensor({-0.9953222650189527, -0.5204998778130465, 0, 0.5204998778130465, 0.9953222650189527}, {5})) <
        1e-6);
  CHECK(max_error(xtg::sin(x),
                  tensor({-0.9092974268256817, -0.479425538604203, 0, 0.479425538604203, 0.9092974268256817}, {5})) <
        1e-6);
  CHECK(max_error(xtg::cos(x),
                  tensor({-0.4161468365471424, 0.8775825618903728, 1, 0.8775825618903728, -0.4161468365471424}, {5})) <
        1e-6);
  CHECK(std::isnan(xtg::relu(full({2}, kNan)).data()[1]));
  CHECK(std::isnan(xtg::sign(full({2}, kNan)).data()[1]));
  CHECK(xtg::relu(full({2}, -kInfinity)).data()[1] == 0);
  CHECK(xtg::pow(zeros({1}), 0).item() == 1);
}

TEST_CASE("elementwise: erfc keeps its digits where erf is 1") {
  CHECK(max_error(xtg::erfc(tensor({9}, {1})), tensor({4.1370317465138102e-37}, {1})) < 1e-6);
}

TEST_CASE("elementwise: expm1 and log1p keep their digits near 0") {
  const double t = 1e-10;  // the next term of either series, t²/2, is beyond a float's digits and within a double's
  const double tolerance = 4 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  for (const double x : {t, -t}) {
    CHECK(max_error(xtg::expm1(tensor({x}, {1})), tensor({x + x * x / 2}, {1})) < tolerance);
    CHECK(max_error(xtg::log1p(tensor({x}, {1})), tensor({x - x * x / 2}, {1})) < tolerance);
  }
}

TEST_CASE("elementwise: minimum and maximum give NaN where either is NaN, clamp where x is") {
  const Tensor a = tensor({kNan, 1, kNan, kInfinity, -kInfinity, 2}, {6});
  const Tensor b = tensor({1, kNan, kNan, 1, 1, 2}, {6});
  for (const auto& [low, high] :
       {std::make_pair(minimum(a, b), maximum(a, b)), std::make_pair(minimum(b, a), maximum(b, a))}) {
    for (const std::size_t i : {0, 1, 2}) {
      CHECK(std::isnan(low.data()[i]));
      CHECK(std::isnan(high.data()[i]));
    }
    CHECK((low.data()[3] == 1 && high.data()[3] == kInfinity));
    CHECK((low.data()[4] == -kInfinity && high.data()[4] == 1));
    CHECK((low.data()[5] == 2 && high.data()[5] == 2));
  }
  for (const Tensor& y : {minimum(scalar(kNan), ones({2, 3})), maximum(ones({2, 3}), scalar(kNan))})
    for (const Scalar v : y) CHECK(std::isnan(v));  // a repeated NaN
  const Tensor y = clamp(tensor({kNan, -kInfinity, -1, 0, 2, 3, kInfinity}, {7}), -1, 2);
  CHECK(std::isnan(y.data()[0]));
  const std::vector<Scalar> expected = {-1, -1, 0, 2, 2, 2};
  CHECK(std::equal(expected.begin(), expected.end(), y.data() + 1));
  CHECK(error_of([&] { clamp(a, 2, 1); }) == "ValueError: clamp: expected low ≤ high, got 2 and 1");
}

TEST_CASE("elementwise: comparisons broadcast, tell equal numbers apart from near ones, and are false for NaN") {
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{2, 3}, {2, 3}}, {{2, 1, 4}, {3, 1}}, {{}, {5}},        {{5}, {}},
      {{}, {}},         {{0, 3}, {3}},       {{3, 1}, {1, 0}}, {{7001, 17}, {17}}};
  for (const auto& shapes : pairs) {
    const Shape &sa = shapes.first, &sb = shapes.second;  // clang 14 captures no structured bindings
    CAPTURE(to_string(sa));
    CAPTURE(to_string(sb));
    const auto coarse = [](Tensor x) {  // −1, 0 and 1: many are equal
      for (Scalar& v : x) v = std::round(std::min(std::max(v, Scalar{-1}), Scalar{1}));
      return x;
    };
    const Tensor a = coarse(normal(sa, 11)), b = coarse(normal(sb, 12));
    const Shape shape = broadcast_shapes("test", sa, sb);
    for (const Comparison& op : comparisons()) {
      CAPTURE(op.name);
      const Mask mask = op.function(a, b);
      REQUIRE(mask.shape == shape);
      REQUIRE(mask.values.size() == count(shape));
      const Tensor expected = naive_zip(shape, a, b, [&](Scalar u, Scalar v) { return Scalar(op.naive(u, v)); });
      CHECK(std::equal(mask.values.begin(), mask.values.end(), expected.begin()));
    }
  }
  for (const Comparison& op : comparisons()) {
    CAPTURE(op.name);
    const bool unequal = op.name == "not_equal";
    for (const Mask& mask : {op.function(scalar(kNan), scalar(0)), op.function(scalar(0), scalar(kNan)),
                             op.function(scalar(kNan), scalar(kNan))})
      CHECK(mask.values[0] == unequal);
    CHECK(error_of([&] {
            op.function(ones({2, 3}), ones({2}));
          }) == "ShapeError: " + op.name + ": shapes (2, 3) and (2) do not broadcast");
  }
}

TEST_CASE("elementwise: less_equal and where, all three arguments broadcast") {
  const Tensor m = normal({3, 1}, 6), a = normal({2, 3, 4}, 7), b = normal({4}, 8);
  const Mask mask = xtg::less_equal(m, Scalar{0.1});
  CHECK(mask.shape == Shape{3, 1});
  const Shape shape = {2, 3, 4};
  Tensor expected(shape);
  std::size_t held = 0;
  for (std::size_t i = 0; i < 24; ++i) {
    const bool holds = m.data()[i / 4 % 3] <= Scalar{0.1};
    held += holds;
    expected.data()[i] = holds ? a.data()[i] : b.data()[i % 4];
  }
  REQUIRE(held > 0);
  REQUIRE(held < 24);
  CHECK(identical(xtg::where(mask, a, b), expected));
  CHECK(xtg::where(less_equal(zeros({2, 3}), 0), scalar(1), scalar(2)).shape() ==
        Shape{2, 3});  // the mask is the largest
  CHECK(xtg::where(less_equal(zeros({0, 3}), 0), ones({3}), zeros({})).shape() == Shape{0, 3});
  CHECK(xtg::less_equal(tensor({0, 1, kNan}, {3}), 0).values[0] == 1);  // or equal
  CHECK(xtg::less_equal(tensor({0, 1, kNan}, {3}), 0).values[1] == 0);
  CHECK(xtg::less_equal(tensor({0, 1, kNan}, {3}), 0).values[2] == 0);
  CHECK(error_of([&] { xtg::where(mask, ones({2}), ones({3})); }) ==
        "ShapeError: where: shapes (2) and (3) do not broadcast");
  CHECK(error_of([&] {
          xtg::where(mask, ones({2, 1}), ones({2, 4}));
        }) == "ShapeError: where: shapes (2, 4) and (3, 1) do not broadcast");
}

TEST_CASE("elementwise: relu_backward passes dy where y is positive") {
  const Tensor y = tensor({0, 1, 0, 2}, {4}), dy = tensor({5, 6, 7, 8}, {4});
  CHECK(identical(relu_backward(dy, y), tensor({0, 6, 0, 8}, {4})));
  CHECK(error_of([&] {
          relu_backward(ones({2, 2}), y);
        }) == "ShapeError: relu_backward: expected equal shapes, got (2, 2) and (4)");
}

TEST_CASE("elementwise: in place") {
  for (const Shape& shape : {Shape{}, Shape{0, 2}, Shape{3, 5}, Shape{50021}}) {
    Tensor a = normal(shape, 9);
    const Tensor before = a, b = normal(shape, 10);
    add_in_place(a, b);
    CHECK(identical(a, before + b));
    a = before;
    add_in_place(a, Scalar{-0.5}, b);
    CHECK(max_error(a, before - Scalar{0.5} * b) < 4 * std::numeric_limits<Scalar>::epsilon());
    a = before;
    add_in_place(a, a);  // both arguments the same array
    CHECK(identical(a, 2 * before));
    a = before;
    multiply_in_place(a, Scalar{3});
    CHECK(identical(a, 3 * before));
  }
  Tensor a = ones({2, 3});
  CHECK(error_of([&] { add_in_place(a, ones({3})); }) ==
        "ShapeError: add_in_place: expected equal shapes, got (2, 3) and (3)");
  CHECK(error_of([&] { add_in_place(a, 2, ones({3})); }) ==
        "ShapeError: add_in_place: expected equal shapes, got (2, 3) and (3)");
}

TEST_CASE("elementwise: shapes that do not broadcast are refused by name") {
  for (const Binary& op : binaries())
    CHECK(error_of([&] {
            op.function(ones({2, 3}), ones({2}));
          }) == "ShapeError: " + op.name + ": shapes (2, 3) and (2) do not broadcast");
}

TEST_CASE("elementwise: all_finite") {
  CHECK(all_finite(ones({3, 4})));
  CHECK(all_finite(ones({0})));
  for (const Scalar bad : {kNan, kInfinity, -kInfinity}) {
    Tensor x = ones({3, 4});
    x.data()[11] = bad;
    CHECK_FALSE(all_finite(x));
  }
}

TEST_CASE("elementwise: operators compute in the memory of a temporary that has the result's shape, and in no other") {
  const Tensor a = normal({3, 1, 5}, 1), b = normal({2, 3, 4, 5}, 2), c = normal({2, 3, 4, 5}, 3);
  const Tensor product = multiply(a, b), difference = subtract(b, a), sum = add(b, c), quotient = divide(b, c);
  Tensor large = b;
  const Scalar* const memory = large.data();
  large = std::move(large) - a;
  CHECK(large.data() == memory);
  CHECK(identical(large, difference));
  large = b;
  large = a * std::move(large);
  CHECK(large.data() == memory);
  CHECK(identical(large, product));
  large = b;
  Tensor other = c;
  large = std::move(large) / std::move(other);
  CHECK(large.data() == memory);
  CHECK(identical(large, quotient));
  large = b;
  large = std::move(large) + std::move(large);  // both at once
  CHECK(identical(large, add(b, b)));
  CHECK(identical(Tensor(a) * Tensor(b), product));
  CHECK(identical(Tensor(a) * b, product));  // a is too small
  CHECK(identical(b - Tensor(a), difference));
  CHECK(identical(Tensor(b) + Tensor(c), sum));
  const auto row = [] { return normal({1, 4}, 5); };
  const auto column = [] { return normal({3, 1}, 6); };
  CHECK(identical(row() + column(), add(row(), column())));  // neither has the result's shape
  CHECK(error_of([&] { normal({3}, 1) - normal({2}, 1); }) ==
        error_of([&] { subtract(normal({3}, 1), normal({2}, 1)); }));
}

TEST_CASE("elementwise: operators on arrays and numbers are the functions of these names, broadcasting included") {
  const Tensor a = normal({2, 3}, 1), b = normal({3}, 2);
  CHECK(identical(a + b, add(a, b)));
  CHECK(identical(a - b, subtract(a, b)));
  CHECK(identical(a * b, multiply(a, b)));
  CHECK(identical(a / b, divide(a, b)));
  CHECK(identical(-a, negative(a)));
  const Scalar k = Scalar(0.3);
  const auto each = [&](const Tensor& found, auto f) {
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(found.data()[i] == f(a.data()[i]));
  };
  each(a + k, [=](Scalar v) { return v + k; });
  each(k + a, [=](Scalar v) { return k + v; });
  each(a - k, [=](Scalar v) { return v - k; });
  each(k - a, [=](Scalar v) { return k - v; });
  each(a * k, [=](Scalar v) { return v * k; });
  each(k * a, [=](Scalar v) { return k * v; });
  each(a / k, [=](Scalar v) { return v / k; });
  each(k / a, [=](Scalar v) { return k / v; });
  each(a * 2 - 1, [](Scalar v) { return v * 2 - 1; });  // whole numbers need no cast
  CHECK(error_of([&] { a + ones({2}); }) == "ShapeError: add: shapes (2, 3) and (2) do not broadcast");
}

TEST_CASE("elementwise: dividing by a number divides, and is rounded once") {
  for (int n = 1; n < 200; ++n)
    for (int m = 1; m < 60; ++m) {
      const Tensor product(Shape{1}, static_cast<Scalar>(n * m));
      CHECK((product / static_cast<Scalar>(m)).item() == n);  // 169/13 is 13, and 169·(1/13) is not in float
      CHECK((static_cast<Scalar>(n) / Tensor(Shape{1}, static_cast<Scalar>(m))).item() ==
            static_cast<Scalar>(n) / static_cast<Scalar>(m));
    }
  const Scalar tiny = std::numeric_limits<Scalar>::denorm_min();  // its reciprocal is infinite
  CHECK((zeros({1}) / tiny).item() == 0);
}

TEST_CASE("tensor: item is the number of a one-element array") {
  CHECK(Tensor(Shape{}, Scalar(2.5)).item() == Scalar(2.5));
  CHECK(Tensor(Shape{1, 1}, Scalar(2.5)).item() == Scalar(2.5));
  CHECK(Indices(Shape{1}, 7).item() == 7);
  CHECK(error_of([] { ones({1, 2}).item(); }) == "ShapeError: item: expected one element, shape is (1, 2)");
  CHECK(error_of([] { ones({0}).item(); }) == "ShapeError: item: expected one element, shape is (0)");
}
