#include "nn/data/augment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

bool is_empty(const Box& box) { return box.top == box.bottom || box.left == box.right; }

bool holds(const Box& box, std::size_t y, std::size_t x) {
  return y >= box.top && y < box.bottom && x >= box.left && x < box.right;
}

RandomErasing erasing(double probability, std::array<double, 2> area, std::array<double, 2> aspect) {
  RandomErasing result;
  result.probability = probability;
  result.area = area;
  result.aspect = aspect;
  return result;
}

/// The largest distance between the distribution of the draws and a distribution function.
template <class Cdf>
double distance(std::vector<double> draws, const Cdf& cdf) {
  std::sort(draws.begin(), draws.end());
  const double n = static_cast<double>(draws.size());
  double largest = 0;
  for (std::size_t i = 0; i < draws.size(); ++i) {
    const double f = cdf(draws[i]), k = static_cast<double>(i);
    largest = std::max({largest, std::abs(f - k / n), std::abs(f - (k + 1) / n)});
  }
  return largest;
}

std::vector<double> beta_draws(double alpha, std::size_t n) {
  Generator generator(21);
  std::vector<double> draws;
  for (std::size_t i = 0; i < n; ++i) draws.push_back(random_beta(alpha, generator));
  return draws;
}

}  // namespace

TEST_CASE("augment: cutout is a square about a pixel, clipped at the border") {
  const std::ptrdiff_t height = 7, width = 5;
  Generator generator(3), twin(3);
  int clipped = 0;
  for (int i = 0; i < 500; ++i) {
    const std::ptrdiff_t side = i % 7;
    const Box box = random_cutout(height, width, static_cast<std::size_t>(side), generator);
    const auto y0 = static_cast<std::ptrdiff_t>(twin.below(height)) - side / 2;
    const auto x0 = static_cast<std::ptrdiff_t>(twin.below(width)) - side / 2;
    int wrong = 0, inside = 0;
    for (std::ptrdiff_t y = 0; y < height; ++y) {
      for (std::ptrdiff_t x = 0; x < width; ++x) {
        const bool expected = y >= y0 && y < y0 + side && x >= x0 && x < x0 + side;
        wrong += holds(box, static_cast<std::size_t>(y), static_cast<std::size_t>(x)) != expected;
        inside += expected;
      }
    }
    CHECK(wrong == 0);
    CHECK(box.bottom <= 7);
    CHECK(box.right <= 5);
    clipped += inside < side * side;
  }
  CHECK(clipped > 100);
}

TEST_CASE("augment: cutout's centre is every pixel equally often") {
  Generator generator(4);
  std::vector<double> hits(12, 0.0);
  const double draws = 12000;
  for (int i = 0; i < 12000; ++i) {
    const Box box = random_cutout(4, 3, 1, generator);
    REQUIRE(box.bottom - box.top == 1);
    REQUIRE(box.right - box.left == 1);
    ++hits[box.top * 3 + box.left];
  }
  double chi2 = 0;
  for (const double h : hits) chi2 += (h - draws / 12) * (h - draws / 12) / (draws / 12);
  CHECK(chi2 < 31.3);  // 11 degrees of freedom, p = 0.001
  CHECK(error_of([&] { random_cutout(0, 3, 1, generator); }) ==
        "ValueError: cutout: expected at least one pixel, the image is 0 x 3");
  CHECK(error_of([&] { random_cutout(3, 0, 1, generator); }) ==
        "ValueError: cutout: expected at least one pixel, the image is 3 x 0");
}

TEST_CASE("augment: erase sets the box to zero, and nothing else") {
  const Tensor x = positive({6, 5, 3}, 1);
  Tensor y = x;
  erase(y.data(), 5, 3, {1, 4, 2, 5});
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 5; ++j)
      for (std::size_t c = 0; c < 3; ++c) CHECK(y(i, j, c) == (i >= 1 && i < 4 && j >= 2 ? Scalar(0) : x(i, j, c)));
  y = x;
  erase(y.data(), 5, 3, {});
  CHECK(identical(y, x));
}

