#include "autograd/ops/reduce.hpp"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("reduce ops: sum and mean over every subset of axes send dy back to every element") {
  const Shape shape = {2, 3, 4, 5};
  for (unsigned subset = 0; subset < 16; ++subset)
    for (const bool keepdims : {false, true}) {
      Axes axes;
      Shape kept;
      for (int k = 0; k < 4; ++k) {
        const bool reduced = subset == 0 || (subset >> k & 1) != 0;  // none means all
        if (subset != 0 && reduced) axes.push_back(k % 2 == 0 ? k - 4 : k);
        kept.push_back(reduced ? 1 : shape[static_cast<std::size_t>(k)]);
      }
      CAPTURE(subset);
      CAPTURE(keepdims);
      Variable x(normal(shape, 1), true);
      const Variable y = sum(x, axes, keepdims), m = mean(x, axes, keepdims);
      CHECK(identical(y.value(), xtg::sum(x.value(), axes, keepdims)));
      CHECK(identical(m.value(), xtg::mean(x.value(), axes, keepdims)));
      const Tensor dy = normal(y.shape(), 2);
      Tensor expected = zeros(shape);
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected.data()[i] = dy.data()[broadcast_offset(i, shape, kept)];
      y.backward(dy);
      CHECK(largest(x.grad()) > 0.01);
      CHECK(identical(x.grad(), expected));
      x.zero_grad();
      m.backward(dy);
      const Scalar n = static_cast<Scalar>(count(shape) / count(kept));
      for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] /= n;
      CHECK(max_error(x.grad(), expected) < 1e-6);
    }
}

TEST_CASE("reduce ops: a scalar, and zero elements") {
  Variable s(scalar(3), true);
  mean(s).backward();
  CHECK(identical(s.grad(), scalar(1)));
  for (const Axes& axes : {Axes{0}, Axes{1}, Axes{}}) {
    Variable x(zeros({0, 3}), true);
    const Variable y = sum(x, axes);
    y.backward(ones(y.shape()));
    CHECK(x.grad().shape() == Shape{0, 3});
  }
  Variable x(zeros({0, 3}), true);  // rows of three, but no rows
  const Variable m = mean(x, {1});
  CHECK(m.shape() == Shape{0});
  m.backward(zeros({0}));
  CHECK(x.grad().shape() == Shape{0, 3});
}

TEST_CASE("reduce ops: broadcast_to and sum_to are each other's gradient") {
  const std::vector<std::pair<Shape, Shape>> cases = {
      {{4}, {2, 3, 4}}, {{3, 1}, {2, 3, 4}}, {{2, 1, 4}, {2, 3, 4}}, {{}, {2, 3}},
      {{1, 1}, {0, 3}}, {{2, 3}, {2, 3}},    {{1, 3, 1}, {4, 3, 2}}};
  for (const auto& shapes : cases) {
    const Shape &small = shapes.first, &large = shapes.second;  // clang 14 captures no structured bindings
    CAPTURE(to_string(small));
    CAPTURE(to_string(large));
    Variable x(normal(small, 1), true), y(normal(large, 2), true);
    const Tensor dy = normal(large, 3), dx = normal(small, 4);
    broadcast_to(x, large).backward(dy);
    CHECK(max_error(x.grad(), naive_sum_to(dy, small)) < 1e-5);
    sum_to(y, small).backward(dx);
    CHECK(identical(y.grad(), naive_zip(large, dx, zeros({}), [](Scalar a, Scalar) { return a; })));
  }
}

TEST_CASE("reduce ops: bad arguments are refused by name") {
  const Variable x(zeros({2, 3}), true);
  CHECK(error_of([&] { sum(x, {2}); }) == "ValueError: sum: axis 2 is out of range for 2 axes");
  CHECK(error_of([&] { mean(x, {1, 1}); }) == "ValueError: mean: an axis is named twice in (1, 1)");
  CHECK(error_of([&] {
          mean(Variable(zeros({0, 3}), true), {0});
        }) == "ShapeError: mean: no elements along the reduced axes of (0, 3)");
  CHECK(error_of([&] { broadcast_to(x, {3}); }) == "ShapeError: broadcast_to: (2, 3) does not broadcast to (3)");
  CHECK(error_of([&] { sum_to(x, {3, 3}); }) == "ShapeError: sum_to: shapes (2, 3) and (3, 3) do not broadcast");
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("reduce ops: a variance composed of them, first and second derivatives against finite differences") {
  const auto variance = [](const Variable& x) {
    return mean(square(x - mean(x, {0, 2}, true)), {0, 2}) * sum(x, {0, -1});
  };
  CHECK(check_two_orders([&](const Variables& v) { return variance(v[0]); }, {normal({3, 2, 4}, 1)}) == "");
}

#endif
