#include "nn/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "nn/models/resnet.hpp"
#include "nn/optim/clip.hpp"
#include "tensor/create.hpp"
#include "tests/nn/train/small.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

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

TEST_CASE("trainer: with AdamW, clipping, an average and the sigmoid loss an epoch is the loop written by hand, too") {
  Fixture f;
  f.options.epochs = 1;
  f.options.optimizer = OptimizerKind::AdamW;
  f.options.adam.weight_decay = 0.1;
  f.options.peak_learning_rate = 0.01;
  f.options.clip_norm = 0.5;
  f.options.ema_decay = 0.3;
  f.options.loss = LossKind::BinaryCrossEntropy;
  Classifier network(1), by_hand(1);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  CHECK(trainer.run());

  AdamW optimizer(by_hand.parameters(), f.options.adam);
  LoaderOptions batches;
  batches.batch_size = 5;
  batches.shuffle = batches.augment = batches.drop_last = true;
  batches.seed = f.options.seed;
  Loader loader(f.train, f.standardization, batches);
  loader.start(0);
  SafeTensors average = by_hand.state_dict();
  double loss_sum = 0;
  std::size_t step = 0;
  for (Batch batch; loader.next(batch); ++step) {
    const Variable logits = by_hand(Variable(batch.images));
    const Variable loss = classification_loss(LossKind::BinaryCrossEntropy, logits, batch.labels, 0.1);
    by_hand.zero_grad();
    loss.backward();
    CHECK(clip_grad_norm(by_hand.parameters(), 0.5) > 0.5);
    optimizer.step(learning_rate(ScheduleKind::OneCycle, 0.01, step, 4));
    loss_sum += static_cast<double>(loss.item());
    const double decays[] = {0.1, 2.0 / 11, 0.25, 0.3};
    for (const auto& [name, parameter] : by_hand.named_parameters())
      for (std::size_t i = 0; i < parameter.size(); ++i) {
        Scalar& a = average.tensors.at(name).data()[i];
        a = static_cast<Scalar>(decays[step]) * a + static_cast<Scalar>(1 - decays[step]) * parameter.value().data()[i];
      }
  }
  CHECK(step == 4);
  CHECK(network.state_dict().tensors == by_hand.state_dict().tensors);
  REQUIRE(trainer.average() != nullptr);
  const SafeTensors found = trainer.average()->state_dict();
  for (const auto& [name, tensor] : average.tensors)
    CHECK(max_error(found.tensors.at(name), tensor) < (sizeof(Scalar) == 8 ? 1e-13 : 1e-6));

  by_hand.load_state_dict(found);
  const Evaluation test = evaluate(by_hand, f.test, f.standardization, {}, LossKind::BinaryCrossEntropy);
  const EpochResult& result = trainer.progress().epochs.at(0);
  CHECK(result.train_loss == doctest::Approx(loss_sum / 4).epsilon(1e-12));
  CHECK(result.test_loss == test.loss);
  CHECK(result.test_accuracy == test.accuracy);
  CHECK(test.loss != evaluate(network, f.test, f.standardization, {}, LossKind::BinaryCrossEntropy).loss);
  CHECK(test.loss != evaluate(by_hand, f.test, f.standardization).loss);
  CHECK(test.accuracy == evaluate(by_hand, f.test, f.standardization).accuracy);
}

