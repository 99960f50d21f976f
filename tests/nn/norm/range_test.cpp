// The three forms of every norm over the range of deviations that docs/normalization.md promises, and on sets of many
// values far from 0: against the formulas in long double.

#include <doctest/doctest.h>

#include "tensor/reduce.hpp"
#include "tests/nn/norm/norms.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

/// y, dx, dgamma and dbeta from the formulas, and of each set the mean and the unbiased variance. With `given`, (mean,
/// variance) by channel, these are constants.
struct Expected {
  using Number = long double;

  Expected(const Case& c, const Example& e, const std::pair<Tensor, Tensor>* given = nullptr)
      : y(e.x.size()), dx(e.x.size()), dgamma(e.gamma.size()), dbeta(e.gamma.size()) {
    const std::size_t n = e.x.size(), C = e.x.shape().back();
    const auto set = [&](std::size_t i) { return given ? i % C : c.set_of(i); };
    const auto number = [](const Tensor& t, std::size_t i) { return static_cast<Number>(t.data()[i % t.size()]); };
    std::size_t sets = 0;
    for (std::size_t i = 0; i < n; ++i) sets = std::max(sets, set(i) + 1);
    std::vector<Number> count(sets, 0), variance(sets, 0), along_one(sets, 0), along_x(sets, 0);
    mean.resize(sets, 0);
    for (std::size_t i = 0; i < n; ++i) count[set(i)] += 1;
    for (std::size_t i = 0; i < n; ++i) mean[set(i)] += number(e.x, i) / count[set(i)];
    if (given)
      for (std::size_t k = 0; k < sets; ++k) mean[k] = number(given->first, k);
    for (std::size_t i = 0; i < n; ++i)
      variance[set(i)] += (number(e.x, i) - mean[set(i)]) * (number(e.x, i) - mean[set(i)]) / count[set(i)];
    if (given)
      for (std::size_t k = 0; k < sets; ++k) variance[k] = number(given->second, k);
    for (std::size_t k = 0; k < sets; ++k) unbiased.push_back(variance[k] * count[k] / (count[k] - 1));
    const auto r = [&](std::size_t i) { return 1 / std::sqrt(variance[set(i)] + static_cast<Number>(c.eps)); };
    const auto x_hat = [&](std::size_t i) { return (number(e.x, i) - mean[set(i)]) * r(i); };
    const auto dx_hat = [&](std::size_t i) { return number(e.gamma, i) * number(e.dy, i); };
    for (std::size_t i = 0; i < n && !given; ++i) {
      along_one[set(i)] += dx_hat(i) / count[set(i)];
      along_x[set(i)] += dx_hat(i) * x_hat(i) / count[set(i)];
    }
    for (std::size_t i = 0; i < n; ++i) {
      y[i] = number(e.gamma, i) * x_hat(i) + number(e.beta, i);
      dx[i] = r(i) * (dx_hat(i) - along_one[set(i)] - x_hat(i) * along_x[set(i)]);
      steepest = std::max(steepest, r(i) * std::abs(dx_hat(i)));
      dgamma[i % dgamma.size()] += number(e.dy, i) * x_hat(i);
      largest_sum += std::abs(number(e.dy, i) * x_hat(i)) / static_cast<Number>(dgamma.size());
      dbeta[i % dbeta.size()] += number(e.dy, i);
    }
  }

  std::vector<Number> y, dx, dgamma, dbeta, mean, unbiased;
  Number steepest = 0;     // max|r·dx_hat|: with two values in a set, dx is what is left of such numbers
  Number largest_sum = 0;  // the mean over the channels of Σ|dy·x_hat|: dgamma is what is left of that
};

/// max|found − expected| / max(scale, max|expected|).
double error(const Tensor& found, const std::vector<long double>& expected, long double scale = 0) {
  REQUIRE(found.size() == expected.size());
  long double difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const long double d = std::abs(static_cast<long double>(found.data()[i]) - expected[i]);
    if (!std::isfinite(d)) return std::numeric_limits<double>::infinity();
    difference = std::max(difference, d);
    scale = std::max(scale, std::abs(expected[i]));
  }
  return static_cast<double>(difference / scale);
}

void check_forms(const Case& c, const Example& e, double tolerance, const std::pair<Tensor, Tensor>* given = nullptr) {
  CAPTURE(c.name);
  const Expected expected(c, e, given);
  for (const GradientForm form : kForms) {
    CAPTURE(form);
    const Result found = run(c.norm, e, form);
    CHECK(error(found.y, expected.y) < tolerance);
    CHECK(error(found.dx, expected.dx, expected.steepest) < tolerance);
    CHECK(error(found.dgamma, expected.dgamma, expected.largest_sum) < tolerance);
    CHECK(error(found.dbeta, expected.dbeta) < tolerance);
  }
}

