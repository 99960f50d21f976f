#include "nn/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/data/shapes.hpp"
#include "nn/linear.hpp"
#include "nn/models/resnet.hpp"
#include "tensor/create.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

/// 8×8 pieces of the drawn shapes: quick to train on.
Dataset small_images(std::size_t n, bool train) {
  const Dataset whole = make_shapes(n, 3, train);
  Dataset result;
  result.height = result.width = 8;
  result.labels = whole.labels;
  result.class_names = whole.class_names;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t row = 12; row < 20; ++row) {
      const std::uint8_t* pixels = whole.image(i) + (row * 32 + 12) * 3;
      result.images.insert(result.images.end(), pixels, pixels + 8 * 3);
    }
  }
  return result;
}

/// A linear classifier of the pixels.
class Classifier : public Module {
 public:
  explicit Classifier(std::uint64_t seed) {
    Generator generator(seed);
    linear_ = &add_module("linear", std::make_unique<Linear>(8 * 8 * 3, 10, generator));
  }
  Variable forward(const Variable& x) override { return linear_->forward(reshape(x, Shape{x.shape()[0], 8 * 8 * 3})); }
  Linear& linear() { return *linear_; }

 private:
  Linear* linear_;
};

ResNetOptions tiny_resnet() {
  ResNetOptions options;
  options.depth = 8;
  options.width = 2;
  return options;
}

struct Fixture {
  Dataset train = small_images(23, true), test = small_images(17, false);
  Standardization standardization = measure(train);
  TrainerOptions options;

  Fixture() {
    options.epochs = 3;
    options.batch_size = 5;
    options.augment = true;
    options.seed = 11;
    options.label_smoothing = 0.1;
  }
};

void check_same_results(const std::vector<EpochResult>& a, const std::vector<EpochResult>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t e = 0; e < a.size(); ++e) {
    CHECK(a[e].epoch == b[e].epoch);
    CHECK(a[e].train_loss == b[e].train_loss);
    CHECK(a[e].train_accuracy == b[e].train_accuracy);
    CHECK(a[e].test_loss == b[e].test_loss);
    CHECK(a[e].test_accuracy == b[e].test_accuracy);
    CHECK(a[e].learning_rate == b[e].learning_rate);
  }
}

}  // namespace

TEST_CASE("trainer: evaluate covers every image, and leaves modes and gradients as they were") {
  const Dataset images = small_images(300, false);  // one full batch of the evaluation and a part of one
  const Standardization standardization = measure(images);
  Classifier network(1);
  network.linear().eval();
  std::vector<std::size_t> done;
  const Evaluation found = evaluate(network, images, standardization, [&](std::size_t d, std::size_t total) {
    CHECK(total == 300);
    CHECK(!network.is_training());
    CHECK(!recording());
    done.push_back(d);
  });
  CHECK(done.back() == 300);
  CHECK(done.size() > 1);
  CHECK(network.is_training());
  CHECK(!network.linear().is_training());
  CHECK(recording());

  LoaderOptions everything;
  everything.batch_size = 300;
  Loader loader(images, standardization, everything);
  loader.start(0);
  Batch batch;
  REQUIRE(loader.next(batch));
  const Variable logits = network(Variable(batch.images));
  std::size_t correct = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    std::int64_t best = 0;
    for (std::int64_t k = 1; k < 10; ++k) {
      const auto at = static_cast<std::size_t>(k);
      if (logits.value()(i, at) > logits.value()(i, static_cast<std::size_t>(best))) best = k;
    }
    correct += best == batch.labels(i);
  }
  CHECK(found.accuracy == doctest::Approx(100.0 * static_cast<double>(correct) / 300));
  CHECK(found.loss == doctest::Approx(static_cast<double>(cross_entropy(logits, batch.labels).item())).epsilon(1e-5));
  CHECK_THROWS_AS(evaluate(network, images, standardization, [](std::size_t, std::size_t) { throw 1; }), int);
  CHECK(network.is_training());
}

