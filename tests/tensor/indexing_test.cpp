#include "tensor/indexing.hpp"

#include <doctest/doctest.h>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("indexing: take reads and put adds at positions") {
  const Tensor x = tensor({10, 11, 12, 13}, {4});
  const Indices positions = indices({3, 0, 3});
  CHECK(identical(take(x, positions), tensor({13, 10, 13}, {3})));
  CHECK(identical(take(x, indices({1, 2}, {2, 1})), tensor({11, 12}, {2, 1})));
  CHECK(identical(put(tensor({1, 2, 4}, {3}), positions, {2, 2}), tensor({2, 0, 0, 5}, {2, 2})));
  CHECK(take(x, indices({}, {0, 2})).shape() == Shape{0, 2});
  CHECK(identical(put(zeros({0}), indices({}), {2}), zeros({2})));
  CHECK(error_of([&] { put(ones({2}), positions, {4}); }) ==
        "ShapeError: put: expected x of the positions' shape (3), got (2)");
}

TEST_CASE("indexing: what index_select and gather take, against index arithmetic") {
  const Shape shape = {3, 4, 5};
  for (int axis = -3; axis < 3; ++axis) {
    CAPTURE(axis);
    const std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
    const Indices list = indices({2, 0, 0, 1, 2, 1});  // longer than an axis, some twice
    const Indices rows = index_select_positions(shape, axis, list);
    Shape result = shape;
    result[k] = 6;
    REQUIRE(rows.shape() == result);
    Indices chosen(result);
    for (std::size_t i = 0; i < chosen.size(); ++i) chosen.data()[i] = static_cast<std::int64_t>(i * 7 % 11 % shape[k]);
    const Indices gathered = gather_positions(shape, axis, chosen);
    REQUIRE(gathered.shape() == result);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<std::size_t> at = index_of(i, result);
      at[k] = static_cast<std::size_t>(list.data()[at[k]]);
      CHECK(rows.data()[i] == static_cast<std::int64_t>(offset_of(at, shape)));
      at[k] = static_cast<std::size_t>(chosen.data()[i]);
      CHECK(gathered.data()[i] == static_cast<std::int64_t>(offset_of(at, shape)));
    }
  }
}

TEST_CASE("indexing: sizes of zero") {
  CHECK(index_select_positions({3, 4}, 0, indices({})).shape() == Shape{0, 4});
  CHECK(index_select_positions({0, 4}, 1, indices({3, 3})).shape() == Shape{0, 2});
  CHECK(index_select_positions({3, 0}, 0, indices({2})).shape() == Shape{1, 0});
  CHECK(gather_positions({3, 4}, 1, indices({}, {3, 0})).shape() == Shape{3, 0});
  CHECK(gather_positions({0, 4}, 1, indices({}, {0, 2})).shape() == Shape{0, 2});
  CHECK(error_of([] {
          index_select_positions({0, 4}, 0, indices({0}));
        }) == "ValueError: index_select: position 0 at 0 is not within 0 … -1");
}

TEST_CASE("indexing: positions out of range and of a wrong shape are refused") {
  CHECK(error_of([] {
          require_positions("f", indices({0, 4, -1}), 5);
        }) == "ValueError: f: position -1 at 2 is not within 0 … 4");
  CHECK(error_of([] {
          require_positions("f", indices({0, 5}), 5);
        }) == "ValueError: f: position 5 at 1 is not within 0 … 4");
  CHECK(error_of([] { require_positions("f", indices({0, 4, 2}), 5); }) == "");
  CHECK(error_of([] {
          index_select_positions({2, 5}, 0, indices({0, 1, 2}));
        }) == "ValueError: index_select: position 2 at 2 is not within 0 … 1");
  CHECK(error_of([] {
          index_select_positions({2, 5}, 0, indices({0}, {1, 1}));
        }) == "ShapeError: index_select: expected a list of positions (K), got (1, 1)");
  CHECK(error_of([] { index_select_positions({}, 0, indices({0})); }) ==
        "ValueError: index_select: axis 0 is out of range for 0 axes");
  CHECK(error_of([] {
          gather_positions({2, 5}, -1, indices({0, 1, 2, 7}, {2, 2}));
        }) == "ValueError: gather: position 7 at 3 is not within 0 … 4");
  CHECK(error_of([] {
          gather_positions({2, 5}, -1, indices({0, 1, 2}, {1, 3}));
        }) == "ShapeError: gather: expected positions of x's shape (2, 5) but for axis 1, got (1, 3)");
  CHECK(error_of([] {
          gather_positions({2, 5}, 0, indices({0, 1}));
        }) == "ShapeError: gather: expected positions of x's shape (2, 5) but for axis 0, got (2)");
  CHECK(error_of([] {
          gather_positions({2, 5}, 2, indices({0}));
        }) == "ValueError: gather: axis 2 is out of range for 2 axes");
}
