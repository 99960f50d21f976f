#include "tensor/shape.hpp"

#include <doctest/doctest.h>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("shape: to_string and count") {
  CHECK(to_string(Shape{8, 32, 32, 16}) == "(8, 32, 32, 16)");
  CHECK(to_string(Shape{5}) == "(5)");
  CHECK(to_string(Shape{}) == "()");
  CHECK(count(Shape{}) == 1);
  CHECK(count(Shape{2, 3, 4}) == 24);
  CHECK(count(Shape{2, 0, 4}) == 0);
}

TEST_CASE("shape: broadcasting follows NumPy's rule") {
  CHECK(broadcast_shapes("f", {2, 3}, {3}) == Shape{2, 3});
  CHECK(broadcast_shapes("f", {3}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast_shapes("f", {2, 1, 4}, {3, 1}) == Shape{2, 3, 4});
  CHECK(broadcast_shapes("f", {}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast_shapes("f", {}, {}) == Shape{});
  CHECK(broadcast_shapes("f", {0, 3}, {1, 3}) == Shape{0, 3});
  CHECK(broadcast_shapes("f", {1}, {0}) == Shape{0});
  CHECK(error_of([] {
          broadcast_shapes("add", {2, 3}, {4});
        }) == "ShapeError: add: shapes (2, 3) and (4) do not broadcast");
  CHECK(error_of([] { broadcast_shapes("add", {0}, {2}); }) == "ShapeError: add: shapes (0) and (2) do not broadcast");
}

TEST_CASE("shape: axes are normalized, sorted and checked") {
  using List = std::vector<std::size_t>;
  CHECK(normalize_axes("sum", {}, 3) == List{0, 1, 2});
  CHECK(normalize_axes("sum", {-1, 0}, 3) == List{0, 2});
  CHECK(normalize_axes("sum", {}, 0) == List{});
  CHECK(normalize_axis("argmax", -3, 3) == 0);
  CHECK(normalize_axis("argmax", 2, 3) == 2);
  CHECK(error_of([] { normalize_axes("sum", {3}, 3); }) == "ValueError: sum: axis 3 is out of range for 3 axes");
  CHECK(error_of([] { normalize_axes("sum", {-4}, 3); }) == "ValueError: sum: axis -4 is out of range for 3 axes");
  CHECK(error_of([] { normalize_axes("sum", {0}, 0); }) == "ValueError: sum: axis 0 is out of range for 0 axes");
  CHECK(error_of([] { normalize_axes("sum", {1, -2}, 3); }) == "ValueError: sum: an axis is named twice in (1, -2)");
}

TEST_CASE("shape: reduced shapes") {
  CHECK(reduced_shape({2, 3, 4}, {0, 2}, false) == Shape{3});
  CHECK(reduced_shape({2, 3, 4}, {0, 2}, true) == Shape{1, 3, 1});
  CHECK(reduced_shape({2, 3}, {0, 1}, false) == Shape{});
  CHECK(reduced_shape({2, 3}, {}, true) == Shape{2, 3});
}