TEST_CASE("augment: random erasing keeps to its probability, area and aspect ratio") {
  const double h = 32, w = 24;
  const RandomErasing options = erasing(0.3, {0.05, 0.3}, {0.4, 2.0});
  Generator generator(5);
  int erased = 0, touching = 0;
  for (int i = 0; i < 10000; ++i) {
    const Box box = random_erasing(32, 24, options, generator);
    if (is_empty(box)) continue;
    ++erased;
    REQUIRE(box.bottom <= 32);
    REQUIRE(box.right <= 24);
    touching += box.top == 0;
    touching += box.bottom == 32;
    touching += box.left == 0;
    touching += box.right == 24;
    const double rows = static_cast<double>(box.bottom - box.top), columns = static_cast<double>(box.right - box.left);
    CHECK((rows + 0.5) * (columns + 0.5) >= 0.05 * h * w);
    CHECK((rows - 0.5) * (columns - 0.5) <= 0.3 * h * w);
    CHECK((rows + 0.5) / (columns - 0.5) >= 0.4);
    CHECK((rows - 0.5) / (columns + 0.5) <= 2.0);
  }
  CHECK(std::abs(erased - 3000) < 230);  // five standard deviations
  CHECK(touching > 500);
  for (int i = 0; i < 100; ++i) CHECK(is_empty(random_erasing(32, 24, RandomErasing(), generator)));  // off
}

TEST_CASE("augment: random erasing draws area, aspect ratio and place uniformly") {
  Generator generator(6);
  double area = 0, aspect = 0;
  for (int i = 0; i < 4000; ++i) {
    const Box a = random_erasing(400, 300, erasing(1, {0.1, 0.3}, {1, 1}), generator);
    area += static_cast<double>((a.bottom - a.top) * (a.right - a.left)) / (400.0 * 300);
    const Box b = random_erasing(2000, 1000, erasing(1, {0.01, 0.01}, {0.25, 4}), generator);
    aspect += static_cast<double>(b.bottom - b.top) / static_cast<double>(b.right - b.left);
  }
  CHECK(std::abs(area / 4000 - 0.2) < 0.0046);     // five standard deviations: 0.2/√12/√4000 each
  CHECK(std::abs(aspect / 4000 - 2.125) < 0.086);  // 3.75/√12/√4000
  std::vector<double> hits(5 * 7, 0.0);
  for (int i = 0; i < 35000; ++i) {  // 4 × 4 pixels of 8 × 10
    const Box box = random_erasing(8, 10, erasing(1, {0.2, 0.2}, {1, 1}), generator);
    REQUIRE(box.bottom - box.top == 4);
    REQUIRE(box.right - box.left == 4);
    ++hits[box.top * 7 + box.left];
  }
  double chi2 = 0;
  for (const double n : hits) chi2 += (n - 1000) * (n - 1000) / 1000;
  CHECK(chi2 < 65.2);  // 34 degrees of freedom, p = 0.001
}

TEST_CASE("augment: random erasing draws again what does not fit, and gives up in the end") {
  Generator generator(7);
  for (int i = 0; i < 50; ++i) {  // the whole area: only ratios near 1 fit
    const Box box = random_erasing(8, 8, erasing(1, {1, 1}, {0.5, 2}), generator);
    CHECK(box.top == 0);
    CHECK(box.bottom == 8);
    CHECK(box.left == 0);
    CHECK(box.right == 8);
  }
  Generator twin(7);
  twin.set_state(generator.state());
  CHECK(is_empty(random_erasing(8, 8, erasing(1, {1, 1}, {4, 4}), generator)));
  for (int i = 0; i < 201; ++i) twin.next();
  CHECK(generator.state() == twin.state());
  CHECK(is_empty(random_erasing(3, 3, erasing(1, {0.01, 0.01}, {1, 1}), generator)));  // less than a pixel
  CHECK(is_empty(random_erasing(0, 3, erasing(1, {0.5, 0.5}, {1, 1}), generator)));
}

