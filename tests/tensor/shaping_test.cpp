#include "tensor/shaping.hpp"

#include <doctest/doctest.h>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

using Sizes = std::vector<std::ptrdiff_t>;  // of a reshape, where one may be -1
using Index = std::vector<std::size_t>;

std::size_t axis_length(const Range& r, std::size_t n) {
  std::size_t length = 0;
  for (std::size_t i = r.start; i < (r.stop < 0 ? n : static_cast<std::size_t>(r.stop)); i += r.step) ++length;
  return length;
}

Tensor naive_slice(const Tensor& x, const std::vector<Range>& ranges) {
  Shape shape;
  for (std::size_t k = 0; k < ranges.size(); ++k) shape.push_back(axis_length(ranges[k], x.shape()[k]));
  Tensor y = zeros(shape);
  for (std::size_t i = 0; i < y.size(); ++i) {
    Index index = index_of(i, shape);
    for (std::size_t k = 0; k < index.size(); ++k) index[k] = ranges[k].start + index[k] * ranges[k].step;
    y.data()[i] = x.data()[offset_of(index, x.shape())];
  }
  return y;
}

}  // namespace

TEST_CASE("shaping: reshape keeps the order of the numbers") {
  const Tensor x = arange(24);
  CHECK(xtg::reshape(x, Sizes{2, 3, 4})(1, 2, 3) == 23);
  CHECK(xtg::reshape(x, Sizes{2, -1, 4}).shape() == Shape{2, 3, 4});
  CHECK(xtg::reshape(x, Sizes{-1}).shape() == Shape{24});
  CHECK(xtg::reshape(zeros({0, 3}), Sizes{-1, 3}).shape() == Shape{0, 3});
  CHECK(xtg::reshape(scalar(5), Sizes{1, 1}).shape() == Shape{1, 1});
  CHECK(xtg::reshape(ones({1, 1}), Shape{}).shape() == Shape{});
  CHECK(error_of([&] {
          xtg::reshape(x, Sizes{5, 5});
        }) == "ShapeError: reshape: (24) has 24 elements, (5, 5) needs 25");
  CHECK(error_of([&] { xtg::reshape(x, Sizes{5, -1}); }) == "ShapeError: reshape: (24) does not fit (5, -1)");
  CHECK(error_of([&] {
          xtg::reshape(x, Sizes{-1, -1});
        }) == "ValueError: reshape: more than one size is -1 in (-1, -1)");
  CHECK(error_of([&] { xtg::reshape(x, Sizes{-2, 12}); }) == "ValueError: reshape: a size is -2 in (-2, 12)");
  CHECK(error_of([&] { xtg::reshape(zeros({0}), Sizes{0, -1}); }) == "ShapeError: reshape: (0) does not fit (0, -1)");
}

TEST_CASE("shaping: transpose, every permutation of three axes") {
  const Tensor x = normal({2, 3, 4}, 1);
  for (const Axes& axes : {Axes{0, 1, 2}, Axes{0, 2, 1}, Axes{1, 0, 2}, Axes{1, 2, 0}, Axes{2, 0, 1}, Axes{2, 1, 0},
                           Axes{-1, 0, -2}, Axes{}}) {
    Index order;
    for (const int a : axes.empty() ? Axes{2, 1, 0} : axes)
      order.push_back(static_cast<std::size_t>(a < 0 ? a + 3 : a));
    const Tensor y = xtg::transpose(x, axes);
    REQUIRE(y.shape() == Shape{x.shape()[order[0]], x.shape()[order[1]], x.shape()[order[2]]});
    for (std::size_t i = 0; i < y.size(); ++i) {
      const Index at = index_of(i, y.shape());
      Index from(3);
      for (std::size_t k = 0; k < 3; ++k) from[order[k]] = at[k];
      CHECK(y.data()[i] == x.data()[offset_of(from, x.shape())]);
    }
  }
  CHECK(xtg::transpose(zeros({0, 3})).shape() == Shape{3, 0});
  CHECK(xtg::transpose(scalar(2)).shape() == Shape{});
  CHECK(identical(xtg::transpose(arange(3)), arange(3)));
  CHECK(error_of([&] {
          xtg::transpose(x, {0, 1});
        }) == "ValueError: transpose: expected 3 axes for (2, 3, 4), got (0, 1)");
  CHECK(error_of([&] { xtg::transpose(x, {0, 1, 3}); }) == "ValueError: transpose: axis 3 is out of range for 3 axes");
  CHECK(error_of([&] {
          xtg::transpose(x, {0, 1, -2});
        }) == "ValueError: transpose: an axis is named twice in (0, 1, -2)");
}

