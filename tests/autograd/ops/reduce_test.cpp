#include "autograd/ops/reduce.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("reduce ops: sum and mean over every subset of axes send dy back to every element") {
  const Shape shape = {2, 3, 4, 5};
  for (unsigned subset = 0; subset < 16; ++subset)
    for (const bool keepdims : {false, true}) {
      Axes axes;
      Shape kept;
      for (int k = 0; k < 4; ++k) {
        const bool reduced = subset == 0 || (subset >> k & 1) != 0;  // none means all
        if (subset != 0 && reduced) axes.push_back(k % 2 == 0 ? k - 4 : k);
        kept.push_back(reduced ? 1 : shape[static_cast<std::size_t>(k)]);
      }
      CAPTURE(subset);
      CAPTURE(keepdims);
      Variable x(normal(shape, 1), true);
      const Variable y = sum(x, axes, keepdims), m = mean(x, axes, keepdims);
      CHECK(identical(y.value(), xtg::sum(x.value(), axes, keepdims)));
      CHECK(identical(m.value(), xtg::mean(x.value(), axes, keepdims)));
      const Tensor dy = normal(y.shape(), 2);
      Tensor expected = zeros(shape);
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected.data()[i] = dy.data()[broadcast_offset(i, shape, kept)];
      y.backward(dy);
      CHECK(largest(x.grad()) > 0.01);
      CHECK(identical(x.grad(), expected));
      x.zero_grad();
      m.backward(dy);
      const Scalar n = static_cast<Scalar>(count(shape) / count(kept));
      for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] /= n;
      CHECK(max_error(x.grad(), expected) < 1e-6);
    }
}

TEST_CASE("reduce ops: a scalar, and zero elements") {
  Variable s(scalar(3), true);
  mean(s).backward();
  CHECK(identical(s.grad(), scalar(1)));
  for (const Axes& axes : {Axes{0}, Axes{1}, Axes{}}) {
    Variable x(zeros({0, 3}), true);
    const Variable y = sum(x, axes);
    y.backward(ones(y.shape()));
    CHECK(x.grad().shape() == Shape{0, 3});
  }
  Variable x(zeros({0, 3}), true);  // rows of three, but no rows
  const Variable m = mean(x, {1});
  CHECK(m.shape() == Shape{0});
  m.backward(zeros({0}));
  CHECK(x.grad().shape() == Shape{0, 3});
}

TEST_CASE("reduce ops: broadcast_to and sum_to are each other's gradient") {
  const std::vector<std::pair<Shape, Shape>> cases = {
      {{4}, {2, 3, 4}}, {{3, 1}, {2, 3, 4}}, {{2, 1, 4}, {2, 3, 4}}, {{}, {2, 3}},
      {{1, 1}, {0, 3}}, {{2, 3}, {2, 3}},    {{1, 3, 1}, {4, 3, 2}}};
  for (const auto& shapes : cases) {
    const Shape &small = shapes.first, &large = shapes.second;  // clang 14 captures no structured bindings
    CAPTURE(to_string(small));
    CAPTURE(to_string(large));
    Variable x(normal(small, 1), true), y(normal(large, 2), true);
    const Tensor dy = normal(large, 3), dx = normal(small, 4);
    broadcast_to(x, large).backward(dy);
    CHECK(max_error(x.grad(), naive_sum_to(dy, small)) < 1e-5);
    sum_to(y, small).backward(dx);
    CHECK(identical(y.grad(), naive_zip(large, dx, zeros({}), [](Scalar a, Scalar) { return a; })));
  }
}

TEST_CASE("reduce ops: bad arguments are refused by name") {
  const Variable x(zeros({2, 3}), true);
  CHECK(error_of([&] { sum(x, {2}); }) == "ValueError: sum: axis 2 is out of range for 2 axes");
  CHECK(error_of([&] { mean(x, {1, 1}); }) == "ValueError: mean: an axis is named twice in (1, 1)");
  CHECK(error_of([&] {
          mean(Variable(zeros({0, 3}), true), {0});
        }) == "ShapeError: mean: no elements along the reduced axes of (0, 3)");
  CHECK(error_of([&] { broadcast_to(x, {3}); }) == "ShapeError: broadcast_to: (2, 3) does not broadcast to (3)");
  CHECK(error_of([&] { sum_to(x, {3, 3}); }) == "ShapeError: sum_to: shapes (2, 3) and (3, 3) do not broadcast");
}

