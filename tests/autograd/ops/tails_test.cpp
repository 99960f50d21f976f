// Definitions, forms by hand and their derivatives over the whole range of the type: compared element by element with
// the formulas in long double, which are written so that nothing cancels.

#include <doctest/doctest.h>

#include <functional>

#include "autograd/functional.hpp"
#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/elementwise.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

using Real = long double;
using Formula = Real (*)(Real);
using Limits = std::numeric_limits<Scalar>;

/// Both zeros, all magnitudes, the edges of the type, infinities; and random numbers in between.
Tensor whole_range() {
  std::vector<double> list = {0, -0.0};
  for (const double x :
       {1e-300, 1e-30, 1e-10, 1e-4,  0.1,   0.5,   1.0,   2.0,  3.0,  4.0,  5.0,  7.0,  8.0,  9.0,  10.0,
        13.0,   15.0,  16.0,  17.0,  20.0,  26.0,  30.0,  37.0, 40.0, 50.0, 80.0, 87.0, 88.0, 89.0, 100.0,
        103.0,  104.0, 500.0, 700.0, 740.0, 745.0, 746.0, 1e3,  1e4,  1e10, 1e20, 1e30, 1e300})
    for (const double sign : {1.0, -1.0}) list.push_back(sign * x);
  for (const double x : {double{Limits::max()}, double{Limits::max()} / 1.5, double{Limits::min()},
                         std::numeric_limits<double>::infinity()})
    for (const double sign : {1.0, -1.0}) list.push_back(sign * x);
  Generator generator(7, 1);
  for (int i = 0; i < 300; ++i) {
    list.push_back(10 * (2 * generator.uniform() - 1));
    list.push_back(110 * (2 * generator.uniform() - 1));
    list.push_back(800 * (2 * generator.uniform() - 1));
    list.push_back((generator.uniform() < 0.5 ? 1 : -1) * std::pow(10, 70 * generator.uniform() - 35));
  }
  return tensor(list, {list.size()});
}

/// f at x; at an infinite one the limit.
Real at(Formula f, Real x) {
  if (std::isfinite(x)) return f(x);
  const Real y = f(x > 0 ? 20000 : -20000);
  return std::abs(y) < 100 ? y : y > 0 ? x * x : -x * x;
}

/// How many times larger than allowed the error of `found` is; 0 if it is allowed. Allowed are a few roundings of the
/// result and of x, whose effect |x·f'(x)| is measured with a difference; where x is moderate, and derivatives change
/// their signs, a few roundings of 1; and of the smallest number there is, times a polynomial of x as in gelu's
/// derivatives.
Real excess(Scalar found, Real x, Formula f) {
  const Real expected = at(f, x), rounding = 16 * static_cast<Real>(Limits::epsilon());
  if (std::abs(expected) > static_cast<Real>(Limits::max()) || !std::isfinite(x) || std::isnan(found))
    return static_cast<Scalar>(expected) == found ? 0 : std::numeric_limits<Real>::infinity();
  const Real h = 1e-6L, effect = std::abs(f(x * (1 + h)) - f(x * (1 - h))) / (2 * h);
  const Real tiny = (2 + std::min(x * x * x * x, Real{2e5})) * static_cast<Real>(Limits::denorm_min());
  const Real allowed = rounding * (std::abs(expected) + effect + (std::abs(x) < 6 && x != 0)) + tiny;
  const Real error = std::abs(static_cast<Real>(found) - expected);
  return error <= allowed ? 0 : error / allowed;
}

void check_everywhere(const char* what, const Tensor& x, const Tensor& found, Formula f) {
  REQUIRE(found.size() == x.size());
  std::string worst;
  Real largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Real v = static_cast<Real>(x.data()[i]), error = excess(found.data()[i], v, f);
    if (error <= largest) continue;
    largest = error;
    worst = fmt::format("{} at {}: {}, expected {}", what, x.data()[i], found.data()[i], static_cast<double>(at(f, v)));
  }
  CHECK(worst == "");
}

/// y = f(x) element by element, with its first derivative, by a backward and on the tape, and its second.
void check_to_second_order(const Variable& x, const Variable& y, Formula f, Formula d1, Formula d2) {
  GradOptions on_tape;
  on_tape.create_graph = on_tape.allow_unused = true;
  GradOptions off_tape;
  off_tape.retain_graph = true;
  const Tensor &at = x.value(), one = ones(at.shape());
  check_everywhere("value", at, y.value(), f);
  check_everywhere("derivative", at, grad({y}, {x}, {Variable(one)}, off_tape)[0].value(), d1);
  const Variable first = grad({y}, {x}, {Variable(one)}, on_tape)[0];
  check_everywhere("derivative with create_graph", at, first.value(), d1);
  const Variable second = first.requires_grad() ? grad({first}, {x}, {Variable(one)}, on_tape)[0] : Variable();
  check_everywhere("second derivative", at, second.defined() ? second.value() : zeros(at.shape()), d2);
}

