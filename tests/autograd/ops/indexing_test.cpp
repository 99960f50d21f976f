#include "autograd/ops/indexing.hpp"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("indexing ops: index_select copies rows of an axis, and a row read twice gets both gradients") {
  const Shape shape = {3, 4, 5};
  for (int axis = -3; axis < 3; ++axis) {
    CAPTURE(axis);
    const std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
    const std::vector<std::int64_t> rows = {2, 0, 0, 1, 2, 0};
    Variable x(normal(shape, 1), true);
    const Variable y = index_select(x, axis, indices(rows));
    Shape result = shape;
    result[k] = rows.size();
    REQUIRE(y.shape() == result);
    const Tensor dy = normal(result, 2);
    y.backward(dy);
    Tensor expected = zeros(shape);
    for (std::size_t i = 0; i < y.size(); ++i) {
      std::vector<std::size_t> at = index_of(i, result);
      at[k] = static_cast<std::size_t>(rows[at[k]]);
      CHECK(y.value().data()[i] == x.value().data()[offset_of(at, shape)]);
      expected.data()[offset_of(at, shape)] += dy.data()[i];
    }
    CHECK(max_error(x.grad(), expected) < kRounding);
  }
}

TEST_CASE("indexing ops: gather reads one place for each element, and adds up where one is read twice") {
  const Shape shape = {3, 4, 5};
  for (int axis = -3; axis < 3; ++axis) {
    CAPTURE(axis);
    const std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
    Shape result = shape;
    result[k] = 7;  // more than there are: some are read twice
    Indices positions(result);
    for (std::size_t i = 0; i < positions.size(); ++i)
      positions.data()[i] = static_cast<std::int64_t>(i * 7 % 11 % shape[k]);
    Variable x(normal(shape, 1), true);
    const Variable y = gather(x, axis, positions);
    REQUIRE(y.shape() == result);
    const Tensor dy = normal(result, 2);
    y.backward(dy);
    Tensor expected = zeros(shape);
    for (std::size_t i = 0; i < y.size(); ++i) {
      std::vector<std::size_t> at = index_of(i, result);
      at[k] = static_cast<std::size_t>(positions.data()[i]);
      CHECK(y.value().data()[i] == x.value().data()[offset_of(at, shape)]);
      expected.data()[offset_of(at, shape)] += dy.data()[i];
    }
    CHECK(max_error(x.grad(), expected) < kRounding);
  }
}

TEST_CASE("indexing ops: take and put are each other's gradient") {
  const Indices positions = indices({3, 0, 3, 5}, {2, 2});
  Variable x(tensor({10, 11, 12, 13, 14, 15}, {2, 3}), true), z(tensor({1, 2, 4, 8}, {2, 2}), true);
  const Variable y = take(x, positions), w = put(z, positions, {2, 3});
  CHECK(identical(y.value(), tensor({13, 10, 13, 15}, {2, 2})));
  CHECK(identical(w.value(), tensor({2, 0, 0, 5, 0, 8}, {2, 3})));
  y.backward(z.value());
  CHECK(identical(x.grad(), w.value()));
  w.backward(x.value());
  CHECK(identical(z.grad(), y.value()));
}

TEST_CASE("indexing ops: sizes of zero") {
  Variable x(zeros({3, 4}), true);
  index_select(x, 0, indices({})).backward(zeros({0, 4}));
  CHECK(identical(x.grad(), zeros({3, 4})));
  gather(x, 1, indices({}, {3, 0})).backward(zeros({3, 0}));
  CHECK(identical(x.grad(), zeros({3, 4})));
  CHECK(take(x, indices({})).shape() == Shape{0});
  Variable none(zeros({0}), true);
  put(none, indices({}), {2}).backward(ones({2}));
  CHECK(none.grad().shape() == Shape{0});
  CHECK(index_select(none, 0, indices({})).shape() == Shape{0});
}

TEST_CASE("indexing ops: first and second derivatives against finite differences") {
  const std::vector<std::function<Variable(const Variable&)>> list = {
      [](const Variable& x) {
        return exp(index_select(x, 1, indices({3, 0, 3})));
      },
      [](const Variable& x) {
        return exp(gather(x, -2, indices({1, 0, 2, 2, 1, 1, 0, 2}, {2, 4})));
      },
      [](const Variable& x) {
        return exp(take(x, indices({0, 11, 5, 5}, {2, 2})));
      },
      [](const Variable& x) {
        Indices crowded({3, 4}, 1);  // all but three at one place
        crowded.data()[2] = crowded.data()[7] = 0;
        crowded.data()[9] = 4;
        return square(put(x, crowded, {5}));
      },
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    CAPTURE(i);
    CHECK(check_two_orders([&](const Variables& v) { return list[i](v[0]); }, {normal({3, 4}, 1)}) == "");
  }
}

TEST_CASE("indexing ops: positions out of range and of a wrong shape are refused by name") {
  const Variable x(zeros({2, 5}), true);
  CHECK(error_of([&] { take(x, indices({9, 10})); }) == "ValueError: take: position 10 at 1 is not within 0 … 9");
  CHECK(error_of([&] { take(x, indices({-1})); }) == "ValueError: take: position -1 at 0 is not within 0 … 9");
  CHECK(error_of([&] {
          put(Variable(zeros({2})), indices({0, 6}), {2, 3});
        }) == "ValueError: put: position 6 at 1 is not within 0 … 5");
  CHECK(error_of([&] {
          put(x, indices({0, 1}), {2, 3});
        }) == "ShapeError: put: expected x of the positions' shape (2), got (2, 5)");
  CHECK(error_of([&] {
          index_select(x, 0, indices({0, 2}));
        }) == "ValueError: index_select: position 2 at 1 is not within 0 … 1");
  CHECK(error_of([&] { index_select(x, -1, indices({-1})); }) ==
        "ValueError: index_select: position -1 at 0 is not within 0 … 4");
  CHECK(error_of([&] {
          index_select(x, 0, indices({0}, {1, 1}));
        }) == "ShapeError: index_select: expected a list of positions (K), got (1, 1)");
  CHECK(error_of([&] { index_select(x, 2, indices({0})); }) ==
        "ValueError: index_select: axis 2 is out of range for 2 axes");
  CHECK(error_of([&] {
          gather(x, 1, indices({0, 1, 2, 7}, {2, 2}));
        }) == "ValueError: gather: position 7 at 3 is not within 0 … 4");
  CHECK(error_of([&] { gather(x, 1, indices({0})); }) ==
        "ShapeError: gather: expected positions of x's shape (2, 5) but for axis 1, got (1)");
}
