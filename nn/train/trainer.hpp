#pragma once

// nn/train/ is the training loop. Read trainer.cpp first: the loop itself is Trainer::run, a step is Trainer::step, and
// both are short. checkpoint.hpp is how a training survives being stopped.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>

#include "../data/dataset.hpp"
#include "../data/loader.hpp"
#include "../module.hpp"
#include "../optim/adam.hpp"
#include "../optim/ema.hpp"
#include "../optim/schedule.hpp"
#include "../optim/sgd.hpp"
#include "checkpoint.hpp"
#include "evaluation.hpp"

namespace xtg::nn {

/// The training loss, or the norm of its gradients, is infinite or not a number.
struct DivergedError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct TrainerOptions {
  std::size_t epochs = 1;
  std::size_t batch_size = 128;
  double peak_learning_rate = 0.1;
  ScheduleKind schedule = ScheduleKind::OneCycle;  // over all steps of all epochs
  OptimizerKind optimizer = OptimizerKind::Sgd;
  SgdOptions sgd = {0.9, 5e-4, true};      // for Sgd
  AdamOptions adam;                        // for Adam and AdamW; their usual peak learning rates are lower, about 1e-3
  double clip_norm = 0;                    // largest norm of all gradients together, see clip_grad_norm; 0: any
  double ema_decay = 0;                    // of the average that is evaluated instead of the weights, see Ema; 0: none
  LossKind loss = LossKind::CrossEntropy;  // trained on and reported
  double label_smoothing = 0;
  bool augment = false;    // crop and flip, see Loader
  std::size_t cutout = 0;  // side in pixels of the square cut out of every image; 0: none
  double erasing = 0;      // probability of random erasing
  double mixup = 0;        // alpha of mixup; 0: none. Hits in training are counted against the larger share's class
  bool flip_test = false;  // evaluate on the mean over each image and its mirror image
  std::uint64_t seed = 0;  // of shuffling and augmentation
};

/// What a training can say after each step; the averages are over the epoch so far.
struct StepReport {
  std::size_t epoch, epochs;  // 1 … epochs
  std::size_t step, steps;    // 1 … steps, in the epoch
  double loss;                // nats per image
  double accuracy;            // percent
  double images_per_second;
};

/// Trains a classifier: (N, H, W, C) -> logits (N, classes). An epoch is every image once, in a new order, in batches;
/// an incomplete last batch is left out (50,000 images are 390 steps of 128), unless it is the only one: fewer images
/// than a batch train as one smaller batch. After each epoch the network is evaluated on the test images; with
/// ema_decay its average is, whose decay in step t = 0, 1, … is min(ema_decay, (1 + t)/(10 + t)), so that it soon
/// forgets the initial weights (the same rule as TensorFlow's ExponentialMovingAverage).
///
///   Trainer trainer(network, train, test, measure(train), options);
///   trainer.on_epoch = [](const EpochResult& result) { … };
///   trainer.run();
class Trainer {
 public:
  /// Keeps references to `network` and both datasets. Throws ValueError as Loader and the optimizer do, and for
  /// 0 epochs or a number of them that is no size, no test images, a peak learning rate or clip_norm that is not finite
  /// or is negative, or an ema_decay outside [0, 1).
  Trainer(Module& network, const Dataset& train, const Dataset& test, const Standardization& standardization,
          const TrainerOptions& options);

  // Called, if set, after each step, after each epoch and its evaluation, and during evaluation with image counts.
  // checkpoint() may be called from the first two.
  std::function<void(const StepReport&)> on_step;
  std::function<void(const EpochResult&)> on_epoch;
  std::function<void(std::size_t done, std::size_t total)> on_evaluation;

  /// Trains to the end and returns true, or false if `*stop` became true: the step under way is finished then, an
  /// evaluation is not (it is done again on resuming). Throws DivergedError that names epoch and step, before that step
  /// changes a parameter, if the loss is not finite, or with clip_norm the norm of the gradients.
  bool run(const std::atomic<bool>* stop = nullptr);

  const TrainingProgress& progress() const { return progress_; }
  std::size_t steps_per_epoch() const { return loader_.batches(); }
  bool finished() const { return progress_.epochs.size() == options_.epochs; }
  /// The average of the weights; null without ema_decay.
  Ema* average() { return average_ ? &*average_ : nullptr; }

  /// Of this process's run(), how long the steps took, and how much of that they waited for their batches, in seconds.
  double seconds_of_steps() const { return seconds_of_steps_; }
  double seconds_waited() const { return seconds_waited_; }

  /// A copy of everything. A trainer of the same network, data and options that restores it goes on bit for bit: the
  /// results of its epochs, but for the times, equal those of a training that was never stopped.
  Checkpoint checkpoint() const;
  /// Throws ValueError, and changes nothing, if the checkpoint is of another network or optimizer (Adam and AdamW keep
  /// the same state and are not told apart), has an average of the weights where this training has none or the reverse,
  /// or is further than this training goes.
  void restore(const Checkpoint& checkpoint);

 private:
  void step(Batch batch);
  void finish_epoch(const std::atomic<bool>* stop);
  double learning_rate_at(std::size_t step_of_epoch) const;

  Module& network_;
  const Dataset& test_;
  const Standardization standardization_;
  const TrainerOptions options_;
  Loader loader_;
  const std::unique_ptr<Optimizer> optimizer_;
  std::optional<Ema> average_;
  TrainingProgress progress_;
  double seconds_of_steps_ = 0, seconds_waited_ = 0;
};

}  // namespace xtg::nn