// The formulas. e is exp(−|x|): nothing overflows, and where the result is small, it is a product.
Real e_of(Real x) { return std::exp(-std::abs(x)); }
Real logistic(Real x) { return (x < 0 ? e_of(x) : 1) / (1 + e_of(x)); }
Real logistic1(Real x) { return e_of(x) / ((1 + e_of(x)) * (1 + e_of(x))); }
Real logistic2(Real x) { return -logistic1(x) * std::tanh(x / 2); }
Real softplus_of(Real x) { return (x > 0 ? x : 0) + std::log1p(e_of(x)); }
const Real kPi = std::acos(Real{-1});
Real density(Real x) { return std::exp(-x * x / 2) / std::sqrt(2 * kPi); }
Real distribution(Real x) { return std::erfc(-x / std::sqrt(Real{2})) / 2; }
Real bell(Real x) { return 2 / std::sqrt(kPi) * std::exp(-x * x); }
const Real kA = 2 * std::sqrt(2 / kPi), kB = 0.044715L;  // gelu with tanh is x·σ(v), v = a·(x + b·x³)
Real inner(Real x) { return kA * (x + kB * x * x * x); }
Real inner1(Real x) { return kA * (1 + 3 * kB * x * x); }
Real inner2(Real x) { return kA * 6 * kB * x; }
Real zero(Real) { return 0; }
Real step(Real x) { return x > 0; }
Real exp_of(Real x) { return std::exp(x); }
Real sech2(Real x) { return 4 * logistic1(2 * x); }

struct Activation {
  std::string name;
  Variable (*function)(const Variable&);
  Formula f, d1, d2;
};

const std::vector<Activation>& activations() {
  static const std::vector<Activation> list = {
      {"relu", relu, [](Real x) { return x > 0 ? x : 0; }, step, zero},
      {"sigmoid", sigmoid, logistic, logistic1, logistic2},
      {"softplus", softplus, softplus_of, logistic, logistic1},
      {"silu", silu, [](Real x) { return x * logistic(x); }, [](Real x) { return logistic(x) + x * logistic1(x); },
       [](Real x) { return 2 * logistic1(x) + x * logistic2(x); }},
      {"leaky_relu", [](const Variable& x) { return leaky_relu(x, Scalar(0.25)); },
       [](Real x) { return x > 0 ? x : x / 4; }, [](Real x) { return x > 0 ? Real{1} : Real{0.25}; }, zero},
      {"leaky_relu, slope 0", [](const Variable& x) { return leaky_relu(x, 0); }, [](Real x) { return x > 0 ? x : 0; },
       step, zero},
      {"elu", [](const Variable& x) { return elu(x); }, [](Real x) { return x > 0 ? x : std::expm1(x); },
       [](Real x) { return x > 0 ? 1 : std::exp(x); }, [](Real x) { return x > 0 ? 0 : std::exp(x); }},
      {"elu, alpha 1.5", [](const Variable& x) { return elu(x, Scalar(1.5)); },
       [](Real x) { return x > 0 ? x : Real{1.5} * std::expm1(x); },
       [](Real x) { return x > 0 ? 1 : Real{1.5} * std::exp(x); },
       [](Real x) { return x > 0 ? 0 : Real{1.5} * std::exp(x); }},
      {"gelu", [](const Variable& x) { return gelu(x); }, [](Real x) { return x * distribution(x); },
       [](Real x) { return distribution(x) + x * density(x); }, [](Real x) { return (2 - x * x) * density(x); }},
      {"gelu with tanh", [](const Variable& x) { return gelu(x, Gelu::Tanh); },
       [](Real x) { return x * logistic(inner(x)); },
       [](Real x) { return logistic(inner(x)) + x * logistic1(inner(x)) * inner1(x); },
       [](Real x) {
         const Real v = inner(x), v1 = inner1(x);
         return logistic1(v) * (2 * v1 + x * inner2(x)) + x * logistic2(v) * v1 * v1;
       }},
      {"tanh", tanh, [](Real x) { return std::tanh(x); }, sech2, [](Real x) { return -2 * std::tanh(x) * sech2(x); }},
      {"erf", erf, [](Real x) { return std::erf(x); }, bell, [](Real x) { return -2 * x * bell(x); }},
      {"expm1", expm1, [](Real x) { return std::expm1(x); }, exp_of, exp_of},
      {"exp", exp, exp_of, exp_of, exp_of},
      {"softplus(-x), which is -log(sigmoid(x))", [](const Variable& x) { return softplus(-x); },
       [](Real x) { return softplus_of(-x); }, [](Real x) { return -logistic(-x); }, logistic1},
  };
  return list;
}

}  // namespace

