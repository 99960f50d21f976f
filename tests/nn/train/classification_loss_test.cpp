#include "nn/train/classification_loss.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

TEST_CASE("classification loss: names") {
  CHECK(parse_loss("cross-entropy") == LossKind::CrossEntropy);
  CHECK(parse_loss("bce") == LossKind::BinaryCrossEntropy);
  CHECK(error_of([] { parse_loss("hinge"); }) == "ValueError: unknown loss 'hinge', expected cross-entropy or bce");
}

TEST_CASE("classification loss: cross-entropy is cross_entropy") {
  const Variable logits(normal({3, 5}, 1));
  const Indices labels = indices({4, 0, 4});
  for (const double smoothing : {0.0, 0.2})
    CHECK(classification_loss(LossKind::CrossEntropy, logits, labels, smoothing).item() ==
          cross_entropy(logits, labels, smoothing).item());
}

TEST_CASE("classification loss: the sigmoid loss and its gradient, class by class") {
  const std::size_t n = 3, classes = 5;
  const Tensor x = normal({n, classes}, 1);
  const Indices labels = indices({4, 0, 2});
  for (const double s : {0.0, 0.2, 1.0})
    for (const bool derived : {false, true}) {
      CAPTURE(s);
      const DerivedGradients mode(derived);
      double expected = 0;
      Tensor gradient = zeros({n, classes});
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < classes; ++k) {
          const double sigma = 1 / (1 + std::exp(-x(i, k))), is_label = labels(i) == static_cast<std::int64_t>(k);
          const double t = is_label * (1 - s) + s / static_cast<double>(classes);
          expected -= (t * std::log(sigma) + (1 - t) * std::log(1 - sigma)) / static_cast<double>(n);
          gradient(i, k) = (sigma - t) / static_cast<double>(n);
        }
      Variable logits(x, true);
      const Variable loss = classification_loss(LossKind::BinaryCrossEntropy, logits, labels, s);
      REQUIRE(loss.shape() == Shape{});
      CHECK(loss.item() == doctest::Approx(expected).epsilon(1e-13));
      loss.backward();
      CHECK(largest(gradient) > 0.05);
      CHECK(max_error(logits.grad(), gradient) < 1e-13);
    }
  const Function function = [&](const Variables& v) {
    return classification_loss(LossKind::BinaryCrossEntropy, v[0], labels, 0.1);
  };
  CHECK(check_two_orders(function, {x}) == "");
}

TEST_CASE("classification loss: targets that share an image among classes, for both losses") {
  const std::size_t n = 3, classes = 5;
  const Tensor x = normal({n, classes}, 1);
  Tensor targets = positive({n, classes}, 2);
  for (std::size_t i = 0; i < n; ++i) {
    double total = 0;
    for (std::size_t k = 0; k < classes; ++k) total += targets(i, k);
    for (std::size_t k = 0; k < classes; ++k) targets(i, k) /= total;
  }
  for (const LossKind kind : {LossKind::CrossEntropy, LossKind::BinaryCrossEntropy})
    for (const double s : {0.0, 0.2, 1.0}) {
      CAPTURE(s);
      double expected = 0;
      Tensor gradient = zeros({n, classes});
      for (std::size_t i = 0; i < n; ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < classes; ++k) sum += std::exp(x(i, k));
        for (std::size_t k = 0; k < classes; ++k) {
          const double t = targets(i, k) * (1 - s) + s / classes, sigma = 1 / (1 + std::exp(-x(i, k)));
          const double share = std::exp(x(i, k)) / sum;
          expected -= (kind == LossKind::CrossEntropy ? t * std::log(share)
                                                      : t * std::log(sigma) + (1 - t) * std::log(1 - sigma)) /
                      n;
          gradient(i, k) = ((kind == LossKind::CrossEntropy ? share : sigma) - t) / n;
        }
      }
      Variable logits(x, true);
      const Variable loss = classification_loss(kind, logits, targets, s);
      REQUIRE(loss.shape() == Shape{});
      CHECK(loss.item() == doctest::Approx(expected).epsilon(1e-13));
      loss.backward();
      CHECK(largest(gradient) > 0.05);
      CHECK(max_error(logits.grad(), gradient) < 1e-13);
    }
}