TEST_CASE("trainer: an epoch is the loop written by hand") {
  Fixture f;
  f.options.epochs = 1;
  Classifier network(1), by_hand(1);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  std::vector<StepReport> reports;
  trainer.on_step = [&](const StepReport& report) { reports.push_back(report); };
  CHECK(trainer.run());
  CHECK(trainer.finished());

  Sgd sgd(by_hand.parameters(), f.options.sgd);
  LoaderOptions batches;
  batches.batch_size = 5;
  batches.shuffle = batches.augment = batches.drop_last = true;
  batches.seed = f.options.seed;
  Loader loader(f.train, f.standardization, batches);
  CHECK(trainer.steps_per_epoch() == 4);  // 23 images: the last three are left out
  loader.start(0);
  double loss_sum = 0;
  std::size_t step = 0;
  for (Batch batch; loader.next(batch); ++step) {
    const Variable loss = cross_entropy(by_hand(Variable(batch.images)), batch.labels, 0.1);
    by_hand.zero_grad();
    loss.backward();
    sgd.step(learning_rate(ScheduleKind::OneCycle, 0.1, step, 4));
    loss_sum += static_cast<double>(loss.item()) * 5;
    // Approx, as the compiler may or may not fuse the product into the sum; everything else is equal to the bit.
    CHECK(reports.at(step).loss == doctest::Approx(loss_sum / (5.0 * static_cast<double>(step + 1))).epsilon(1e-13));
    CHECK(reports[step].step == step + 1);
    CHECK(reports[step].steps == 4);
    CHECK(reports[step].epoch == 1);
    CHECK(reports[step].images_per_second > 0);
  }
  CHECK(step == 4);
  CHECK(network.state_dict().tensors == by_hand.state_dict().tensors);

  const EpochResult& result = trainer.progress().epochs.at(0);
  CHECK(result.train_loss == reports.back().loss);
  CHECK(result.train_accuracy == reports.back().accuracy);
  CHECK(result.learning_rate == learning_rate(ScheduleKind::OneCycle, 0.1, 3, 4));
  const Evaluation test = evaluate(by_hand, f.test, f.standardization);
  CHECK(result.test_loss == test.loss);
  CHECK(result.test_accuracy == test.accuracy);
}

TEST_CASE("trainer: fewer images than a batch are one smaller batch") {
  Fixture f;
  f.options.batch_size = 100;
  Classifier network(1);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  CHECK(trainer.steps_per_epoch() == 1);
  CHECK(trainer.run());
  CHECK(trainer.progress().epochs.size() == 3);
}

TEST_CASE("trainer: it learns") {
  Fixture f;
  f.options.epochs = 60;
  f.options.peak_learning_rate = 0.02;
  f.options.augment = false;
  f.options.label_smoothing = 0;
  Classifier network(1);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  trainer.run();
  const auto& epochs = trainer.progress().epochs;
  CHECK(epochs.back().train_accuracy == 100);
  CHECK(epochs.back().train_loss < 0.1 * epochs.front().train_loss);
}

TEST_CASE("trainer: stopped after any step and resumed by another trainer, the numbers are the same") {
  const Fixture f;
  const auto start = [] {
    Generator generator(5);
    return std::make_unique<CifarResNet>(tiny_resnet(), generator);
  };
  const auto whole = start();
  Trainer uninterrupted(*whole, f.train, f.test, f.standardization, f.options);
  std::size_t steps = 0;
  uninterrupted.on_step = [&](const StepReport&) { ++steps; };
  CHECK(uninterrupted.run());
  CHECK(steps == 12);

  for (std::size_t stop_after = 1; stop_after <= 12; ++stop_after) {
    CAPTURE(stop_after);
    std::atomic<bool> stop{false};
    const auto first_network = start();
    Trainer first(*first_network, f.train, f.test, f.standardization, f.options);
    std::size_t done = 0;
    first.on_step = [&](const StepReport&) { stop = ++done == stop_after; };
    CHECK(!first.run(&stop));
    CHECK(done == stop_after);
    const Checkpoint checkpoint = first.checkpoint();
    CHECK(checkpoint.progress.epochs.size() == (stop_after - 1) / 4);
    CHECK(checkpoint.progress.step == (stop_after - 1) % 4 + 1);

    Generator other(99);
    CifarResNet second_network(tiny_resnet(), other);
    Trainer second(second_network, f.train, f.test, f.standardization, f.options);
    second.restore(checkpoint);
    CHECK(second.run());
    check_same_results(second.progress().epochs, uninterrupted.progress().epochs);
    CHECK(second_network.state_dict().tensors == whole->state_dict().tensors);
    CHECK(second_network.state_dict().integers == whole->state_dict().integers);
    CHECK(second.checkpoint().velocities == uninterrupted.checkpoint().velocities);
  }
}

TEST_CASE("trainer: derived gradients give the losses of the analytic ones") {
  const Fixture f;
  const auto losses = [&](bool derived) {
    const DerivedGradients mode(derived);
    Generator generator(5);
    CifarResNet network(tiny_resnet(), generator);
    Trainer trainer(network, f.train, f.test, f.standardization, f.options);
    std::vector<double> result;
    trainer.on_step = [&](const StepReport& report) { result.push_back(report.loss); };
    trainer.run();
    return result;
  };
  const std::vector<double> analytic = losses(false), derived = losses(true);
  REQUIRE(analytic.size() == 12);
  const double tolerance = sizeof(Scalar) == 8 ? 1e-6 : 2e-2;
  for (std::size_t s = 0; s < 12; ++s) CHECK(derived[s] == doctest::Approx(analytic[s]).epsilon(tolerance));
}