namespace {

/// The numbers of x that are reduced to each element of the result, from index arithmetic alone.
std::vector<std::vector<double>> groups(const Tensor& x, const Shape& kept) {
  std::vector<std::vector<double>> result(count(kept));
  for (std::size_t i = 0; i < x.size(); ++i)
    result[broadcast_offset(i, x.shape(), kept)].push_back(static_cast<double>(x.data()[i]));
  return result;
}

double mean_of(const std::vector<double>& v) {
  double total = 0;
  for (const double e : v) total += e;
  return total / static_cast<double>(v.size());
}

double variance_of(const std::vector<double>& v, bool unbiased) {
  double total = 0;
  for (const double e : v) total += (e - mean_of(v)) * (e - mean_of(v));
  return total / static_cast<double>(v.size() - (unbiased ? 1 : 0));
}

struct Reduced {
  Axes axes;
  Shape kept;
};

const std::vector<Reduced>& reductions() {  // of (2, 3, 4)
  static const std::vector<Reduced> list = {{{0}, {1, 3, 4}},     {{1}, {2, 1, 4}},    {{-1}, {2, 3, 1}},
                                            {{-1, 0}, {1, 3, 1}}, {{1, 2}, {2, 1, 1}}, {{}, {1, 1, 1}}};
  return list;
}

}  // namespace

TEST_CASE("reduce ops: variance and standard deviation against their formulas, by hand and derived") {
  const Shape shape = {2, 3, 4};
  for (const bool derived : {false, true})
    for (const Reduced& r : reductions())
      for (const bool keepdims : {false, true})
        for (const bool unbiased : {false, true}) {
          CAPTURE(derived);
          CAPTURE(to_string(r.kept));
          CAPTURE(unbiased);
          const DerivedGradients mode(derived);
          Variable x(normal(shape, 1), true);
          const Variable v = variance(x, r.axes, keepdims, unbiased);
          const Variable s = standard_deviation(x, r.axes, keepdims, unbiased);
          CHECK(v.shape() == xtg::sum(x.value(), r.axes, keepdims).shape());
          REQUIRE(s.shape() == v.shape());
          const std::vector<std::vector<double>> all = groups(x.value(), r.kept);
          const Tensor dv = normal(v.shape(), 2), ds = normal(v.shape(), 3);
          std::vector<double> expected_v, expected_s, by_v, by_s;
          for (const std::vector<double>& group : all) {
            expected_v.push_back(variance_of(group, unbiased));
            expected_s.push_back(std::sqrt(expected_v.back()));
          }
          const double n = static_cast<double>(all[0].size()) - (unbiased ? 1 : 0);
          for (std::size_t i = 0; i < x.size(); ++i) {
            const std::size_t g = broadcast_offset(i, shape, r.kept);
            const double slope = 2 * (static_cast<double>(x.value().data()[i]) - mean_of(all[g])) / n;
            by_v.push_back(static_cast<double>(dv.data()[g]) * slope);
            by_s.push_back(static_cast<double>(ds.data()[g]) * slope / (2 * expected_s[g]));
          }
          CHECK(max_error(v.value(), tensor(expected_v, v.shape())) < 10 * kRounding);
          CHECK(max_error(s.value(), tensor(expected_s, s.shape())) < 10 * kRounding);
          v.backward(dv);
          CHECK(largest(x.grad()) > 0.01);
          CHECK(max_error(x.grad(), tensor(by_v, shape)) < 10 * kRounding);
          x.zero_grad();
          s.backward(ds);
          CHECK(max_error(x.grad(), tensor(by_s, shape)) < 10 * kRounding);
        }
  CHECK(variance(Variable(tensor({1, 4}, {2}))).item() == 4.5);  // unbiased is the default
}