TEST_CASE("shaping: broadcast_to repeats leading, middle and trailing axes") {
  const std::vector<std::pair<Shape, Shape>> cases = {
      {{3}, {2, 3}},       {{3, 1}, {3, 4}},       {{2, 1, 4}, {2, 3, 4}}, {{}, {2, 3}},
      {{1}, {0}},          {{3}, {0, 3}},          {{2, 3}, {2, 3}},       {{2, 1, 4}, {5, 2, 3, 4}},
      {{1, 1}, {1, 1, 1}}, {{9001, 1}, {9001, 7}}, {{7}, {9001, 7}}};
  for (const auto& shapes : cases) {
    const Shape &from = shapes.first, &to = shapes.second;  // clang 14 captures no structured bindings
    CAPTURE(to_string(from));
    CAPTURE(to_string(to));
    const Tensor x = normal(from, 2);
    CHECK(identical(xtg::broadcast_to(x, to), naive_zip(to, x, zeros({}), [](Scalar a, Scalar) { return a; })));
  }
  CHECK(error_of([] {
          xtg::broadcast_to(zeros({2, 3}), {3});
        }) == "ShapeError: broadcast_to: (2, 3) does not broadcast to (3)");
  CHECK(error_of([] {
          xtg::broadcast_to(zeros({2, 3}), {2, 1});
        }) == "ShapeError: broadcast_to: (2, 3) does not broadcast to (2, 1)");
}

TEST_CASE("shaping: slice with starts, stops and steps, and unslice puts the part back") {
  const Tensor x = normal({5, 6, 7}, 3);
  const std::vector<std::vector<Range>> cases = {
      {{}, {}, {}},
      {{1, 4, 1}, {}, {2, 3, 1}},
      {{0, -1, 2}, {1, -1, 2}, {0, 6, 3}},
      {{4, -1, 3}, {5, 6, 5}, {6, 7, 100}},
      {{2, 2, 1}, {}, {}},
      {{5, -1, 1}, {}, {0, 0, 2}},
  };
  for (const auto& ranges : cases) {
    const Tensor y = xtg::slice(x, ranges);
    CHECK(identical(y, naive_slice(x, ranges)));
    const Tensor back = xtg::unslice(y, ranges, x.shape());
    CHECK(back.shape() == x.shape());
    CHECK(identical(xtg::slice(back, ranges), y));
    double inside = 0, whole = 0;  // and nothing anywhere else
    for (std::size_t i = 0; i < y.size(); ++i) inside += std::abs(static_cast<double>(y.data()[i]));
    for (std::size_t i = 0; i < back.size(); ++i) whole += std::abs(static_cast<double>(back.data()[i]));
    CHECK(inside == doctest::Approx(whole));
  }
  CHECK(identical(xtg::slice(scalar(3), {}), scalar(3)));
  CHECK(identical(xtg::unslice(scalar(3), {}, {}), scalar(3)));
  CHECK(error_of([&] {
          xtg::slice(x, {{}, {}});
        }) == "ShapeError: slice: expected one range for each axis of (5, 6, 7), got 2");
  CHECK(error_of([&] {
          xtg::slice(x, {{}, {0, 9, 1}, {}});
        }) == "ValueError: slice: range 0:9:1 does not lie within axis 1 of (5, 6, 7)");
  CHECK(error_of([&] {
          xtg::slice(x, {{3, 2, 1}, {}, {}});
        }) == "ValueError: slice: range 3:2:1 does not lie within axis 0 of (5, 6, 7)");
  CHECK(error_of([&] {
          xtg::slice(x, {{6, -1, 1}, {}, {}});
        }) == "ValueError: slice: range 6:-1:1 does not lie within axis 0 of (5, 6, 7)");
  CHECK(error_of([&] {
          xtg::slice(x, {{}, {}, {0, -1, 0}});
        }) == "ValueError: slice: range 0:-1:0 does not lie within axis 2 of (5, 6, 7)");
  CHECK(error_of([&] {
          xtg::slice(x, {{}, {}, {0, -2, 1}});
        }) == "ValueError: slice: range 0:-2:1 does not lie within axis 2 of (5, 6, 7)");
  CHECK(error_of([&] {
          xtg::unslice(zeros({2}), {{0, -1, 2}}, {6});
        }) == "ShapeError: unslice: the ranges read (3) from (6), got (2)");
}