TEST_CASE("trainer: mixup trains on the shares of the classes, and counts hits against the larger one's") {
  Fixture f;
  f.options.epochs = 1;
  f.options.mixup = 1;
  f.options.cutout = 3;
  f.options.erasing = 0.5;
  f.options.augment = false;
  for (const LossKind kind : {LossKind::CrossEntropy, LossKind::BinaryCrossEntropy}) {
    f.options.loss = kind;
    Classifier network(1), by_hand(1);
    Trainer trainer(network, f.train, f.test, f.standardization, f.options);
    CHECK(trainer.run());

    Sgd sgd(by_hand.parameters(), f.options.sgd);
    LoaderOptions batches;
    batches.batch_size = 5;
    batches.shuffle = batches.drop_last = true;
    batches.seed = f.options.seed;
    batches.cutout = 3;
    batches.erasing.probability = 0.5;
    batches.mixup = 1;
    Loader loader(f.train, f.standardization, batches);
    loader.start(0);
    double loss_sum = 0;
    std::size_t step = 0, correct = 0, shared = 0;
    for (Batch batch; loader.next(batch); ++step) {
      for (const Scalar t : batch.targets) shared += t > Scalar(0.01) && t < Scalar(0.99);
      const Variable logits = by_hand(Variable(batch.images));
      const Variable loss = classification_loss(kind, logits, batch.targets, 0.1);
      by_hand.zero_grad();
      loss.backward();
      sgd.step(learning_rate(ScheduleKind::OneCycle, 0.1, step, 4));
      loss_sum += static_cast<double>(loss.item());
      correct += count_correct(logits.value(), batch.labels);
    }
    CHECK(shared > 0);
    CHECK(network.state_dict().tensors == by_hand.state_dict().tensors);
    const EpochResult& result = trainer.progress().epochs.at(0);
    CHECK(result.train_loss == doctest::Approx(loss_sum / 4).epsilon(1e-12));
    CHECK(result.train_accuracy == doctest::Approx(100 * static_cast<double>(correct) / 20));
  }
}

TEST_CASE("trainer: every augmentation, and evaluation with mirror images, reaches its place") {
  Fixture f;
  f.options.epochs = 1;
  f.options.augment = false;
  const auto result = [&](const TrainerOptions& options) {
    Classifier network(1);
    Trainer trainer(network, f.train, f.test, f.standardization, options);
    trainer.run();
    return trainer.progress().epochs.at(0);
  };
  const EpochResult plain = result(f.options);
  CHECK(result(f.options).train_loss == plain.train_loss);
  const auto changed = [&](auto change) {
    TrainerOptions options = f.options;
    change(options);
    return result(options).train_loss != plain.train_loss;
  };
  CHECK(changed([](TrainerOptions& o) { o.augment = true; }));
  CHECK(changed([](TrainerOptions& o) { o.cutout = 3; }));
  CHECK(changed([](TrainerOptions& o) { o.erasing = 1; }));
  CHECK(changed([](TrainerOptions& o) { o.mixup = 0.5; }));

  TrainerOptions flipping = f.options;
  flipping.flip_test = true;
  Classifier network(1);
  Trainer trainer(network, f.train, f.test, f.standardization, flipping);
  trainer.run();
  const EpochResult& flipped = trainer.progress().epochs.at(0);
  CHECK(flipped.train_loss == plain.train_loss);
  CHECK(flipped.test_loss != plain.test_loss);
  CHECK(flipped.test_loss == evaluate(network, f.test, f.standardization, {}, LossKind::CrossEntropy, true).loss);

  const auto refusal = [&](auto change) {
    TrainerOptions options = f.options;
    change(options);
    return error_of([&] { result(options); });
  };
  CHECK(starts_with(refusal([](TrainerOptions& o) { o.cutout = 9; }), "ValueError: loader: "));
  CHECK(refusal([](TrainerOptions& o) { o.erasing = 1.5; }) != "");
  CHECK(refusal([](TrainerOptions& o) { o.mixup = -1; }) != "");
}

TEST_CASE("trainer: without ema_decay there is no average") {
  const Fixture f;
  Classifier network(1);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  CHECK(trainer.average() == nullptr);
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

TEST_CASE("trainer: it tells how long its steps took, and how much of that they waited for images") {
  Fixture f;
  Classifier network(7);
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  CHECK(trainer.seconds_of_steps() == 0);
  double in_steps = 0;
  trainer.on_step = [&](const StepReport&) {
    CHECK(trainer.seconds_of_steps() > in_steps);
    in_steps = trainer.seconds_of_steps();
  };
  CHECK(trainer.run());
  CHECK(trainer.seconds_waited() > 0);
  CHECK(trainer.seconds_waited() <= trainer.seconds_of_steps());
  double of_epochs = 0;
  for (const EpochResult& epoch : trainer.progress().epochs) of_epochs += epoch.seconds;
  CHECK(trainer.seconds_of_steps() == doctest::Approx(of_epochs));
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
    CHECK(second.checkpoint().optimizer.tensors == uninterrupted.checkpoint().optimizer.tensors);
    CHECK(second.checkpoint().average.tensors.empty());
  }
}

