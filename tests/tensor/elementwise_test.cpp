#include "tensor/elementwise.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

struct Binary {
  const char* name;
  Tensor (*function)(const Tensor&, const Tensor&);
  std::function<Scalar(Scalar, Scalar)> naive;
};

const std::vector<Binary>& binaries() {
  static const std::vector<Binary> list = {
      {"add", add, [](Scalar a, Scalar b) { return a + b; }},
      {"subtract", subtract, [](Scalar a, Scalar b) { return a - b; }},
      {"multiply", multiply, [](Scalar a, Scalar b) { return a * b; }},
      {"divide", divide, [](Scalar a, Scalar b) { return a / b; }},
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
      const Tensor a = normal(sa, 1), b = positive(sb, 2);
      const Shape shape = broadcast_shapes("test", sa, sb);
      CHECK(identical(op.function(a, b), naive_zip(shape, a, b, op.naive)));
    }
  }
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
    const Tensor a = normal(sa, 3), b = positive(sb, 4);
    const Shape shape = broadcast_shapes("test", sa, sb);
    for (const Binary& op : binaries()) CHECK(identical(op.function(a, b), naive_zip(shape, a, b, op.naive)));
  }
}

TEST_CASE("elementwise: functions of one array") {
  struct Unary {
    const char* name;
    Tensor (*function)(const Tensor&);
    double (*naive)(double);
  };
  const std::vector<Unary> list = {
      {"negative", negative, [](double v) { return -v; }},
      {"exp", exp, [](double v) { return std::exp(v); }},
      {"log", log, [](double v) { return std::log(v); }},
      {"sqrt", sqrt, [](double v) { return std::sqrt(v); }},
      {"rsqrt", rsqrt, [](double v) { return 1 / std::sqrt(v); }},
      {"square", square, [](double v) { return v * v; }},
      {"tanh", tanh, [](double v) { return std::tanh(v); }},
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
  CHECK(std::isnan(xtg::relu(full({2}, kNan)).data()[1]));
  CHECK(xtg::relu(full({2}, -kInfinity)).data()[1] == 0);
  CHECK(xtg::pow(zeros({1}), 0).data()[0] == 1);
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
    CHECK(identical(a, xtg::add(before, b)));
    a = before;
    add_in_place(a, Scalar{-0.5}, b);
    CHECK(max_error(a, xtg::add(before, xtg::multiply(b, Scalar{-0.5}))) < 4 * std::numeric_limits<Scalar>::epsilon());
    a = before;
    add_in_place(a, a);  // both arguments the same array
    CHECK(identical(a, xtg::multiply(before, Scalar{2})));
    a = before;
    multiply_in_place(a, Scalar{3});
    CHECK(identical(a, xtg::multiply(before, Scalar{3})));
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
          }) == std::string("ShapeError: ") + op.name + ": shapes (2, 3) and (2) do not broadcast");
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