TEST_CASE("reduce ops: the variance of numbers far from 0 is not lost in rounding") {
  Tensor x = normal({2000, 3}, 1);
  const double exact = variance_of(groups(x, {1, 3})[1], true);
  for (Scalar& v : x) v += 4096;  // ulps of 5e-4 in float; the squares' ulp is 1, as large as the variance
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    const double found = static_cast<double>(variance(Variable(x), {0}).value().data()[1]);
    CHECK(std::abs(found / exact - 1) < (sizeof(Scalar) == 8 ? 1e-11 : 1e-4));
  }
}

TEST_CASE("reduce ops: variances of deviations from 1e-18 to 1e18, with an offset, against long double") {
  for (const double deviation : {1e-18, 1e-12, 1e-6, 1.0, 1e6, 1e12, 1e18})
    for (const double offset : {0.0, 3.0, -1e4, 1e6})  // in deviations
      for (const std::size_t n : {2, 3, 1000})
        for (const bool unbiased : {false, true})
          for (const bool derived : {false, true}) {
            CAPTURE(deviation);
            CAPTURE(offset);
            CAPTURE(n);
            CAPTURE(unbiased);
            CAPTURE(derived);
            const DerivedGradients mode(derived);
            Tensor values = normal({n}, 8);
            for (Scalar& v : values) v = static_cast<Scalar>((static_cast<double>(v) + offset) * deviation);
            const auto first = static_cast<long double>(values.data()[0]);  // about it, no digits are lost
            long double mean = 0, squares = 0;
            for (const Scalar v : values) mean += (v - first) / static_cast<long double>(n);
            for (const Scalar v : values) squares += (v - first - mean) * (v - first - mean);
            const long double divisor = static_cast<long double>(n) - (unbiased ? 1 : 0), var = squares / divisor;
            if (squares == 0) continue;  // float keeps nothing of two such numbers
            Variable x(values, true);
            const Variable v = variance(x, {}, false, unbiased), s = standard_deviation(x, {}, true, unbiased);
            const double tolerance = sizeof(Scalar) == 8 ? 4e-15 : 2e-6;
            CHECK(std::abs(v.item() / var - 1) < tolerance);
            CHECK(std::abs(s.item() / std::sqrt(var) - 1) < tolerance);
            std::vector<double> by_v, by_s;
            for (const Scalar at : values) {
              by_v.push_back(static_cast<double>(2 * (at - first - mean) / divisor / std::sqrt(var)));
              by_s.push_back(static_cast<double>((at - first - mean) / divisor / std::sqrt(var)));
            }
            v.backward(full({}, static_cast<Scalar>(1 / std::sqrt(var))));
            CHECK(max_error(x.grad(), tensor(by_v, {n})) < tolerance);
            x.zero_grad();
            s.backward(full({1}, 1));
            CHECK(max_error(x.grad(), tensor(by_s, {n})) < tolerance);
          }
}

TEST_CASE("reduce ops: where the standard deviation is 0, its gradient is 0") {
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    Variable x(tensor({3, 3, 3, 1, 2, 3, 0.1, 0.1, 0.1}, {3, 3}), true);  // in double, 0.1 + 0.1 + 0.1 is not 0.3
    const Variable s = standard_deviation(x, {1});
    CHECK(identical(s.value(), tensor({0, 1, 0}, {3})));
    s.backward(tensor({5, 7, 5}, {3}));
    CHECK(max_error(x.grad(), tensor({0, 0, 0, -3.5, 0, 3.5, 0, 0, 0}, {3, 3})) < kRounding);
  }
  CHECK(std::isnan(standard_deviation(Variable(tensor({1, std::nan("")}, {2}))).item()));
}