TEST_CASE("tails: functions and their derivatives are right over the whole range, by hand and by the definition") {
  for (const bool derived : {false, true})
    for (const Activation& op : activations()) {
      CAPTURE(op.name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      const Variable x(whole_range(), true);
      check_to_second_order(x, op.function(x), op.f, op.d1, op.d2);
    }
}

TEST_CASE("tails: the logarithm of the sigmoid has derivative 1 far to the left, with and without a graph") {
  for (const bool derived : {false, true})
    for (const bool create_graph : {false, true})
      for (const double at_x : {-1.0, -10.0, -20.0, -50.0, -80.0}) {
        CAPTURE(derived);
        CAPTURE(create_graph);
        CAPTURE(at_x);
        const DerivedGradients mode(derived);
        GradOptions options;
        options.create_graph = create_graph;
        const Variable x(scalar(static_cast<Scalar>(at_x)), true);
        const double slope = static_cast<double>(grad({log(sigmoid(x))}, {x}, {}, options)[0].item());
        CHECK(slope == doctest::Approx(1 / (1 + std::exp(at_x))).epsilon(1e-6));
      }
}

TEST_CASE("tails: the sigmoid loss of every logit, with targets of 0, 1 and between") {
  // t·log(1 + e^−x) + (1 − t)·log(1 + e^x); where a factor is 0, the term does not count.
  struct Target {
    double t;
    Formula f, d1;
  };
  const std::vector<Target> targets = {
      {0, softplus_of, logistic},
      {1, [](Real x) { return softplus_of(-x); }, [](Real x) { return -logistic(-x); }},
      {0.25, [](Real x) { return (softplus_of(-x) + 3 * softplus_of(x)) / 4; },
       [](Real x) { return (3 * logistic(x) - logistic(-x)) / 4; }}};
  for (const bool derived : {false, true})
    for (const Target& target : targets) {
      CAPTURE(derived);
      CAPTURE(target.t);
      const DerivedGradients mode(derived);
      const Variable x(whole_range(), true), t(full({1}, static_cast<Scalar>(target.t)));
      Variables losses;
      for (const Variable& logit : split(x, std::vector<std::size_t>(x.size(), 1), 0))
        losses.push_back(binary_cross_entropy_with_logits(logit, t));
      check_to_second_order(x, stack(losses), target.f, target.d1, logistic1);
    }
}

TEST_CASE("tails: logsumexp of x and 0 is softplus(x)") {
  std::vector<double> list;
  for (const Scalar v : whole_range())
    if (v < Limits::infinity()) list.push_back(static_cast<double>(v));  // ∞ has no softmax, which is the derivative
  const Variable x(tensor(list, {list.size(), 1}), true);
  const Variable y = logsumexp(concatenate({x, Variable(zeros(x.shape()))}, 1), {1}, true);
  check_everywhere("value", x.value(), y.value(), softplus_of);
  check_everywhere("derivative", x.value(), grad({y}, {x}, {Variable(ones(x.shape()))})[0].value(), logistic);
}

TEST_CASE("tails: softmax, its logarithm and cross-entropy of two logits are functions of their difference") {
  // p_0 = σ(x_0 − x_1). An infinite largest logit has no softmax.
  for (const bool derived : {false, true})
    for (const double offset : {0.0, 64.0, -1000.0, 1048576.0, 1e16}) {
      CAPTURE(derived);
      CAPTURE(offset);
      const DerivedGradients mode(derived);
      std::vector<double> list;  // differences that the addition of the offset leaves as they are
      for (const Scalar v : whole_range()) {
        const auto base = static_cast<Scalar>(offset), difference = (v + base) - base;
        if (offset == 0 ? v < Limits::infinity()
                        : std::isfinite(difference) && (difference + base) - base == difference)
          list.push_back(static_cast<double>(difference));
      }
      const std::size_t n = list.size();
      const Variable x(tensor(list, {n, 1}), true), base(full({n, 1}, static_cast<Scalar>(offset)));
      const Variable logits = concatenate({x + base, base}, 1);
      const auto column = [](const Variable& y, std::size_t k) { return split(y, {1, 1}, 1)[k]; };
      const Indices labels(Shape{1}, 0);
      Variables losses;
      for (const Variable& row : split(logits, std::vector<std::size_t>(n, 1), 0))
        losses.push_back(cross_entropy(row, labels));
      const auto minus_log = [](Real v) { return softplus_of(-v); };
      const auto slope = [](Real v) { return -logistic(-v); };
      SUBCASE("softmax") {
        check_to_second_order(x, column(softmax(logits), 0), logistic, logistic1, logistic2);
        check_to_second_order(
            x, column(softmax(logits), 1), [](Real v) { return logistic(-v); }, [](Real v) { return -logistic1(v); },
            [](Real v) { return -logistic2(v); });
      }
      SUBCASE("log_softmax") {
        check_to_second_order(x, -column(log_softmax(logits), 0), minus_log, slope, logistic1);
        check_to_second_order(x, -column(log_softmax(logits), 1), softplus_of, logistic, logistic1);
      }
      SUBCASE("cross_entropy") { check_to_second_order(x, unsqueeze(stack(losses), 1), minus_log, slope, logistic1); }
    }
}
