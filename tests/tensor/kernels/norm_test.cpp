// What the operations do not show of the kernel of the norms: statistics and sums that are handed out and given, and
// sets that are not centred. Against naive loops in double.

#include "tensor/kernels/norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;
using namespace xtg::kernels;

namespace {

constexpr bool kDouble = sizeof(Scalar) == 8;
constexpr double kEps = 0.1;
constexpr double kClose = kDouble ? 1e-12 : 1e-4;

/// Sets of every kind: whole samples and such as are cut into pieces, few channels and 17, one group and several.
std::vector<NormSets> all_sets() {
  std::vector<NormSets> all;
  for (const bool centred : {true, false})
    for (const NormSets& s :
         {NormSets{1, 40, 6, 6}, NormSets{3, 20, 8, 2}, NormSets{3, 5, 17, 1}, NormSets{5, 1, 130, 1},
          NormSets{2, 6, 12, 12}, NormSets{2, 4900, 16, 4}, NormSets{1, 9000, 17, 17}}) {
      all.push_back(s);
      all.back().centred = centred;
    }
  return all;
}

struct Example {
  explicit Example(const NormSets& s)
      : x(normal({s.samples, s.rows, s.channels}, 1)),
        dy(normal(x.shape(), 2)),
        gamma(normal({s.channels}, 3)),
        beta(normal({s.channels}, 4)) {
    for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] += static_cast<Scalar>(1.5 + 0.1 * double(i % s.channels));
  }
  Tensor x, dy, gamma, beta;
};

double at(const Tensor& t, std::size_t i) { return static_cast<double>(t.data()[i % t.size()]); }

std::size_t set_of(const NormSets& s, std::size_t i) {
  return i / (s.rows * s.channels) * s.groups + i % s.channels / (s.channels / s.groups);
}

/// Σ term(i) over each set.
std::vector<double> sums(const NormSets& s, const std::function<double(std::size_t)>& term) {
  std::vector<double> total(s.count(), 0.0);
  for (std::size_t i = 0; i < s.samples * s.rows * s.channels; ++i) total[set_of(s, i)] += term(i);
  return total;
}

NormStatistics naive_statistics(const NormSets& s, const Tensor& x) {
  NormStatistics naive{static_cast<double>(s.values()), std::vector<double>(s.count(), 0.0), {}};
  if (s.centred) naive.mean = sums(s, [&](std::size_t i) { return at(x, i) / naive.count; });
  naive.m2 = sums(s, [&](std::size_t i) { return std::pow(at(x, i) - naive.mean[set_of(s, i)], 2); });
  return naive;
}

double x_hat(const NormSets& s, const NormStatistics& statistics, const Tensor& x, std::size_t i) {
  const std::size_t k = set_of(s, i);
  return (at(x, i) - statistics.mean[k]) / std::sqrt(statistics.m2[k] / statistics.count + kEps);
}

void check_close(const std::vector<double>& found, const std::vector<double>& expected, double scale = 1) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t k = 0; k < found.size(); ++k)
    CHECK(std::abs(found[k] - expected[k]) < kClose * std::max(scale, std::abs(expected[k])));
}

Tensor dx_from(const NormSets& s, const Example& e, const NormStatistics& statistics, const NormSums& given) {
  Tensor dx(e.x.shape());
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const std::size_t k = set_of(s, i);
    const double m1 = s.centred ? given.dx_hat[k] / statistics.count : 0, m2 = given.dx_hat_x_hat[k] / statistics.count;
    const double rstd = 1 / std::sqrt(statistics.m2[k] / statistics.count + kEps);
    dx.data()[i] = static_cast<Scalar>(rstd * (at(e.gamma, i) * at(e.dy, i) - m1 - x_hat(s, statistics, e.x, i) * m2));
  }
  return dx;
}

}  // namespace