TEST_CASE("trainer: a loss that is not finite stops it before the parameters change") {
  Fixture f;
  f.options.schedule = ScheduleKind::Constant;
  f.options.peak_learning_rate = sizeof(Scalar) == 8 ? 1e306 : 1e37;
  Classifier network(1);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  SafeTensors before;
  std::size_t done = 0;
  trainer.on_step = [&](const StepReport&) {
    before = network.state_dict();
    ++done;
  };
  std::string message;
  try {
    trainer.run();
  } catch (const DivergedError& error) {
    message = error.what();
  }
  REQUIRE(done > 0);
  REQUIRE(done < 4);
  CHECK(message.find("the training loss became ") == 0);
  CHECK(message.find(fmt::format(" in epoch 1, step {}", done + 1)) != std::string::npos);
  const SafeTensors after = network.state_dict();
  const Tensor &a = before.tensors.at("linear.weight"), &b = after.tensors.at("linear.weight");
  CHECK(std::equal(a.data(), a.data() + a.size(), b.data(), [](Scalar x, Scalar y) { return x == y || x != x; }));
}

TEST_CASE("trainer: a checkpoint of another training is refused, and changes nothing") {
  Fixture f;
  Classifier network(1);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  const SafeTensors before = network.state_dict();

  Generator generator(5);
  CifarResNet other(tiny_resnet(), generator);
  Trainer other_trainer(other, f.train, f.test, f.standardization, f.options);
  const auto refusal = [&](const Checkpoint& checkpoint) { return error_of([&] { trainer.restore(checkpoint); }); };
  CHECK(refusal(other_trainer.checkpoint()) ==
        "ValueError: trainer: the checkpoint is of another network: 23 velocities for 2 parameters");
  CHECK(error_of([&] { other_trainer.restore(trainer.checkpoint()); }) ==
        "ValueError: trainer: the checkpoint is of another network: no velocity of conv1.weight");

  Checkpoint too_far = trainer.checkpoint();
  too_far.progress.step = 5;
  CHECK(refusal(too_far) == "ValueError: trainer: the checkpoint is at step 5 of an epoch, here it has 4");
  too_far.progress = {};
  too_far.progress.epochs.resize(4);
  CHECK(refusal(too_far) == "ValueError: trainer: the checkpoint has 4 epochs, this training only 3");

  Checkpoint misshaped = trainer.checkpoint();
  misshaped.network.tensors.at("linear.bias") = zeros({11});
  misshaped.velocities.at("linear.bias") = ones({10});
  CHECK(refusal(misshaped) ==
        "ValueError: load_state_dict: the state does not fit; of another shape: linear.bias (expected (10), got (11))");
  misshaped.velocities.at("linear.bias") = ones({11});
  CHECK(refusal(misshaped) ==
        "ShapeError: sgd: expected velocity 1 of shape (10), or (0) before the first step, got (11)");
  CHECK(network.state_dict().tensors == before.tensors);
  CHECK(trainer.checkpoint().velocities.at("linear.bias").shape() == Shape{0});
  CHECK(trainer.progress().epochs.empty());
}

TEST_CASE("trainer: options that cannot be are refused") {
  const Fixture f;
  Classifier network(1);
  const auto refusal = [&](auto change) {
    TrainerOptions options = f.options;
    change(options);
    return error_of([&] { Trainer(network, f.train, f.test, f.standardization, options); });
  };
  const std::string rate = "ValueError: trainer: the learning rate must be finite and at least 0, got ";
  CHECK(refusal([](TrainerOptions& o) { o.epochs = 0; }) == "ValueError: trainer: expected at least 1 epoch, got 0");
  CHECK(refusal([](TrainerOptions& o) { o.batch_size = 0; }) ==
        "ValueError: loader: the batch size must be at least 1, got 0");
  CHECK(refusal([](TrainerOptions& o) { o.peak_learning_rate = -0.1; }) == rate + "-0.1");
  CHECK(refusal([](TrainerOptions& o) { o.peak_learning_rate = std::nan(""); }) == rate + "nan");
  CHECK(refusal([](TrainerOptions& o) { o.sgd.momentum = 0; }) ==
        "ValueError: sgd: Nesterov's method needs a momentum above 0");
  CHECK(error_of([&] { Trainer(network, f.train, Dataset(), f.standardization, f.options); }) ==
        "ValueError: trainer: expected at least 1 test image, got 0");
}
