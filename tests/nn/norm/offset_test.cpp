#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autograd/grad_mode.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/random.hpp"
#include "tensor/shaping.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using xtg::testing::kSanitized;

// A norm does not see an offset of its input; in float, a careless sum or E[x²] − E[x]² does. x is z + 10000 rounded to
// Scalar, and what is expected is computed here in double from that same x.

namespace {

struct Data {
  Data() {
    Generator g(1);
    x = random_normal({kRows, kChannels}, g);
    for (std::size_t i = 0; i < x.size(); ++i)
      x.data()[i] = static_cast<Scalar>(static_cast<double>(x.data()[i]) + 1e4);
    dy = random_normal(x.shape(), g);
    gamma = tensor({1.5, -0.7, 0.3, 2, -1.1, 0.9, -2, 0.5}, {kChannels});
    beta = random_normal({kChannels}, g);
  }
  static constexpr std::size_t kRows = 131072, kChannels = 8;
  Tensor x, dy, gamma, beta;
};

/// y and dx in double; set_of(i) numbers the set that element i is normalized over.
template <class SetOf>
void check(const Data& data, std::size_t sets, const SetOf& set_of, const Tensor& y, const Tensor& dx) {
  const double eps = 1e-5;
  const std::size_t C = Data::kChannels, n = data.x.size();
  const auto at = [](const Tensor& t, std::size_t i) { return static_cast<double>(t.data()[i]); };
  std::vector<double> count(sets, 0), mean(sets, 0), var(sets, 0), m1(sets, 0), m2(sets, 0);
  for (std::size_t i = 0; i < n; ++i) count[set_of(i)] += 1;
  for (std::size_t i = 0; i < n; ++i) mean[set_of(i)] += at(data.x, i) / count[set_of(i)];
  for (std::size_t i = 0; i < n; ++i) var[set_of(i)] += std::pow(at(data.x, i) - mean[set_of(i)], 2) / count[set_of(i)];
  const auto x_hat = [&](std::size_t i) { return (at(data.x, i) - mean[set_of(i)]) / std::sqrt(var[set_of(i)] + eps); };
  for (std::size_t i = 0; i < n; ++i) {
    const double d = at(data.gamma, i % C) * at(data.dy, i) / count[set_of(i)];
    m1[set_of(i)] += d;
    m2[set_of(i)] += d * x_hat(i);
  }
  double y_error = 0, dx_error = 0, largest_y = 0, largest_dx = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t s = set_of(i);
    const double expected_y = at(data.gamma, i % C) * x_hat(i) + at(data.beta, i % C);
    const double expected_dx =
        (at(data.gamma, i % C) * at(data.dy, i) - m1[s] - x_hat(i) * m2[s]) / std::sqrt(var[s] + eps);
    y_error = std::max(y_error, std::abs(at(y, i) - expected_y));
    dx_error = std::max(dx_error, std::abs(at(dx, i) - expected_dx));
    largest_y = std::max(largest_y, std::abs(expected_y));
    largest_dx = std::max(largest_dx, std::abs(expected_dx));
  }
  CHECK(largest_dx > 0.1);
  CHECK(y_error < 1e-2 * largest_y);
  CHECK(dx_error < 1e-2 * largest_dx);
  MESSAGE("relative errors of y and dx: ", y_error / largest_y, ", ", dx_error / largest_dx);
}

}  // namespace

TEST_CASE("norm: an offset of 1e4 does no harm, batch norm at (131072, C)") {
  const Data d;
  const NormForward f = batch_norm_forward(d.x, d.gamma, d.beta, 1e-5);
  check(
      d, 8, [](std::size_t i) { return i % 8; }, f.y, batch_norm_backward(d.dy, d.x, f.mean, f.rstd, d.gamma).dx);
}

TEST_CASE("norm: an offset of 1e4 does no harm, layer norm at (131072, C)") {
  const Data d;
  const NormForward f = layer_norm_forward(d.x, d.gamma, d.beta, 1, 1e-5);
  check(
      d, Data::kRows, [](std::size_t i) { return i / 8; }, f.y,
      layer_norm_backward(d.dy, d.x, f.mean, f.rstd, d.gamma).dx);
}

TEST_CASE("norm: an offset of 1e4 does no harm, instance and group norm at (1, 131072, C)") {
  Data d;
  const Shape shape = {1, Data::kRows, Data::kChannels};
  d.x = reshape(d.x, shape);
  d.dy = reshape(d.dy, shape);
  const NormForward f = instance_norm_forward(d.x, d.gamma, d.beta, 1e-5);
  check(
      d, 8, [](std::size_t i) { return i % 8; }, f.y, instance_norm_backward(d.dy, d.x, f.mean, f.rstd, d.gamma).dx);
  const NormForward g = group_norm_forward(d.x, d.gamma, d.beta, 2, 1e-5);
  check(
      d, 2, [](std::size_t i) { return i % 8 / 4; }, g.y, group_norm_backward(d.dy, d.x, g.mean, g.rstd, d.gamma).dx);
}

namespace {

/// Normalized columns, all in double.
std::vector<double> normalized_columns(const Tensor& x, double eps) {
  const std::size_t rows = x.shape()[0], columns = x.shape()[1];
  std::vector<double> mean(columns, 0), var(columns, 0), y(x.begin(), x.end());
  for (std::size_t i = 0; i < y.size(); ++i) mean[i % columns] += y[i] / static_cast<double>(rows);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] -= mean[i % columns];
  for (std::size_t i = 0; i < y.size(); ++i) var[i % columns] += y[i] * y[i] / static_cast<double>(rows);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] /= std::sqrt(var[i % columns] + eps);
  return y;
}

}  // namespace

// tests/reference/batch_norm_offset.py shows what PyTorch makes of the same numbers; docs/normalization.md has both.
TEST_CASE("norm: a million rows far from 0") {
  const std::size_t rows = kSanitized ? 50000 : 1000000, channels = 4;
  std::vector<double> z(rows * channels);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double u = std::fmod(static_cast<double>(i) * 0.7548776662466927, 1);
    const double v = std::fmod(static_cast<double>(i) * 0.5698402909980532, 1);
    z[i] = std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::acos(-1.0) * v);
  }
  Tensor x({rows, channels});
  for (const double offset : {100.0, 300.0, 1000.0, 10000.0}) {
    for (std::size_t i = 0; i < z.size(); ++i) x.data()[i] = static_cast<Scalar>(z[i] + offset);
    const std::vector<double> expected = normalized_columns(x, 1e-5);
    for (const GradientForm form : {GradientForm::Fused, GradientForm::ByHand}) {
      const GradientMode mode(form);
      const Tensor y = batch_norm(Variable(x), Variable(), Variable(), 1e-5).value();
      double error = 0;
      for (std::size_t i = 0; i < y.size(); ++i)
        error = std::max(error, std::abs(static_cast<double>(y.data()[i]) - expected[i]));
      const std::string name = form == GradientForm::Fused ? "fused" : "by hand";
      CHECK_MESSAGE(error < 3e-7 * offset, name);  // half the distance of floats there is 6e-8 of it
      MESSAGE("offset ", offset, ", ", name, ": y is off by ", error);
    }
  }
}