TEST_CASE("norm kernel: statistics that are handed out, alone and by the forward, and y") {
  for (const NormSets& s : all_sets()) {
    CAPTURE(s.rows);
    CAPTURE(s.groups);
    CAPTURE(s.centred);
    const Example e(s);
    const NormStatistics expected = naive_statistics(s, e.x), alone = norm_statistics(e.x, s);
    const NormForward f = norm_forward(e.x, e.gamma, e.beta, s, kEps);
    CHECK(alone.count == expected.count);
    check_close(alone.mean, expected.mean);
    check_close(alone.m2, expected.m2);
    CHECK(f.statistics.mean == alone.mean);
    CHECK(f.statistics.m2 == alone.m2);
    Tensor y(e.x.shape());
    for (std::size_t i = 0; i < y.size(); ++i)
      y.data()[i] = static_cast<Scalar>(at(e.gamma, i) * x_hat(s, expected, e.x, i) + at(e.beta, i));
    CHECK(max_error(f.y, y) < kClose);
  }
}

TEST_CASE("norm kernel: sums of a set, its own and given ones, and what they make of dx") {
  for (const NormSets& s : all_sets()) {
    CAPTURE(s.rows);
    CAPTURE(s.groups);
    CAPTURE(s.centred);
    const Example e(s);
    const NormForward f = norm_forward(e.x, e.gamma, e.beta, s, kEps);
    const NormUpstream upstream{e.dy, e.x, f.statistics, e.gamma, e.beta};
    const auto dx_hat = [&](std::size_t i) { return at(e.gamma, i) * at(e.dy, i); };
    const NormSums expected{sums(s, dx_hat),
                            sums(s, [&](std::size_t i) { return dx_hat(i) * x_hat(s, f.statistics, e.x, i); })};
    const NormSums found = norm_sums(upstream, s, kEps);
    const double scale = static_cast<double>(s.values());
    check_close(found.dx_hat, expected.dx_hat, scale);
    check_close(found.dx_hat_x_hat, expected.dx_hat_x_hat, scale);

    const NormBackward own = norm_backward(upstream, s, kEps);
    CHECK(max_error(own.dx, dx_from(s, e, f.statistics, expected)) < kClose);
    const NormBackward same = norm_backward(upstream, s, kEps, Epilogue::None, &found);
    CHECK(identical(same.dx, own.dx));  // its own sums, handed out and given back

    NormSums other = found;  // as from another machine: they change dx, and not the gradients of gamma and beta
    for (double& v : other.dx_hat) v += scale;
    for (double& v : other.dx_hat_x_hat) v -= scale / 2;
    const NormBackward changed = norm_backward(upstream, s, kEps, Epilogue::None, &other);
    CHECK(max_error(changed.dx, dx_from(s, e, f.statistics, other)) < kClose);
    CHECK(max_error(changed.dx, own.dx) > 1e-2);
    CHECK(identical(changed.dgamma, own.dgamma));
    CHECK(identical(changed.dbeta, own.dbeta));
  }
}

TEST_CASE("norm kernel: sums behind an epilogue are those of the gradient that it lets through") {
  const NormSets s{3, 20, 8, 2};
  const Example e(s);
  const Tensor residual = normal(e.x.shape(), 5);
  for (const Epilogue epilogue : {Epilogue::Relu, Epilogue::AddRelu}) {
    const NormForward f = norm_forward(e.x, e.gamma, e.beta, s, kEps, epilogue, &residual);
    Tensor dz = e.dy;
    for (std::size_t i = 0; i < dz.size(); ++i)
      if (f.y.data()[i] <= 0) dz.data()[i] = 0;
    const NormSums behind = norm_sums({e.dy, e.x, f.statistics, e.gamma, e.beta, &f.y}, s, kEps, epilogue);
    const NormSums before = norm_sums({dz, e.x, f.statistics, e.gamma, e.beta}, s, kEps);
    check_close(behind.dx_hat, before.dx_hat);
    check_close(behind.dx_hat_x_hat, before.dx_hat_x_hat);
  }
}

TEST_CASE("norm kernel: given statistics take the place of its own") {
  const NormSets s{1, 40, 6, 6};
  const Example e(s);
  NormStatistics given = norm_statistics(normal(e.x.shape(), 6), s);
  const NormForward f = norm_forward(e.x, e.gamma, e.beta, s, kEps, Epilogue::None, nullptr, &given);
  CHECK(f.statistics.mean == given.mean);
  Tensor y(e.x.shape());
  for (std::size_t i = 0; i < y.size(); ++i)
    y.data()[i] = static_cast<Scalar>(at(e.gamma, i) * x_hat(s, given, e.x, i) + at(e.beta, i));
  CHECK(max_error(f.y, y) < kClose);
}