TEST_CASE("augment: options of random erasing out of range are refused") {
  const auto error = [](double probability, std::array<double, 2> area, std::array<double, 2> aspect) {
    return error_of([&] { erasing(probability, area, aspect).check(); });
  };
  CHECK(error_of([] { RandomErasing().check(); }) == "");
  CHECK(error(1, {1, 1}, {2, 2}) == "");
  CHECK(error(1.5, {0.1, 0.2}, {1, 1}) == "ValueError: random erasing: the probability must be in [0, 1], got 1.5");
  CHECK(error(-0.5, {0.1, 0.2}, {1, 1}) == "ValueError: random erasing: the probability must be in [0, 1], got -0.5");
  CHECK(error(nan_value, {0.1, 0.2}, {1, 1}) ==
        "ValueError: random erasing: the probability must be in [0, 1], got nan");
  const std::string area = "ValueError: random erasing: expected 0 < area <= 1, from low to high, got ";
  CHECK(error(1, {0, 0.2}, {1, 1}) == area + "0 to 0.2");
  CHECK(error(1, {0.3, 0.2}, {1, 1}) == area + "0.3 to 0.2");
  CHECK(error(1, {0.3, 1.5}, {1, 1}) == area + "0.3 to 1.5");
  CHECK(error(1, {0.3, nan_value}, {1, 1}) == area + "0.3 to nan");
  const std::string aspect =
      "ValueError: random erasing: expected a positive, finite aspect ratio, from low to high, got ";
  CHECK(error(1, {0.1, 0.2}, {0, 1}) == aspect + "0 to 1");
  CHECK(error(1, {0.1, 0.2}, {2, 1}) == aspect + "2 to 1");
  CHECK(error(1, {0.1, 0.2}, {1, infinity}) == aspect + "1 to inf");
}

TEST_CASE("augment: mean and variance of the beta distribution") {
  const std::size_t n = 40000;
  for (const double alpha : {0.01, 0.2, 0.5, 1.0, 2.0, 9.0}) {
    CAPTURE(alpha);
    const double expected = 1 / (4 * (2 * alpha + 1)), m = static_cast<double>(n);
    double mean = 0, variance = 0;
    bool inside = true;
    for (const double x : beta_draws(alpha, n)) {
      inside = inside && x >= 0 && x <= 1;
      mean += x / m;
      variance += (x - 0.5) * (x - 0.5) / m;
    }
    CHECK(inside);
    CHECK(std::abs(mean - 0.5) < 5 * std::sqrt(expected / m));
    CHECK(std::abs(variance - expected) < 5 * expected * std::sqrt(2 / m));  // its tails are lighter than a normal's
  }
}

TEST_CASE("augment: beta distributions whose distribution functions are known") {
  const std::size_t n = 20000;
  const double limit = 1.95 / std::sqrt(static_cast<double>(n));  // Kolmogorov and Smirnov's test, p = 0.001
  CHECK(distance(beta_draws(1, n), [](double x) { return x; }) < limit);
  CHECK(distance(beta_draws(2, n), [](double x) { return x * x * (3 - 2 * x); }) < limit);
  CHECK(distance(beta_draws(0.5, n), [](double x) { return 2 / std::acos(-1.0) * std::asin(std::sqrt(x)); }) < limit);
  CHECK(distance(beta_draws(1.2, n), [](double x) { return x; }) > limit);  // the test can fail
}

TEST_CASE("augment: the beta distribution with an extreme alpha") {
  int ones = 0;
  for (const double x : beta_draws(1e-310, 1000)) {
    CHECK((x == 0 || x == 1));
    ones += x == 1;
  }
  CHECK(std::abs(ones - 500) < 80);
  for (const double x : beta_draws(1e300, 100)) CHECK(std::abs(x - 0.5) < 1e-12);
  Generator generator(1);
  const std::string message = "ValueError: random_beta: alpha must be positive and finite, got ";
  CHECK(error_of([&] { random_beta(0, generator); }) == message + "0");
  CHECK(error_of([&] { random_beta(-1, generator); }) == message + "-1");
  CHECK(error_of([&] { random_beta(infinity, generator); }) == message + "inf");
  CHECK(error_of([&] { random_beta(nan_value, generator); }) == message + "nan");
}