TEST_CASE("reduce ops: max and min send dy to the extreme, in equal parts to those that tie") {
  const Shape shape = {2, 3, 4};
  for (const Reduced& r : reductions())
    for (const bool keepdims : {false, true})
      for (const bool smallest : {false, true}) {
        CAPTURE(to_string(r.kept));
        CAPTURE(smallest);
        Tensor at = normal(shape, 1);
        for (Scalar& v : at) v = std::round(v);  // many ties
        Variable x(at, true);
        const Variable y = smallest ? min(x, r.axes, keepdims) : max(x, r.axes, keepdims);
        CHECK(identical(y.value(), smallest ? min(at, r.axes, keepdims) : max(at, r.axes, keepdims)));
        const Tensor dy = normal(y.shape(), 2);
        y.backward(dy);
        const std::vector<std::vector<double>> all = groups(at, r.kept);
        std::vector<double> expected;
        for (std::size_t i = 0; i < at.size(); ++i) {
          const std::size_t g = broadcast_offset(i, shape, r.kept);
          const double best = smallest ? *std::min_element(all[g].begin(), all[g].end())
                                       : *std::max_element(all[g].begin(), all[g].end());
          const double ties = static_cast<double>(std::count(all[g].begin(), all[g].end(), best));
          const bool wins = static_cast<double>(at.data()[i]) == best;
          expected.push_back(wins ? static_cast<double>(dy.data()[g]) / ties : 0);
        }
        CHECK(max_error(x.grad(), tensor(expected, shape)) < kRounding);
      }
}

TEST_CASE("reduce ops: a NaN is the maximum and the minimum, and has the gradient") {
  for (const bool smallest : {false, true}) {
    Variable x(tensor({1, std::nan(""), 3, 4, 4, 2}, {2, 3}), true);
    const Variable y = smallest ? min(x, {1}) : max(x, {1});
    CHECK(std::isnan(y.value().data()[0]));
    CHECK(y.value().data()[1] == (smallest ? 2 : 4));
    y.backward(tensor({6, 8}, {2}));
    CHECK(identical(x.grad(), smallest ? tensor({0, 6, 0, 0, 0, 8}, {2, 3}) : tensor({0, 6, 0, 4, 4, 0}, {2, 3})));
  }
}

TEST_CASE("reduce ops: argmax of a Variable") {
  CHECK(equals(argmax(Variable(tensor({1, 5, 5, 7, 0, 7}, {2, 3}), true), -1), {1, 0}, {2}));
}

TEST_CASE("reduce ops: logsumexp against its formula, also where exp would overflow or vanish") {
  const Shape shape = {2, 3, 4};
  for (const double offset : {0.0, 3000.0, -3000.0})
    for (const Reduced& r : reductions())
      for (const bool keepdims : {false, true}) {
        CAPTURE(to_string(r.kept));
        CAPTURE(offset);
        Tensor at = normal(shape, 1);
        for (Scalar& v : at) v += static_cast<Scalar>(offset);
        Variable x(at, true);
        const Variable y = logsumexp(x, r.axes, keepdims);
        CHECK(y.shape() == xtg::sum(at, r.axes, keepdims).shape());
        const Tensor dy = normal(y.shape(), 2);
        y.backward(dy);
        std::vector<double> expected, gradient;
        for (const std::vector<double>& group : groups(at, r.kept)) {
          double total = 0;
          for (const double e : group) total += std::exp(e - offset);
          expected.push_back(std::log(total) + offset);
        }
        for (std::size_t i = 0; i < at.size(); ++i) {
          const std::size_t g = broadcast_offset(i, shape, r.kept);
          const double softmax = std::exp(static_cast<double>(at.data()[i]) - expected[g]);
          gradient.push_back(static_cast<double>(dy.data()[g]) * softmax);
        }
        CHECK(max_error(y.value(), tensor(expected, y.shape())) < 10 * kRounding);
        CHECK(largest(x.grad()) > 0.01);
        CHECK(max_error(x.grad(), tensor(gradient, shape)) < 100 * kRounding);
      }
}

TEST_CASE("reduce ops: logsumexp of infinities") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  Variable x(tensor({-infinity, -infinity, 2, -infinity}, {2, 2}), true);
  const Variable y = logsumexp(x, {1});
  CHECK(identical(y.value(), tensor({-infinity, 2}, {2})));
  y.backward(tensor({3, 5}, {2}));
  CHECK(identical(x.grad(), tensor({0, 0, 5, 0}, {2, 2})));
  CHECK(identical(logsumexp(Variable(tensor({1, infinity}, {2}))).value(), scalar(static_cast<Scalar>(infinity))));
  CHECK(std::isnan(logsumexp(Variable(tensor({1, nan}, {2}))).item()));
}

