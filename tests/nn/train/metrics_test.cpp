#include "nn/train/metrics.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

Indices random_labels(std::size_t n, std::size_t classes, std::uint64_t seed) {
  Generator generator(seed, 3);
  Indices result(Shape{n}, 0);
  for (std::int64_t& label : result) label = static_cast<std::int64_t>(generator.below(classes));
  return result;
}

}  // namespace

TEST_CASE("metrics: the predicted class is the first largest logit") {
  CHECK(equals(predicted_classes(tensor({1, 3, 3, -5, -7, -6}, {2, 3})), {1, 0}, {2}));
  CHECK(equals(predicted_classes(zeros({0, 3})), {}, {0}));
  const Tensor logits = normal({40, 7}, 1);
  const Indices found = predicted_classes(logits);
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t k = 0; k < 7; ++k) CHECK(logits(i, k) <= logits(i, found(i)));
  const std::string expected = "ShapeError: predicted_classes: expected logits (N, K), got ";
  CHECK(error_of([] { predicted_classes(zeros({6})); }) == expected + "(6)");
  CHECK(error_of([] { predicted_classes(zeros({2, 0})); }) == expected + "(2, 0)");
}

TEST_CASE("metrics: a confusion matrix counted by hand, and the accuracy of each class") {
  // Two of class 0, one of them taken for 2; three of class 1, two taken for 0; none of class 2; one of class 3.
  const Indices labels = indices({0, 1, 1, 0, 3, 1}), predictions = indices({0, 0, 1, 2, 3, 0});
  const Indices counts = confusion_matrix(predictions, labels, 4);
  CHECK(equals(counts, {1, 0, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, {4, 4}));
  const std::vector<double> accuracy = class_accuracy(counts);
  REQUIRE(accuracy.size() == 4);
  CHECK(accuracy[0] == 50);
  CHECK(accuracy[1] == doctest::Approx(100.0 / 3).epsilon(1e-14));
  CHECK(std::isnan(accuracy[2]));
  CHECK(accuracy[3] == 100);
  CHECK(equals(confusion_matrix(indices({}), indices({}), 2), {0, 0, 0, 0}, {2, 2}));
}

TEST_CASE("metrics: a confusion matrix is what naive loops count") {
  const std::size_t n = 500, classes = 6;
  const Indices labels = random_labels(n, classes, 1), predictions = random_labels(n, classes, 2);
  const Indices counts = confusion_matrix(predictions, labels, classes);
  const std::vector<double> accuracy = class_accuracy(counts);
  for (std::size_t label = 0; label < classes; ++label) {
    double images = 0, right = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (labels(i) != static_cast<std::int64_t>(label)) continue;
      ++images;
      right += predictions(i) == labels(i);
    }
    CHECK(accuracy[label] == doctest::Approx(100 * right / images).epsilon(1e-14));
    for (std::size_t prediction = 0; prediction < classes; ++prediction) {
      std::int64_t count = 0;
      for (std::size_t i = 0; i < n; ++i)
        count +=
            labels(i) == static_cast<std::int64_t>(label) && predictions(i) == static_cast<std::int64_t>(prediction);
      CHECK(counts(label, prediction) == count);
    }
  }
}

TEST_CASE("metrics: a calibration error by hand") {
  // Confidences 3/4, 3/4, 1/2, 1/2 (at the edge: of the lower bin); right, wrong, right, right.
  const Scalar l = static_cast<Scalar>(std::log(3.0));
  const Tensor logits = tensor({l, 0, 0, l, 5, 5, -2, -2}, {4, 2});
  const Calibration found = expected_calibration_error(logits, indices({0, 0, 0, 0}), 2);
  REQUIRE(found.bins.size() == 2);
  const CalibrationBin &low = found.bins[0], &high = found.bins[1];
  CHECK(low.from == 0);
  CHECK(low.to == 50);
  CHECK(low.count == 2);
  CHECK(low.confidence == 50);
  CHECK(low.accuracy == 100);
  CHECK(high.from == 50);
  CHECK(high.to == 100);
  CHECK(high.count == 2);
  CHECK(high.confidence == doctest::Approx(75).epsilon(1e-6));
  CHECK(high.accuracy == 50);
  CHECK(found.error == doctest::Approx((50.0 + 25) / 2).epsilon(1e-6));
}

