#include "nn/train/learning_rate_range.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
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

/// The points of learning_rate_range for these single losses, at the rates of the options.
std::vector<RangePoint> smoothed(const std::vector<double>& losses, const RangeOptions& options) {
  std::vector<RangePoint> points;
  double sum = 0, weight = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    sum = options.smoothing * sum + (1 - options.smoothing) * losses[i];
    weight = options.smoothing * weight + (1 - options.smoothing);
    const double done = static_cast<double>(i) / static_cast<double>(options.steps - 1);
    points.push_back({options.from * std::pow(options.to / options.from, done), sum / weight});
  }
  return points;
}

/// `steps` losses of this course, each with its own noise.
std::vector<double> noisy(const std::function<double(double)>& course, double noise, std::size_t steps = 100) {
  Generator random(7);
  const Tensor normal = random_normal({steps}, random);
  std::vector<double> losses;
  for (std::size_t i = 0; i < steps; ++i)
    losses.push_back(course(static_cast<double>(i)) + noise * static_cast<double>(normal.data()[i]));
  return losses;
}

/// A recorded test: rates and smoothed losses of docs/experiments/range.
std::vector<RangePoint> recorded(const std::string& norm) {
  std::ifstream file(std::string(XTGRAD_REFERENCE_DIR) + "/../../docs/experiments/range/" + norm + ".csv");
  std::vector<RangePoint> points;
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    const std::size_t comma = line.find(',');
    points.push_back({std::stod(line.substr(0, comma)), std::stod(line.substr(comma + 1))});
  }
  return points;
}

const double kGuessing = std::log(10.0);

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

TEST_CASE("range_findings: of the recorded tests of docs/experiments.md only batch norm's gives advice") {
  struct Expected {
    const char* norm;
    double lowest, rate, noise;
    bool fell, learned;
    double exploded;  // 0: not at all
  };
  // The noise as another program, in Python, finds it in these files.
  const Expected all[] = {
      {"batch", 2.0098, 0.0756, 0.0083, true, true, 0},       {"group", 2.2814, 0.0236, 0.0066, false, false, 8.90215},
      {"instance", 2.3099, 0.0335, 0.0043, false, false, 0},  {"layer", 2.2056, 0.0187, 0.0084, true, false, 10},
      {"none", 2.2629, 0.0298, 0.0044, true, false, 1.38489}, {"fixup", 2.2048, 0.433, 0.0001, true, false, 0.869749}};
  for (const Expected& e : all) {
    CAPTURE(e.norm);
    const std::vector<RangePoint> points = recorded(e.norm);
    REQUIRE(points.size() > 70);
    const RangeFindings found = range_findings(points, kGuessing);
    CHECK(found.lowest.loss == doctest::Approx(e.lowest).epsilon(1e-4));
    CHECK(found.lowest.learning_rate == doctest::Approx(e.rate).epsilon(0.01));
    CHECK(found.reference == doctest::Approx(kGuessing).epsilon(1e-3));  // where they begin does not count
    CHECK(std::abs(found.noise - e.noise) < 1e-4);
    CHECK(found.fell == e.fell);
    CHECK(found.learned == e.learned);
    CHECK(found.turned);
    CHECK(found.exploded.value_or(0) == e.exploded);
    CHECK(found.advice().value_or(0) == (e.learned ? found.lowest.learning_rate : 0));
  }
}

TEST_CASE("range_findings: the noise is that of the losses, whatever their course and their smoothing") {
  for (const double smoothing : {0.0, 0.5, 0.9, 0.98}) {
    RangeOptions options;
    options.steps = 4000;
    options.smoothing = smoothing;
    for (const double slope : {0.0, -5e-4}) {
      const auto losses = noisy([&](double step) { return 3 + slope * step; }, 0.05, 4000);
      const double expected = 0.05 * std::sqrt((1 - smoothing) / (1 + smoothing));
      // Without a slope the lowest point may come early: fewer losses tell of the noise.
      CHECK(range_findings(smoothed(losses, options), 5, options).noise ==
            doctest::Approx(expected).epsilon(slope == 0 ? 0.3 : 0.06));
    }
  }
}

TEST_CASE("range_findings: advice where a network learned and the loss rose again, and nowhere else") {
  const RangeOptions options;
  const auto findings = [&](const std::function<double(double)>& course, double noise) {
    return range_findings(smoothed(noisy(course, noise), options), kGuessing, options);
  };
  const auto valley = [](double depth) {
    return [=](double step) { return kGuessing - depth * std::exp(-std::pow((step - 60) / 15, 2)); };
  };
  const RangeFindings good = findings(valley(1), 0.05);
  CHECK(good.advice().value_or(0) == doctest::Approx(0.12).epsilon(0.5));
  CHECK_FALSE(good.exploded);
  CHECK_FALSE(findings(valley(1), 1.2).fell);   // all of it may be noise
  CHECK_FALSE(findings(valley(0), 0.05).fell);  // none of it is more
  CHECK_FALSE(findings(valley(0), 0).fell);     // a constant
  const RangeFindings little = findings(valley(0.15), 0.001);
  CHECK(little.fell);
  CHECK_FALSE(little.learned);
  CHECK_FALSE(little.advice());

  // From far above guessing down to it, as a network without norm: no advice.
  const RangeFindings settles = findings([](double step) { return kGuessing + 2 * std::exp(-step / 20); }, 0.02);
  CHECK_FALSE(settles.fell);
  CHECK_FALSE(settles.advice());

  // A network that has been trained begins below guessing. It must fall below its own beginning.
  const auto trained = [](double fall) {
    return [=](double step) { return step < 60 ? 1 - fall * step / 60 : 1 - fall + (step - 60) / 20; };
  };
  CHECK(findings(trained(0), 0.02).reference == doctest::Approx(1).epsilon(0.03));
  CHECK_FALSE(findings(trained(0), 0.02).fell);
  CHECK(findings(trained(0.5), 0.02).advice());

  const RangeFindings falling = findings([](double step) { return 2.3 - 0.02 * step; }, 0.01);
  CHECK(falling.learned);
  CHECK_FALSE(falling.turned);
  CHECK_FALSE(falling.advice());

  // The same, but the next loss is not finite: the test ends after 80 of 100 points.
  const auto cut = smoothed(noisy([](double step) { return 2.3 - 0.02 * step; }, 0.01, 80), options);
  CHECK(range_findings(cut, kGuessing, options).advice().value_or(0) == cut.back().learning_rate);

  const RangeFindings bang = findings([](double step) { return step < 70 ? 2.3 - 0.02 * step : 100; }, 0.01);
  CHECK(bang.exploded.value_or(0) > bang.lowest.learning_rate);
  CHECK(bang.advice().value_or(0) == bang.lowest.learning_rate);
}

TEST_CASE("range_findings: few points; what cannot be is refused") {
  const RangeFindings one = range_findings({{0.1, 2.0}}, 1);
  CHECK(one.lowest.learning_rate == 0.1);
  CHECK(one.reference == 1);
  CHECK(one.noise == 0);
  CHECK_FALSE(one.advice());
  CHECK_FALSE(range_findings({{0.1, 2.0}, {0.2, 1.5}}, 3).fell);
  CHECK(error_of([] { range_findings({}, 1); }) == "ValueError: range_findings: expected at least one point, got none");
  for (const char* chance : {"0", "-1", "inf", "nan"})
    CHECK(error_of([&] {
            range_findings({{0.1, 2}}, std::stod(chance));
          }) == std::string("ValueError: range_findings: expected a finite loss of chance above 0, got ") + chance);
}