TEST_CASE("reduce ops: over no elements and over one") {
  const Variable none(zeros({0, 3}), true), one(normal({2, 1, 3}, 1), true);
  using Reduce = std::function<Variable(const Variable&, const Axes&)>;
  const std::vector<std::pair<const char*, Reduce>> list = {
      {"variance", [](const Variable& x, const Axes& axes) { return variance(x, axes, false, false); }},
      {"standard_deviation", [](const Variable& x, const Axes& axes) { return standard_deviation(x, axes); }},
      {"max", [](const Variable& x, const Axes& axes) { return max(x, axes); }},
      {"min", [](const Variable& x, const Axes& axes) { return min(x, axes); }},
      {"logsumexp", [](const Variable& x, const Axes& axes) { return logsumexp(x, axes); }},
  };
  for (const auto& entry : list) {
    const std::string name = entry.first;
    const Reduce& reduce = entry.second;
    CAPTURE(name);
    CHECK(error_of([&] { reduce(none, {0}); }) ==
          "ShapeError: " + name + ": no elements along the reduced axes of (0, 3)");
    CHECK(error_of([&] { reduce(none, {2}); }) == "ValueError: " + name + ": axis 2 is out of range for 2 axes");
    Variable x(zeros({0, 3}), true);  // rows of three, but no rows
    const Variable y = reduce(x, {1});
    CHECK(y.shape() == Shape{0});
    y.backward(zeros({0}));
    CHECK(x.grad().shape() == Shape{0, 3});
  }
  CHECK(identical(variance(one, {1}, false, false).value(), zeros({2, 3})));
  CHECK(identical(max(one, {1}).value(), min(one, {1}).value()));
  CHECK(identical(logsumexp(one, {1}, true).value(), one.value()));
  CHECK(error_of([&] { variance(one, {1}); }) ==
        "ValueError: variance: unbiased, expected two elements or more along the reduced axes of (2, 1, 3), got one");
  CHECK(starts_with(error_of([&] { standard_deviation(Variable(scalar(2))); }),
                    "ValueError: standard_deviation: unbiased, expected two elements or more"));
  CHECK(error_of([&] { argmax(none, 0); }) == "ShapeError: argmax: no elements along axis 0 of (0, 3)");
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("reduce ops: variance, standard deviation and logsumexp to second order, with one array and a repeated one") {
  const std::vector<std::function<Variable(const Variable&)>> list = {
      [](const Variable& x) {
        return square(variance(x, {0, -1}));
      },
      [](const Variable& x) { return variance(x, {1}, true, false) * x; },
      [](const Variable& x) { return standard_deviation(x, {-3}); },
      [](const Variable& x) { return standard_deviation(x, {}, true, false) * x; },
      [](const Variable& x) {
        return logsumexp(x, {0, 2});
      },
      [](const Variable& x) { return logsumexp(x) * x; },
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    CAPTURE(i);
    CHECK(check_two_orders([&](const Variables& v) { return list[i](v[0]); }, {normal({3, 2, 4}, 1)}) == "");
  }
}

TEST_CASE("reduce ops: max and min to second order, where none tie") {
  for (const Axes& axes : {Axes{0}, Axes{-1, 0}, Axes{}}) {
    const auto f = [&](const Variables& v) { return square(max(v[0], axes)) * exp(min(v[0], axes)); };
    CHECK(check_two_orders(f, {normal({3, 2, 4}, 1)}) == "");
  }
  // alone, they are linear: the second derivative is 0, and not recorded
  const Variable x(normal({3, 2}, 1), true);
  GradOptions options;
  options.create_graph = true;
  CHECK(!grad({sum(max(x, {1}))}, {x}, {}, options)[0].requires_grad());
}

TEST_CASE("reduce ops: a variance composed of them, first and second derivatives against finite differences") {
  const auto variance = [](const Variable& x) {
    return mean(square(x - mean(x, {0, 2}, true)), {0, 2}) * sum(x, {0, -1});
  };
  CHECK(check_two_orders([&](const Variables& v) { return variance(v[0]); }, {normal({3, 2, 4}, 1)}) == "");
}

#endif