/// x of normal numbers with this deviation and a mean of `offset` deviations.
Example example(const Case& c, double deviation, double offset) {
  Example e(c, 41);
  e.x = normal(c.shape, 42);
  for (Scalar& v : e.x) v = static_cast<Scalar>((static_cast<double>(v) + offset) * deviation);
  return e;
}

/// To the limits that docs/normalization.md names.
const std::vector<double> kDeviations = kDouble ? std::vector<double>{1e-150, 1e-18, 1e-6, 1, 1e6, 1e18, 1e150}
                                                : std::vector<double>{1e-18, 1e-12, 1e-6, 1, 1e6, 1e12, 1e18};

std::vector<Case> cases_with(double eps) {
  return {batch({300, 5}, eps),           batch({7, 3, 5, 17}, eps),
          batch({8, 8, 8, 16}, eps),      batch({3, 3}, eps),
          layer({7, 5}, 1, eps),          layer({3, 700}, 1, eps),
          layer({3, 4, 5, 6}, 3, eps, 1), layer({2, 3, 4, 6}, 2, eps),
          instance({3, 8, 8, 4}, eps),    instance({2, 9, 17}, eps),
          group({3, 8, 8, 6}, 2, eps),    group({2, 16, 16, 16}, 4, eps)};
}

}  // namespace

TEST_CASE("norm range: deviations from 1e-18 to 1e18, with and without eps, all forms") {
  for (const double eps : {0.0, 1e-5})
    for (const double deviation : kDeviations)
      for (const double offset : {0.0, 3.0, -100.0}) {
        CAPTURE(deviation);
        CAPTURE(offset);
        for (const Case& c : cases_with(eps)) check_forms(c, example(c, deviation, offset), kDouble ? 1e-12 : 2e-4);
      }
}

TEST_CASE("norm range: beyond, where squares of floats overflow or vanish" * doctest::skip(kDouble)) {
  const Case c = batch({300, 5}), without_eps = batch({300, 5}, 0);
  for (const double deviation : {1e20, 1e30, 1e36}) {
    CAPTURE(deviation);
    const Example e = example(c, deviation, 0);
    const Expected expected(c, e);
    const Result kernel = run(c.norm, e, GradientForm::Fused);
    CHECK(error(kernel.y, expected.y) < 2e-4);
    CHECK(error(kernel.dx, expected.dx, expected.steepest) < 2e-4);
    Tensor mean = zeros({5}), var = zeros({5});
    batch_norm(Variable(e.x), Variable(e.gamma), Variable(e.beta), 1e-5, RunningStatistics{mean, var, 1});
    CHECK(error(mean, expected.mean) < 1e-6);
    CHECK(std::isinf(var.data()[2]));
    for (const GradientForm form : {GradientForm::ByHand, GradientForm::Derived}) {
      const Result found = run(c.norm, e, form);
      for (std::size_t i = 0; i < found.y.size(); ++i) CHECK(at(found.y, i) == at(e.beta, i));
      if (form == GradientForm::ByHand) CHECK(largest(found.dx) == 0);
    }
  }
  for (const double deviation : {1e-19, 1e-22, 1e-30}) {
    CAPTURE(deviation);
    check_forms(c, example(c, deviation, 0), 2e-4);
    if (deviation > 1e-23) continue;
    const Example e = example(without_eps, deviation, 0);
    const Expected expected(without_eps, e);
    for (const GradientForm form : kForms) CHECK(error(run(without_eps.norm, e, form).y, expected.y) > 0.1);
  }
}

TEST_CASE("norm range: evaluation with statistics of deviations from 1e-18 to 1e18") {
  for (const double eps : {0.0, 1e-5})
    for (const double deviation : kDeviations) {
      CAPTURE(deviation);
      Case c = evaluation({9, 4, 5}, eps);
      Tensor mean = normal({5}, 43), var = positive({5}, 44);
      for (Scalar& v : mean) v = static_cast<Scalar>(static_cast<double>(v) * deviation);
      for (Scalar& v : var) v = static_cast<Scalar>(static_cast<double>(v) * deviation * deviation);
      c.norm = [=](const Variable& x, const Variable& gamma, const Variable& beta) {
        return batch_norm_eval(x, gamma, beta, mean, var, eps);
      };
      const std::pair<Tensor, Tensor> given(mean, var);
      check_forms(c, example(c, deviation, 0), kDouble ? 1e-14 : 1e-5, &given);
    }
}

