#include "tensor/print.hpp"

#include <doctest/doctest.h>

#include "tests/testing.hpp"

using namespace xtg;

TEST_CASE("print: numbers in braces, then the shape") {
  CHECK(to_string(tensor({1, 2, 3, 4}, {2, 2})) == "{{1, 2}, {3, 4}} (2, 2)");
  CHECK(to_string(scalar(2.5)) == "2.5 ()");
  CHECK(to_string(tensor({1, 2}, {2, 1, 1})) == "{{{1}}, {{2}}} (2, 1, 1)");
  CHECK(to_string(zeros({0})) == "{} (0)");
  CHECK(to_string(zeros({0, 3})) == "{} (0, 3)");
  CHECK(to_string(zeros({2, 0})) == "{{}, {}} (2, 0)");
  CHECK(to_string(tensor({-0.125, 1e-10, 1e20}, {3})) == "{-0.125, 1e-10, 1e+20} (3)");
  CHECK(to_string(full({1}, std::numeric_limits<Scalar>::quiet_NaN())) == "{nan} (1)");
  CHECK(to_string(full({1}, -std::numeric_limits<Scalar>::infinity())) == "{-inf} (1)");
}

TEST_CASE("print: precision counts significant digits") {
  const Tensor x = tensor({3.14159265358979}, {1});
  CHECK(to_string(x) == "{3.14159} (1)");
  CHECK(to_string(x, 3) == "{3.14} (1)");
  CHECK(to_string(tensor({123456}, {1}), 2) == "{1.2e+05} (1)");
}

TEST_CASE("print: long axes are shortened to three entries at each end") {
  CHECK(to_string(arange(7)) == "{0, 1, 2, 3, 4, 5, 6} (7)");
  CHECK(to_string(arange(8)) == "{0, 1, 2, …, 5, 6, 7} (8)");
  const Tensor x = zeros({100, 2});
  CHECK(to_string(x) == "{{0, 0}, {0, 0}, {0, 0}, …, {0, 0}, {0, 0}, {0, 0}} (100, 2)");
  CHECK(to_string(zeros({100, 100, 100})).size() < 1000);
}
