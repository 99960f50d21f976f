#include "tensor/create.hpp"

#include <doctest/doctest.h>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("create: shapes and values, rank 0 and zero sizes included") {
  CHECK(zeros({}).size() == 1);
  CHECK(zeros({}).shape() == Shape{});
  CHECK(scalar(2.5).shape() == Shape{});
  CHECK(scalar(2.5).item() == Scalar(2.5));
  CHECK(ones({0, 3}).size() == 0);
  CHECK(ones({0, 3}).shape() == Shape{0, 3});
  CHECK(empty({2, 5}).shape() == Shape{2, 5});
  const Tensor f = full({2, 3, 4}, -7);
  CHECK(f.shape() == Shape{2, 3, 4});
  for (std::size_t i = 0; i < f.size(); ++i) CHECK(f.data()[i] == -7);
  CHECK(identical(zeros_like(f), zeros({2, 3, 4})));
  CHECK(identical(ones_like(f), ones({2, 3, 4})));
  CHECK(zeros({3}).data()[2] == 0);
  CHECK(ones({3}).data()[2] == 1);
}

TEST_CASE("create: tensor() takes values in row-major order") {
  const Tensor x = tensor({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(x(0, 2) == 3);
  CHECK(x(1, 0) == 4);
  CHECK(tensor({4}, {}).shape() == Shape{});
  CHECK(tensor({}, {2, 0}).shape() == Shape{2, 0});
  CHECK(error_of([] { tensor({1, 2, 3}, {2, 2}); }) == "ShapeError: tensor: 3 values do not fill shape (2, 2)");
  CHECK(error_of([] { tensor({}, {}); }) == "ShapeError: tensor: 0 values do not fill shape ()");
}

TEST_CASE("create: arange and indices") {
  const Tensor a = arange(5);
  CHECK(identical(a, tensor({0, 1, 2, 3, 4}, {5})));
  CHECK(arange(0).shape() == Shape{0});
  const Indices i = indices({3, -1, 9007199254740993});
  CHECK(i.shape() == Shape{3});
  CHECK(i.data()[1] == -1);
  CHECK(i.data()[2] == 9007199254740993);  // not representable in double
  CHECK(equals(indices({1, 2, 3, 4, 5, 6}, {2, 3}), {1, 2, 3, 4, 5, 6}, {2, 3}));
  CHECK(error_of([] { indices({1, 2}, {3}); }) == "ShapeError: indices: 2 values do not fill shape (3)");
}
