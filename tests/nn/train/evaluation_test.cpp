#include "nn/train/evaluation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/grad_mode.hpp"
#include "nn/train/metrics.hpp"
#include "tests/nn/train/small.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

/// The images with every row of pixels turned round.
Dataset turned(const Dataset& dataset) {
  Dataset result = dataset;
  for (std::size_t i = 0; i < dataset.size(); ++i)
    for (std::size_t y = 0; y < dataset.height; ++y)
      for (std::size_t x = 0; x < dataset.width; ++x)
        for (std::size_t c = 0; c < 3; ++c)
          result.images[((i * dataset.height + y) * dataset.width + x) * 3 + c] =
              dataset.image(i)[(y * dataset.width + dataset.width - 1 - x) * 3 + c];
  return result;
}

Tensor logits_by_hand(Module& network, const Dataset& images, const Standardization& standardization) {
  Tensor x(Shape{images.size(), images.height, images.width, 3});
  for (std::size_t i = 0; i < x.size(); ++i)
    x.data()[i] =
        static_cast<Scalar>((images.images[i] / 255.0 - standardization.mean[i % 3]) / standardization.stddev[i % 3]);
  return network(Variable(x)).value();
}

}  // namespace

TEST_CASE("evaluation: predictions are the logits of every image, in order; with flip, means with the mirror images'") {
  const Dataset images = small_images(300, false);  // more than one batch
  const Standardization standardization = measure(images);
  Classifier network(1);
  const Tensor plain = logits_by_hand(network, images, standardization);
  const Tensor mirror = logits_by_hand(network, turned(images), standardization);
  Tensor both = plain;
  for (std::size_t i = 0; i < both.size(); ++i) both.data()[i] = (plain.data()[i] + mirror.data()[i]) / 2;
  CHECK(max_error(both, plain) > 0.01);

  for (const bool flip : {false, true}) {
    std::vector<std::size_t> done;
    const Predictions found = predict(network, images, standardization, flip, [&](std::size_t d, std::size_t total) {
      CHECK(total == 300);
      CHECK(!network.is_training());
      CHECK(!recording());
      done.push_back(d);
    });
    CHECK(done == std::vector<std::size_t>{256, 300});
    CHECK(found.logits.shape() == Shape{300, 10});
    CHECK(max_error(found.logits, flip ? both : plain) < 1e-12);
    CHECK(equals(found.labels, images.labels, {300}));
    CHECK(network.is_training());

    const Evaluation evaluated = evaluate(network, images, standardization, {}, LossKind::BinaryCrossEntropy, flip);
    const Evaluation scored = score(found, LossKind::BinaryCrossEntropy);
    CHECK(evaluated.loss == scored.loss);
    CHECK(evaluated.accuracy == scored.accuracy);
  }
}

TEST_CASE("evaluation: scores are what naive loops find") {
  const std::size_t n = 23, classes = 6;
  Predictions predictions{normal({n, classes}, 3), Indices(Shape{n}, 0)};
  for (std::size_t i = 0; i < n; ++i) predictions.labels(i) = static_cast<std::int64_t>(i * 5 % classes);
  double softmax = 0, sigmoid = 0;
  std::size_t correct = 0;
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0;
    bool largest = true;
    const auto label = static_cast<std::size_t>(predictions.labels(i));
    for (std::size_t k = 0; k < classes; ++k) {
      const double x = static_cast<double>(predictions.logits(i, k));
      sum += std::exp(x);
      sigmoid += std::log(1 + std::exp(k == label ? -x : x)) / static_cast<double>(n);
      largest = largest && (k == label || predictions.logits(i, k) < predictions.logits(i, label));
    }
    softmax += (std::log(sum) - static_cast<double>(predictions.logits(i, label))) / static_cast<double>(n);
    correct += largest;
  }
  CHECK(correct > 0);
  CHECK(score(predictions).loss == doctest::Approx(softmax).epsilon(1e-12));
  CHECK(score(predictions, LossKind::BinaryCrossEntropy).loss == doctest::Approx(sigmoid).epsilon(1e-12));
  for (const LossKind loss : {LossKind::CrossEntropy, LossKind::BinaryCrossEntropy})
    CHECK(score(predictions, loss).accuracy == doctest::Approx(100 * static_cast<double>(correct) / n).epsilon(1e-12));
  CHECK(count_correct(predictions.logits, predictions.labels) == correct);
  CHECK(count_correct(tensor({2, 2, 1, 3}, {2, 2}), indices({1, 1})) == 1);  // of equal logits the first
}

TEST_CASE("evaluation: an excluded class, a certain answer, and an answer that is not a number") {
  const double inf = std::numeric_limits<double>::infinity();
  const Predictions excluded = {tensor({1, 2, -inf}, {1, 3}), indices({0})};
  CHECK(score(excluded).loss == doctest::Approx(std::log(1 + std::exp(1.0))).epsilon(1e-6));
  const Predictions certain = {tensor({-inf, 0, inf}, {1, 3}), indices({2})};
  CHECK(score(certain, LossKind::BinaryCrossEntropy).loss == doctest::Approx(std::log(2.0)).epsilon(1e-6));
  CHECK(score(certain, LossKind::BinaryCrossEntropy).accuracy == 100);
  const Tensor broken = tensor({1, std::nan(""), 0}, {1, 3});  // the answer is that of predicted_classes
  CHECK(predicted_classes(broken).data()[0] == 1);
  CHECK(count_correct(broken, indices({0})) == 0);
  CHECK(count_correct(broken, indices({1})) == 1);
}

TEST_CASE("evaluation: predictions that cannot be scored are refused") {
  const auto refusal = [](const Tensor& logits, const Indices& labels, LossKind loss = LossKind::CrossEntropy) {
    return error_of([&] { score({logits, labels}, loss); });
  };
  const std::string shapes = "ShapeError: score: expected logits (N, K) and N labels, got ";
  CHECK(refusal(zeros({6}), indices({0})) == shapes + "(6) and labels (1)");
  CHECK(refusal(zeros({2, 3}), indices({0})) == shapes + "(2, 3) and labels (1)");
  CHECK(refusal(zeros({2, 3}), Indices(Shape{2, 1}, 0)) == shapes + "(2, 3) and labels (2, 1)");
  CHECK(refusal(zeros({0, 3}), indices({})) == "ValueError: score: expected at least 1 prediction, got 0");
  CHECK(refusal(zeros({2, 3}), indices({0, 3})) == "ValueError: cross_entropy: label 3 at 1 is not within 0 … 2");
  CHECK(refusal(zeros({2, 3}), indices({-1, 0}), LossKind::BinaryCrossEntropy) ==
        "ValueError: binary cross-entropy: label -1 at 0 is not within 0 … 2");
}