TEST_CASE("metrics: a calibration error is what naive loops find") {
  const std::size_t n = 700, classes = 5;
  Tensor logits = normal({n, classes}, 3);
  for (Scalar& x : logits) x *= 2;
  const Indices labels = random_labels(n, classes, 4), predictions = predicted_classes(logits);
  for (const std::size_t bins : {1, 4, 15}) {
    const Calibration found =
        bins == 15 ? expected_calibration_error(logits, labels) : expected_calibration_error(logits, labels, bins);
    REQUIRE(found.bins.size() == bins);
    double error = 0;
    std::size_t total = 0;
    for (std::size_t b = 0; b < bins; ++b) {
      const double from = static_cast<double>(b) / static_cast<double>(bins);
      const double to = static_cast<double>(b + 1) / static_cast<double>(bins);
      double images = 0, confidence = 0, right = 0;
      for (std::size_t i = 0; i < n; ++i) {
        double sum = 0, top = 0;
        for (std::size_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits(i, k)));
        for (std::size_t k = 0; k < classes; ++k)
          top = std::max(top, std::exp(static_cast<double>(logits(i, k))) / sum);
        if (top <= from || top > to) continue;
        ++images;
        confidence += top;
        right += predictions(i) == labels(i);
      }
      CHECK(found.bins[b].from == doctest::Approx(100 * from));
      CHECK(found.bins[b].to == doctest::Approx(100 * to));
      CHECK(static_cast<double>(found.bins[b].count) == images);
      total += found.bins[b].count;
      if (images == 0) {
        CHECK(found.bins[b].confidence == 0);
        CHECK(found.bins[b].accuracy == 0);
        continue;
      }
      CHECK(found.bins[b].confidence == doctest::Approx(100 * confidence / images).epsilon(1e-12));
      CHECK(found.bins[b].accuracy == doctest::Approx(100 * right / images).epsilon(1e-12));
      error += images / static_cast<double>(n) * std::abs(100 * right / images - 100 * confidence / images);
    }
    CHECK(total == n);
    CHECK(found.error > 1);
    CHECK(found.error == doctest::Approx(error).epsilon(1e-12));
  }
}

TEST_CASE("metrics: confidences of 1, and large logits") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor logits = tensor({1e4, 0, 0, -infinity, 1e4, -infinity}, {2, 3});
  const Calibration sure = expected_calibration_error(logits, indices({0, 2}), 10);
  CHECK(sure.bins.back().count == 2);
  CHECK(sure.bins.back().confidence == 100);
  CHECK(sure.error == 50);
  CHECK(expected_calibration_error(normal({3, 1}, 1), indices({0, 0, 0})).error ==
        0);  // one class: always sure and right
}

TEST_CASE("metrics: what cannot be is refused") {
  const auto matrix = [](const Indices& predictions, const Indices& labels, std::size_t classes) {
    return error_of([&] { confusion_matrix(predictions, labels, classes); });
  };
  const std::string lists = "ShapeError: confusion_matrix: expected predictions (N) and labels (N), got ";
  CHECK(matrix(indices({0}), indices({0, 1}), 2) == lists + "(1) and (2)");
  CHECK(matrix(Indices(Shape{1, 2}, 0), Indices(Shape{1, 2}, 0), 2) == lists + "(1, 2) and (1, 2)");
  CHECK(matrix(indices({}), indices({}), 0) == "ValueError: confusion_matrix: expected at least 1 class, got 0");
  CHECK(matrix(indices({0, 2}), indices({0, 1}), 2) ==
        "ValueError: confusion_matrix: prediction 2 at 1 is not within 0 … 1");
  CHECK(matrix(indices({0, 1}), indices({-1, 1}), 2) ==
        "ValueError: confusion_matrix: label -1 at 0 is not within 0 … 1");

  const std::string square = "ShapeError: class_accuracy: expected a confusion matrix (K, K), got ";
  CHECK(error_of([] { class_accuracy(indices({1})); }) == square + "(1)");
  CHECK(error_of([] { class_accuracy(Indices(Shape{2, 3}, 0)); }) == square + "(2, 3)");

  const auto calibration = [](const Tensor& logits, const Indices& labels, std::size_t bins) {
    return error_of([&] { expected_calibration_error(logits, labels, bins); });
  };
  const std::string shapes = "ShapeError: expected_calibration_error: expected logits (N, K) and N labels, got ";
  CHECK(calibration(zeros({2}), indices({0, 0}), 15) == shapes + "(2) and labels (2)");
  CHECK(calibration(zeros({2, 3}), indices({0}), 15) == shapes + "(2, 3) and labels (1)");
  CHECK(calibration(zeros({1, 0}), indices({0}), 15) == shapes + "(1, 0) and labels (1)");
  CHECK(calibration(zeros({0, 3}), indices({}), 15) ==
        "ValueError: expected_calibration_error: expected at least 1 image, got 0");
  CHECK(calibration(zeros({1, 3}), indices({0}), 0) ==
        "ValueError: expected_calibration_error: expected at least 1 bin, got 0");
  CHECK(calibration(zeros({1, 3}), indices({3}), 15) ==
        "ValueError: expected_calibration_error: label 3 at 0 is not within 0 … 2");
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string none = "ValueError: expected_calibration_error: the logits at 1 have no softmax";
  for (const double bad : {std::nan(""), infinity}) {
    CHECK(calibration(tensor({0, 1, 2, 0, bad, 0}, {2, 3}), indices({0, 0}), 15) == none);
    CHECK(calibration(tensor({0, 1, 2, bad, 0, 0}, {2, 3}), indices({0, 0}), 15) == none);
  }
  CHECK(calibration(full({1, 3}, static_cast<Scalar>(-infinity)), indices({0}), 15) ==
        "ValueError: expected_calibration_error: the logits at 0 have no softmax");
}