TEST_CASE("norm range: running statistics are those of the values, whatever eps is beside their variance") {
  for (const double eps : {0.0, 1e-5, 1e3})
    for (const double deviation : kDeviations)
      for (const bool per_instance : {false, true})
        for (const GradientForm form : kForms) {
          CAPTURE(eps);
          CAPTURE(deviation);
          CAPTURE(per_instance);
          CAPTURE(form);
          const GradientMode mode(form);
          const Case c = per_instance ? instance({3, 40, 5}, eps) : batch({3, 40, 5}, eps);
          const Example e = example(c, deviation, 2);
          const Expected expected(c, e);
          Tensor mean = zeros({5}), var = zeros({5});
          const RunningStatistics running{mean, var, 1};
          const Variable x(e.x), gamma(e.gamma), beta(e.beta);
          if (per_instance)
            instance_norm(x, gamma, beta, eps, running);
          else
            batch_norm(x, gamma, beta, eps, running);
          std::vector<long double> mean_of_sets(5, 0), variance_of_sets(5, 0);
          const std::size_t sets = expected.mean.size() / 5;
          for (std::size_t k = 0; k < expected.mean.size(); ++k) {
            mean_of_sets[k % 5] += expected.mean[k] / static_cast<long double>(sets);
            variance_of_sets[k % 5] += expected.unbiased[k] / static_cast<long double>(sets);
          }
          CHECK(error(mean, mean_of_sets) < (kDouble ? 6e-16 : 2e-7));
          CHECK(error(var, variance_of_sets) < (kDouble ? 4e-15 : 3e-6));
        }
}

TEST_CASE("norm range: 500,000 values of 1e6, all forms, and their running statistics") {
  const std::size_t n = 500000;
  for (const double spread : {1.0, 1000.0}) {
    CAPTURE(spread);
    Tensor x = normal({n, 1}, 45);
    for (Scalar& v : x) v = static_cast<Scalar>(1e6 + spread * static_cast<double>(v));
    const auto check_one = [&](Case c, const Shape& shape) {
      Example e(c, 46);
      e.x = Tensor(shape);
      std::copy(x.begin(), x.end(), e.x.begin());
      // In float the mean is stored to 1/32, which x_hat divides by the deviation.
      check_forms(c, e, kDouble ? 1e-9 : 0.05 / spread);
    };
    check_one(batch({n, 1}), {n, 1});
    check_one(layer({1, n}, 1), {1, n});
    check_one(instance({1, n, 1}), {1, n, 1});
    check_one(group({1, n / 4, 4}, 1), {1, n / 4, 4});
    for (const GradientForm form : kForms) {
      CAPTURE(form);
      const GradientMode mode(form);
      const Case c = batch({n, 1});
      Example e(c, 46);
      e.x = x;
      const Expected expected(c, e);
      Tensor mean = zeros({1}), var = zeros({1});
      batch_norm(Variable(x), Variable(e.gamma), Variable(e.beta), 1e-5, RunningStatistics{mean, var, 1});
      CHECK(error(mean, expected.mean) < (kDouble ? 6e-16 : 6e-8));
      CHECK(error(var, expected.unbiased) < (kDouble ? 1e-12 : 2e-3 / spread));
    }
  }
}

TEST_CASE("norm range: equal numbers are their own mean, and give beta") {
  for (const double value : {0.1, 1e6 + 0.1, -7e11, 1.1e-13, 1e18}) {
    CAPTURE(value);
    for (const Case& c : {batch({49, 5}), batch({3, 7, 5, 64}), batch({500, 130}), layer({2, 49}, 1),
                          layer({3, 1000}, 1), layer({1, 50003}, 1), instance({2, 49, 3}), instance({2, 8, 8, 16}),
                          group({2, 7, 7, 6}, 2), group({2, 16, 16, 16}, 1), group({1, 75, 75, 8}, 2)}) {
      CAPTURE(c.name);
      Example e(c, 47);
      e.x = Tensor(c.shape, static_cast<Scalar>(value));
      for (const GradientForm form : kForms) {
        CAPTURE(form);
        const Tensor y = run(c.norm, e, form).y;
        bool is_beta = true;
        for (std::size_t i = 0; i < y.size(); ++i) is_beta = is_beta && at(y, i) == at(e.beta, i);
        CHECK(is_beta);
      }
    }
  }
}

TEST_CASE("norm range: a set of one value gives beta and no gradient, all forms") {
  for (const double value : {0.1, -1e18, 1e-18})
    for (const Case& c : {layer({5, 1}, 1), layer({1, 1, 1, 1}, 3, 1e-5, 1), group({3, 4}, 4), group({1, 2}, 2)}) {
      CAPTURE(value);
      CAPTURE(c.name);
      Example e(c, 48);
      e.x = Tensor(c.shape, static_cast<Scalar>(value));
      for (const GradientForm form : kForms) {
        CAPTURE(form);
        const Result found = run(c.norm, e, form);
        for (std::size_t i = 0; i < found.y.size(); ++i) CHECK(at(found.y, i) == at(e.beta, i));
        CHECK(largest(found.dx) == 0);
        CHECK(largest(found.dgamma) == 0);
      }
    }
}