TEST_CASE("classification loss: labels are targets of one class each") {
  const Variable logits(normal({3, 4}, 5));
  const Indices labels = indices({3, 0, 1});
  const Tensor one_hot = tensor({0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0}, {3, 4});
  for (const LossKind kind : {LossKind::CrossEntropy, LossKind::BinaryCrossEntropy})
    for (const double s : {0.0, 0.3})
      CHECK(classification_loss(kind, logits, one_hot, s).item() ==
            doctest::Approx(classification_loss(kind, logits, labels, s).item()).epsilon(1e-14));
}

TEST_CASE("classification loss: targets that do not fit are refused") {
  const auto refusal = [](LossKind kind, const Shape& logits, const Shape& targets, double smoothing = 0) {
    return error_of([&] { classification_loss(kind, Variable(zeros(logits)), zeros(targets), smoothing); });
  };
  const LossKind bce = LossKind::BinaryCrossEntropy, softmax = LossKind::CrossEntropy;
  const std::string shapes = "ShapeError: binary cross-entropy: expected logits (N, K) and as many targets, got ";
  CHECK(refusal(bce, {6}, {6}) == shapes + "(6) and (6)");
  CHECK(refusal(bce, {2, 3}, {2, 4}) == shapes + "(2, 3) and (2, 4)");
  CHECK(refusal(bce, {2, 3}, {1, 3}) == shapes + "(2, 3) and (1, 3)");
  CHECK(refusal(bce, {0, 3}, {0, 3}) == shapes + "(0, 3) and (0, 3)");
  CHECK(refusal(bce, {2, 0}, {2, 0}) == shapes + "(2, 0) and (2, 0)");
  CHECK(refusal(bce, {2, 3}, {2, 3}, 1.5) ==
        "ValueError: binary cross-entropy: label smoothing 1.5 is not within [0, 1]");
  CHECK(refusal(softmax, {2, 3}, {3, 2}) ==
        "ShapeError: cross_entropy: expected logits and targets (N, K), got (2, 3) and (3, 2)");
  CHECK(refusal(softmax, {2, 3}, {2, 3}, -0.5) ==
        "ValueError: cross_entropy: label smoothing -0.5 is not within [0, 1]");
}

TEST_CASE("classification loss: large logits do not overflow") {
  const Variable logits(tensor({1000, -1000, -1000, 1000}, {2, 2}));
  CHECK(classification_loss(LossKind::BinaryCrossEntropy, logits, indices({0, 1})).item() == 0);
  CHECK(classification_loss(LossKind::BinaryCrossEntropy, logits, indices({1, 1})).item() == 1000);
}

TEST_CASE("classification loss: what does not fit is refused") {
  const auto refusal = [](const Shape& shape, const Indices& labels, double smoothing) {
    return error_of(
        [&] { classification_loss(LossKind::BinaryCrossEntropy, Variable(zeros(shape)), labels, smoothing); });
  };
  const std::string shapes = "ShapeError: binary cross-entropy: expected logits (N, K) and N labels, got ";
  CHECK(refusal({6}, indices({0}), 0) == shapes + "(6) and labels (1)");
  CHECK(refusal({2, 3}, indices({0}), 0) == shapes + "(2, 3) and labels (1)");
  CHECK(refusal({0, 3}, indices({}), 0) == shapes + "(0, 3) and labels (0)");
  CHECK(refusal({2, 0}, indices({0, 0}), 0) == shapes + "(2, 0) and labels (2)");
  CHECK(refusal({2, 3}, indices({0, 3}), 0) == "ValueError: binary cross-entropy: label 3 at 1 is not within 0 … 2");
  CHECK(refusal({2, 3}, indices({-1, 2}), 0) == "ValueError: binary cross-entropy: label -1 at 0 is not within 0 … 2");
  const std::string smoothing = "ValueError: binary cross-entropy: label smoothing ";
  CHECK(refusal({1, 3}, indices({0}), -0.1) == smoothing + "-0.1 is not within [0, 1]");
  CHECK(refusal({1, 3}, indices({0}), 1.5) == smoothing + "1.5 is not within [0, 1]");
}