TEST_CASE("trainer: resumed from a file, every optimizer goes on bit for bit, with all options") {
  const TemporaryDirectory directory;
  Fixture f;
  f.options.sgd.decay_norms_and_biases = f.options.adam.decay_norms_and_biases = false;
  f.options.adam.weight_decay = 0.05;
  f.options.clip_norm = 0.5;
  f.options.ema_decay = 0.8;
  f.options.loss = LossKind::BinaryCrossEntropy;
  std::vector<double> losses;
  for (const OptimizerKind kind : {OptimizerKind::Sgd, OptimizerKind::Adam, OptimizerKind::AdamW}) {
    f.options.optimizer = kind;
    f.options.peak_learning_rate = kind == OptimizerKind::Sgd ? 0.1 : 0.01;
    const auto start = [](std::uint64_t seed) {
      Generator generator(seed);
      return std::make_unique<CifarResNet>(tiny_resnet(), generator);
    };
    const auto whole = start(5);
    Trainer uninterrupted(*whole, f.train, f.test, f.standardization, f.options);
    CHECK(uninterrupted.run());
    const Checkpoint expected = uninterrupted.checkpoint();
    CHECK(expected.average.tensors != expected.network.tensors);
    losses.push_back(expected.progress.epochs.back().train_loss);

    for (const std::size_t stop_after : {3, 4, 9}) {  // in the first epoch, before its evaluation, in the third
      CAPTURE(stop_after);
      std::atomic<bool> stop{false};
      const auto first_network = start(5), second_network = start(99);
      Trainer first(*first_network, f.train, f.test, f.standardization, f.options);
      std::size_t done = 0;
      first.on_step = [&](const StepReport&) { stop = ++done == stop_after; };
      CHECK(!first.run(&stop));
      save_checkpoint(directory / "c", first.checkpoint());

      Trainer second(*second_network, f.train, f.test, f.standardization, f.options);
      second.restore(load_checkpoint(directory / "c"));
      CHECK(second.run());
      const Checkpoint found = second.checkpoint();
      check_same_results(found.progress.epochs, expected.progress.epochs);
      CHECK(found.network.tensors == expected.network.tensors);
      CHECK(found.network.integers == expected.network.integers);
      CHECK(found.optimizer.tensors == expected.optimizer.tensors);
      CHECK(found.optimizer.integers == expected.optimizer.integers);
      CHECK(found.average.tensors == expected.average.tensors);
      CHECK(found.average.integers == expected.average.integers);
    }
  }
  CHECK(losses[0] != losses[1]);
  CHECK(losses[1] != losses[2]);
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

TEST_CASE("trainer: with clipping, gradients that are not finite stop it before the parameters change") {
  Fixture f;
  f.options.clip_norm = 1;
  Classifier network(1);
  std::size_t backwards = 0;
  const double infinity = std::numeric_limits<double>::infinity();
  network.linear().own_parameters()[1].second.register_hook([&](const Variable& g) {
    return ++backwards == 3 ? Variable(full(g.shape(), static_cast<Scalar>(infinity))) : Variable();
  });
  Trainer trainer(network, f.train, f.test, f.standardization, f.options);
  SafeTensors before;
  trainer.on_step = [&](const StepReport&) { before = network.state_dict(); };
  CHECK_THROWS_WITH_AS(trainer.run(), "the norm of the gradients became inf in epoch 1, step 3", DivergedError);
  CHECK(network.state_dict().tensors == before.tensors);
}

TEST_CASE("trainer: an average of the weights on one side only, or another optimizer, is refused") {
  const Fixture f;
  TrainerOptions with = f.options, adam = f.options;
  with.ema_decay = 0.9;
  adam.optimizer = OptimizerKind::Adam;
  Classifier network(1);
  Trainer plain(network, f.train, f.test, f.standardization, f.options);
  Trainer averaging(network, f.train, f.test, f.standardization, with);
  Trainer by_adam(network, f.train, f.test, f.standardization, adam);
  const auto refusal = [&](Trainer& to, const Trainer& from) {
    return error_of([&, checkpoint = from.checkpoint()] { to.restore(checkpoint); });
  };
  CHECK(refusal(averaging, plain) ==
        "ValueError: trainer: the checkpoint has no average of the weights, this training keeps one");
  CHECK(refusal(plain, averaging) ==
        "ValueError: trainer: the checkpoint has an average of the weights, this training keeps none");
  CHECK(refusal(by_adam, plain) ==
        "ValueError: adam: the state does not fit; missing: first_moment/linear.bias, first_moment/linear.weight, "
        "second_moment/linear.bias, second_moment/linear.weight, steps/linear.bias, steps/linear.weight; unexpected: "
        "velocity/linear.bias, velocity/linear.weight");
  CHECK(refusal(averaging, averaging) == "");

  Checkpoint wrong = averaging.checkpoint();  // found last, when network and optimizer have been loaded
  wrong.network.tensors.at("linear.bias") = ones({10});
  wrong.optimizer.tensors.at("velocity/linear.bias") = ones({10});
  wrong.average.tensors.erase("linear.bias");
  const Checkpoint before = averaging.checkpoint();
  CHECK(error_of([&] { averaging.restore(wrong); }) == "ValueError: ema: the state does not fit; missing: linear.bias");
  CHECK(averaging.checkpoint().network.tensors == before.network.tensors);
  CHECK(averaging.checkpoint().optimizer.tensors == before.optimizer.tensors);
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
  CHECK(starts_with(refusal(other_trainer.checkpoint()),
                    "ValueError: load_state_dict: the state does not fit; unexpected: bn1.bias, bn1."));
  CHECK(starts_with(error_of([&] { other_trainer.restore(trainer.checkpoint()); }),
                    "ValueError: load_state_dict: the state does not fit; missing: bn1.bias, bn1."));

  Checkpoint too_far = trainer.checkpoint();
  too_far.progress.step = 5;
  CHECK(refusal(too_far) == "ValueError: trainer: the checkpoint is at step 5 of an epoch, here it has 4");
  too_far.progress = {};
  too_far.progress.epochs.resize(4);
  CHECK(refusal(too_far) == "ValueError: trainer: the checkpoint has 4 epochs, this training only 3");

  Checkpoint misshaped = trainer.checkpoint();
  misshaped.network.tensors.at("linear.bias") = zeros({11});
  misshaped.optimizer.tensors.at("velocity/linear.bias") = ones({10});
  CHECK(refusal(misshaped) ==
        "ValueError: load_state_dict: the state does not fit; of another shape: linear.bias (expected (10), got (11))");
  misshaped.network.tensors.at("linear.bias") = ones({10});
  misshaped.optimizer.tensors.at("velocity/linear.bias") = ones({11});
  CHECK(refusal(misshaped) ==
        "ValueError: sgd: the state does not fit; of another shape: velocity/linear.bias (expected (10), got (11))");
  CHECK(network.state_dict().tensors == before.tensors);
  CHECK(trainer.checkpoint().optimizer.tensors.at("velocity/linear.bias").shape() == Shape{0});
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
  const std::string clip = "ValueError: trainer: clip_norm must be finite and at least 0, got ";
  CHECK(refusal([](TrainerOptions& o) { o.clip_norm = -1; }) == clip + "-1");
  CHECK(refusal([](TrainerOptions& o) { o.clip_norm = std::numeric_limits<double>::infinity(); }) == clip + "inf");
  const std::string ema = "ValueError: trainer: ema_decay must be within [0, 1), got ";
  CHECK(refusal([](TrainerOptions& o) { o.ema_decay = 1; }) == ema + "1");
  CHECK(refusal([](TrainerOptions& o) { o.ema_decay = -0.5; }) == ema + "-0.5");
  const auto bad_beta = [](TrainerOptions& o) { o.adam.beta1 = 1; };
  CHECK(refusal(bad_beta) == "");
  CHECK(refusal([&](TrainerOptions& o) {
          bad_beta(o);
          o.optimizer = OptimizerKind::AdamW;
        }) == "ValueError: adamw: beta1 must be within [0, 1), got 1");
  CHECK(error_of([&] { Trainer(network, f.train, Dataset(), f.standardization, f.options); }) ==
        "ValueError: trainer: expected at least 1 test image, got 0");
}