TEST_CASE("shaping: pad adds zeros at each side of each axis") {
  const Tensor x = normal({2, 3}, 4);
  const Tensor y = xtg::pad(x, {1, 0}, {2, 4});
  REQUIRE(y.shape() == Shape{5, 7});
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 7; ++j) CHECK(y(i, j) == (i >= 1 && i < 3 && j < 3 ? x(i - 1, j) : Scalar{0}));
  CHECK(identical(xtg::pad(scalar(7), {}, {}), scalar(7)));
  CHECK(identical(xtg::pad(zeros({0, 2}), {1, 0}, {1, 0}), zeros({2, 2})));
  CHECK(error_of([&] {
          xtg::pad(x, {1}, {1, 2});
        }) == "ValueError: pad: expected 2 entries before and after for (2, 3), got 1 and 2");
}

TEST_CASE("shaping: flip reverses the order along each named axis") {
  const Tensor x = normal({2, 3, 4}, 5);
  for (const Axes& axes : {Axes{0}, Axes{1}, Axes{2}, Axes{-1, 0}, Axes{1, -1}, Axes{2, 1, 0}, Axes{}}) {
    std::vector<bool> reversed(3, axes.empty());
    for (const int a : axes) reversed[static_cast<std::size_t>(a < 0 ? a + 3 : a)] = true;
    const Tensor y = xtg::flip(x, axes);
    REQUIRE(y.shape() == x.shape());
    for (std::size_t i = 0; i < y.size(); ++i) {
      Index at = index_of(i, y.shape());
      for (std::size_t k = 0; k < 3; ++k)
        if (reversed[k]) at[k] = x.shape()[k] - 1 - at[k];
      CHECK(y.data()[i] == x.data()[offset_of(at, x.shape())]);
    }
  }
  CHECK(identical(xtg::flip(scalar(3), {}), scalar(3)));
  CHECK(xtg::flip(zeros({0, 3}), {0, 1}).shape() == Shape{0, 3});
  CHECK(xtg::flip(zeros({3, 0}), {0}).shape() == Shape{3, 0});
  CHECK(error_of([&] { xtg::flip(x, {3}); }) == "ValueError: flip: axis 3 is out of range for 3 axes");
  CHECK(error_of([&] { xtg::flip(x, {1, -2}); }) == "ValueError: flip: an axis is named twice in (1, -2)");
}

TEST_CASE("shaping: concatenate joins along every axis, empty parts included") {
  for (int axis = -3; axis < 3; ++axis) {
    CAPTURE(axis);
    const std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
    std::vector<Tensor> parts;
    for (const std::size_t size : {2, 0, 1, 5}) {
      Shape shape = {2, 3, 4};
      shape[k] = size;
      parts.push_back(normal(shape, 6 + size));
    }
    const Tensor y = xtg::concatenate({parts[0], parts[1], parts[2], parts[3]}, axis);
    Shape whole = {2, 3, 4};
    whole[k] = 8;
    REQUIRE(y.shape() == whole);
    for (std::size_t i = 0; i < y.size(); ++i) {
      Index at = index_of(i, whole);
      const std::size_t part = at[k] < 2 ? 0 : at[k] < 3 ? 2 : 3;
      at[k] -= part;  // they begin at 0, 2 and 3
      CHECK(y.data()[i] == parts[part].data()[offset_of(at, parts[part].shape())]);
    }
  }
  const Tensor x = normal({2, 3}, 7), none = zeros({0, 3});
  CHECK(identical(xtg::concatenate({x}, 0), x));
  CHECK(xtg::concatenate({none, none}, 1).shape() == Shape{0, 6});
  CHECK(error_of([] { xtg::concatenate({}, 0); }) == "ValueError: concatenate: expected at least one array");
  const Tensor y = zeros({4, 3}), flat = zeros({3}), s = scalar(1);
  CHECK(error_of([&] {
          xtg::concatenate({x, y}, -1);
        }) == "ShapeError: concatenate: expected shapes equal but for axis 1, got (2, 3) and (4, 3)");
  CHECK(error_of([&] {
          xtg::concatenate({x, y, flat}, 0);
        }) == "ShapeError: concatenate: expected shapes equal but for axis 0, got (2, 3) and (3)");
  CHECK(error_of([&] { xtg::concatenate({x}, 2); }) == "ValueError: concatenate: axis 2 is out of range for 2 axes");
  CHECK(error_of([&] { xtg::concatenate({s}, 0); }) == "ValueError: concatenate: axis 0 is out of range for 0 axes");
}
