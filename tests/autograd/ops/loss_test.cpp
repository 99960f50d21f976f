#include "autograd/ops/loss.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-13 : 2e-6;

}  // namespace

TEST_CASE("loss: PyTorch's log-softmax and cross-entropy, analytic and derived") {
  const Reference ops("ops.safetensors");
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const Reference::Case l = ops["log_softmax"];
    Variable x(l("x"), true);
    const Variable y = log_softmax(x);
    y.backward(l("dy"));
    CHECK(relative_error(y.value(), l("y")) < kTolerance);
    CHECK(relative_error(x.grad(), l("dx")) < kTolerance);
    for (const char* name : {"cross_entropy", "cross_entropy_smoothed"}) {
      CAPTURE(name);
      const Reference::Case at = ops[name];
      Variable logits(at("logits"), true);
      const Variable loss = cross_entropy(logits, at.integers("labels"), at.number("label_smoothing"));
      CHECK(loss.shape() == Shape{});
      loss.backward();
      CHECK(relative_error(loss.value(), at("loss")) < kTolerance);
      CHECK(relative_error(logits.grad(), at("dlogits")) < kTolerance);
      logits.zero_grad();
      (Scalar{-3} * cross_entropy(logits, at.integers("labels"), at.number("label_smoothing"))).backward();
      Tensor expected = at("dlogits");
      for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] *= -3;
      CHECK(relative_error(logits.grad(), expected) < kTolerance);
    }
  }
}

TEST_CASE("loss: large logits do not overflow, and a NaN is not hidden") {
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    Variable x(tensor({1000, 0, -1000, -5000, -5000, -5000}, {2, 3}), true);
    const Variable loss = cross_entropy(x, indices({1, 2}));
    CHECK(static_cast<double>(loss.item()) == doctest::Approx((1000 + std::log(3.0)) / 2).epsilon(1e-6));
    loss.backward();
    CHECK(max_error(x.grad(), tensor({0.5, -0.5, 0, 1.0 / 6, 1.0 / 6, -1.0 / 3}, {2, 3})) < 1e-6);
    for (std::size_t at = 0; at < 3; ++at) {
      Tensor bad = zeros({1, 3});
      bad.data()[at] = std::numeric_limits<Scalar>::quiet_NaN();
      CHECK(std::isnan(static_cast<double>(cross_entropy(Variable(bad, true), indices({1})).item())));
    }
  }
}

TEST_CASE("loss: log-softmax works along the last axis of any rank") {
  const Variable x(normal({2, 3, 4}, 1));
  const Variable y = log_softmax(x);
  for (std::size_t row = 0; row < 6; ++row) {
    double total = 0, sum_exp = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      total += std::exp(static_cast<double>(y.value().data()[4 * row + i]));
      sum_exp += std::exp(static_cast<double>(x.value().data()[4 * row + i]));
    }
    CHECK(total == doctest::Approx(1).epsilon(1e-6));
    CHECK(static_cast<double>(y.value().data()[4 * row]) ==
          doctest::Approx(static_cast<double>(x.value().data()[4 * row]) - std::log(sum_exp)).epsilon(1e-5));
  }
  CHECK(log_softmax(Variable(zeros({0, 3}))).shape() == Shape{0, 3});
}

TEST_CASE("loss: bad arguments are refused") {
  const Variable x(zeros({2, 3}), true);
  CHECK(error_of([&] {
          cross_entropy(x, indices({0, 3}));
        }) == "ValueError: cross_entropy: label 3 at 1 is not within 0 … 2");
  CHECK(error_of([&] {
          cross_entropy(x, indices({-1, 0}));
        }) == "ValueError: cross_entropy: label -1 at 0 is not within 0 … 2");
  CHECK(error_of([&] { cross_entropy(x, indices({0})); }) ==
        "ShapeError: cross_entropy: expected logits (N, K) and N labels, got (2, 3) and labels (1)");
  CHECK(starts_with(error_of([&] {
                      cross_entropy(Variable(zeros({0, 3})), indices({}));
                    }),
                    "ShapeError: cross_entropy: "));
  CHECK(error_of([&] {
          cross_entropy(x, indices({0, 1}), 1.5);
        }) == "ValueError: cross_entropy: label smoothing 1.5 is not within [0, 1]");
  CHECK(starts_with(error_of([&] { cross_entropy(x, indices({0, 1}), std::nan("")); }), "ValueError: cross_entropy: "));
  CHECK(error_of([&] { log_softmax(Variable(scalar(1))); }) ==
        "ShapeError: log_softmax: expected x (…, K) with K > 0, got ()");
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("loss: analytic, derived and numeric gradients, and second derivatives") {
  const Indices labels = indices({3, 0, 1, 3, 2});
  const std::vector<std::function<Variable(const Variable&)>> list = {
      [](const Variable& x) { return square(log_softmax(x)); },
      [&](const Variable& x) { return square(cross_entropy(x, labels)); },
      [&](const Variable& x) { return square(cross_entropy(x, labels, 0.1)); },
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    CAPTURE(i);
    CHECK(check_two_orders([&](const Variables& v) { return list[i](v[0]); }, {normal({5, 4}, 1)}) == "");
  }
}

#endif
