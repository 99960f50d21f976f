#include "nn/init.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

struct Moments {
  double mean = 0, stddev = 0;

  explicit Moments(const Tensor& x) {
    const double n = static_cast<double>(x.size());
    for (const Scalar value : x) mean += static_cast<double>(value) / n;
    for (const Scalar value : x) stddev += std::pow(static_cast<double>(value) - mean, 2) / n;
    stddev = std::sqrt(stddev);
  }
};

}  // namespace

TEST_CASE("init: kaiming_normal_fan_out has mean 0 and variance 2/(KH·KW·O)") {
  Generator generator(3);
  const Tensor w = kaiming_normal_fan_out({20, 3, 5, 40}, generator);
  CHECK(w.shape() == Shape{20, 3, 5, 40});
  const Moments found(w);  // of 12,000 numbers
  const double stddev = std::sqrt(2.0 / (20 * 3 * 5));
  CHECK(std::abs(found.mean) < 0.04 * stddev);                   // four standard deviations of a mean of so many
  CHECK(found.stddev == doctest::Approx(stddev).epsilon(0.03));  // likewise
  CHECK(largest(w) > 3 * stddev);                                // not uniform
  Generator again(3);
  CHECK(identical(w, kaiming_normal_fan_out(w.shape(), again)));
  CHECK(kaiming_normal_fan_out({0, 3, 3, 2}, generator).size() == 0);
}

TEST_CASE("init: uniform_fan_in fills ±1/√fan_in evenly") {
  Generator generator(4);
  const Tensor w = uniform_fan_in({40, 300}, 25, generator);
  CHECK(w.shape() == Shape{40, 300});
  const Moments found(w);
  const double stddev = 0.2 / std::sqrt(3.0);
  CHECK(largest(w) <= 0.2);
  CHECK(largest(w) > 0.199);
  CHECK(std::abs(found.mean) < 0.04 * stddev);
  CHECK(found.stddev == doctest::Approx(stddev).epsilon(0.03));
}

TEST_CASE("init: shapes and fan-ins that cannot be are refused") {
  Generator generator(5);
  CHECK(error_of([&] {
          kaiming_normal_fan_out({10, 64}, generator);
        }) == "ShapeError: kaiming_normal_fan_out: expected a weight (O, KH, KW, I), got (10, 64)");
  CHECK(error_of([&] {
          uniform_fan_in({10, 0}, 0, generator);
        }) == "ValueError: uniform_fan_in: expected a fan-in of at least 1, got 0");
}
