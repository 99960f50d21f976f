#include "nn/train/learning_rate_range.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops/elementwise.hpp"
#include "tests/nn/train/small.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

/// Counts the calls in training mode, of clones too; the fourth gives infinite logits.
class Watched : public Classifier {
 public:
  explicit Watched(int* calls) : Classifier(1), calls_(calls) {}
  Variable forward(const Variable& x) override {
    *calls_ += is_training();
    return Classifier::forward(x) * (*calls_ == 4 ? std::numeric_limits<Scalar>::infinity() : Scalar(1));
  }

 private:
  std::unique_ptr<Module> make_like() const override { return std::make_unique<Watched>(calls_); }

  int* calls_;
};

struct Fixture {
  Dataset images = small_images(23, true);
  LoaderOptions batches;
  RangeOptions options;
  Classifier network{1};

  Fixture() {
    batches.batch_size = 5;
    batches.shuffle = true;
    options.steps = 12;  // more than two epochs of 5 batches, of which the last has three images
    options.from = 1e-4;
    options.to = 1e-2;
  }
};

}  // namespace

TEST_CASE("learning_rate_range: rates and smoothed losses are those of a loop written by hand") {
  Fixture f;
  Loader loader(f.images, measure(f.images), f.batches);
  for (const LossKind kind : {LossKind::CrossEntropy, LossKind::BinaryCrossEntropy}) {
    f.options.loss = kind;
    std::size_t steps_done = 0;
    const std::vector<RangePoint> found =
        learning_rate_range(f.network, loader, f.options, [&](std::size_t done, std::size_t steps) {
          CHECK(done == ++steps_done);
          CHECK(steps == 12);
        });
    CHECK(steps_done == 12);
    REQUIRE(found.size() == 12);
    CHECK(found.front().learning_rate == 1e-4);
    CHECK(found.back().learning_rate == doctest::Approx(1e-2).epsilon(1e-12));

    Classifier by_hand(1);
    Sgd sgd(by_hand.parameters(), f.options.sgd);
    std::vector<double> losses;
    for (std::size_t epoch = 0; losses.size() < 12; ++epoch) {
      loader.start(epoch);
      for (Batch batch; losses.size() < 12 && loader.next(batch);) {
        const Variable loss = classification_loss(kind, by_hand(Variable(batch.images)), batch.labels);
        losses.push_back(static_cast<double>(loss.item()));
        by_hand.zero_grad();
        loss.backward();
        const std::size_t step = losses.size() - 1;
        const double rate = 1e-4 * std::pow(100, static_cast<double>(step) / 11);
        CHECK(found[step].learning_rate == doctest::Approx(rate).epsilon(1e-12));
        sgd.step(found[step].learning_rate);
        double sum = 0, weights = 0;
        for (std::size_t i = 0; i <= step; ++i) {
          const double weight = std::pow(0.9, static_cast<double>(step - i));
          sum += weight * losses[i];
          weights += weight;
        }
        CHECK(found[step].loss == doctest::Approx(sum / weights).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("learning_rate_range: the network stays as it is; its clone trains, until a loss is not finite") {
  Fixture f;
  Loader loader(f.images, measure(f.images), f.batches);
  int calls = 0;
  Watched network(&calls);
  network.eval();
  const SafeTensors before = network.state_dict();
  const std::vector<RangePoint> found = learning_rate_range(network, loader, f.options);
  CHECK(calls == 4);
  REQUIRE(found.size() == 3);
  for (const RangePoint& point : found) CHECK(std::isfinite(point.loss));
  CHECK(network.state_dict().tensors == before.tensors);
  CHECK(!network.is_training());
  for (const Variable& parameter : network.parameters()) CHECK(!parameter.has_grad());
}

TEST_CASE("learning_rate_range: it stops after a loss of more than four times the best") {
  Fixture f;
  Loader loader(f.images, measure(f.images), f.batches);
  f.options.steps = 60;
  f.options.to = 1e3;
  f.options.smoothing = 0.5;
  const std::vector<RangePoint> found = learning_rate_range(f.network, loader, f.options);
  REQUIRE(found.size() > 5);
  REQUIRE(found.size() < 60);
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < found.size(); ++i) {
    best = std::min(best, found[i].loss);
    CHECK((found[i].loss > 4 * best) == (i + 1 == found.size()));
  }
  CHECK(best < found[0].loss);  // before that, it has learned something
}

TEST_CASE("learning_rate_range: what cannot be is refused") {
  Fixture f;
  Loader loader(f.images, measure(f.images), f.batches);
  const auto refusal = [&](double from, double to, std::size_t steps, double smoothing) {
    RangeOptions options;
    options.from = from;
    options.to = to;
    options.steps = steps;
    options.smoothing = smoothing;
    return error_of([&] { learning_rate_range(f.network, loader, options); });
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string rates = "ValueError: learning_rate_range: expected learning rates 0 < from < to, both finite, got ";
  CHECK(refusal(0, 1, 5, 0.9) == rates + "0 and 1");
  CHECK(refusal(1, 1, 5, 0.9) == rates + "1 and 1");
  CHECK(refusal(1, infinity, 5, 0.9) == rates + "1 and inf");
  CHECK(refusal(std::nan(""), 1, 5, 0.9) == rates + "nan and 1");
  CHECK(refusal(0.1, 1, 1, 0.9) == "ValueError: learning_rate_range: expected at least 2 steps, got 1");
  const std::string smoothing = "ValueError: learning_rate_range: the smoothing must be within [0, 1), got ";
  CHECK(refusal(0.1, 1, 5, 1) == smoothing + "1");
  CHECK(refusal(0.1, 1, 5, -0.5) == smoothing + "-0.5");
}