TEST_CASE("augment: mixup draws a weight of at least one half and a permutation") {
  Generator generator(8), twin(8);
  double mean = 0;
  for (int i = 0; i < 2000; ++i) {
    const Mixing mixing = random_mixing(1, 5, generator);
    const double lambda = random_beta(1, twin);
    CHECK(mixing.weight == std::max(lambda, 1 - lambda));
    CHECK(mixing.partner == twin.permutation(5));
    mean += mixing.weight / 2000;
  }
  CHECK(std::abs(mean - 0.75) < 0.017);  // uniform in [1/2, 1]
  CHECK(random_mixing(0.2, 0, generator).partner.empty());
  CHECK(error_of([&] { random_mixing(0, 5, generator); }) ==
        "ValueError: random_beta: alpha must be positive and finite, got 0");
}

TEST_CASE("augment: mixed blends each sample with its partner") {
  const Tensor x = normal({3, 2, 4}, 9);
  const Mixing mixing{0.8, {2, 1, 0}};
  const Tensor y = mixed(x, mixing);
  Tensor expected = zeros({3, 2, 4});
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      for (std::size_t k = 0; k < 4; ++k)
        expected(i, j, k) = static_cast<Scalar>(0.8 * static_cast<double>(x(i, j, k)) +
                                                0.2 * static_cast<double>(x(mixing.partner[i], j, k)));
  CHECK(max_error(y, expected) < kRounding);
  CHECK(max_error(y, x) > 0.1);
  CHECK(mixed(zeros({0, 4}), {0.5, {}}).shape() == Shape({0, 4}));
  CHECK(mixed(zeros({2, 0}), {0.5, {1, 0}}).shape() == Shape({2, 0}));
  CHECK(error_of([&] {
          mixed(x, {0.5, {0, 1}});
        }) == "ShapeError: mixed: expected a partner for each sample, got 2 partners for (3, 2, 4)");
  CHECK(error_of([&] {
          mixed(scalar(1), {0.5, {}});
        }) == "ShapeError: mixed: expected a partner for each sample, got 0 partners for ()");
  CHECK(error_of([&] { mixed(x, {0.5, {0, 3, 1}}); }) == "ValueError: mixed: there is no partner 3 in a batch of 3");
}

TEST_CASE("augment: mixed one-hot targets add up to exactly 1") {
  const Tensor targets = tensor({1, 0, 0, 1, 1, 0}, {3, 2});
  Generator generator(10);
  for (int i = 0; i < 1000; ++i) {
    Mixing mixing = random_mixing(0.4, 3, generator);
    mixing.partner = {1, 0, 0};  // two classes twice, and one class
    const Tensor t = mixed(targets, mixing);
    for (std::size_t row = 0; row < 3; ++row)
      CHECK(static_cast<double>(t(row, 0)) + static_cast<double>(t(row, 1)) == 1);
    CHECK(t(0, 0) == static_cast<Scalar>(mixing.weight));
    CHECK(t(2, 0) == 1);
  }
}

TEST_CASE("augment: mirrored exchanges left and right") {
  const Tensor x = normal({2, 4, 5, 3}, 11), y = mirrored(x);
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 5; ++j)
        for (std::size_t c = 0; c < 3; ++c) CHECK(y(n, i, j, c) == x(n, i, 4 - j, c));
  CHECK(identical(mirrored(y), x));
  CHECK(mirrored(zeros({0, 4, 5, 3})).shape() == Shape({0, 4, 5, 3}));
  CHECK(mirrored(zeros({2, 4, 0, 3})).shape() == Shape({2, 4, 0, 3}));
  CHECK(error_of([] {
          mirrored(zeros({4, 5, 3}));
        }) == "ShapeError: mirrored: expected images (N, H, W, C), got (4, 5, 3)");
}
