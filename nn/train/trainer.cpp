#include "nn/train/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "nn/optim/clip.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

/// Thrown through evaluate() when a stop is requested.
struct Stopped {};

LoaderOptions training_batches(const Dataset& train, const TrainerOptions& options) {
  LoaderOptions result;
  result.batch_size = options.batch_size;
  result.shuffle = true;
  result.augment = options.augment;
  result.drop_last = train.size() >= options.batch_size;
  result.seed = options.seed;
  result.cutout = options.cutout;
  result.erasing.probability = options.erasing;
  result.mixup = options.mixup;
  return result;
}

std::unique_ptr<Optimizer> make_optimizer(const Module& network, const TrainerOptions& options) {
  const NamedVariables parameters = network.named_parameters();
  switch (options.optimizer) {
    case OptimizerKind::Adam:
      return std::make_unique<Adam>(parameters, options.adam);
    case OptimizerKind::AdamW:
      return std::make_unique<AdamW>(parameters, options.adam);
    case OptimizerKind::Sgd:
      break;
  }
  return std::make_unique<Sgd>(parameters, options.sgd);
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Trainer::Trainer(Module& network, const Dataset& train, const Dataset& test, const Standardization& standardization,
                 const TrainerOptions& options)
    : network_(network),
      test_(test),
      standardization_(standardization),
      options_(options),
      loader_(train, standardization, training_batches(train, options)),
      optimizer_(make_optimizer(network, options)) {
  require(options.epochs > 0, "trainer: expected at least 1 epoch, got 0");
  require_size("trainer", "epochs", options.epochs);
  require(test.size() > 0, "trainer: expected at least 1 test image, got 0");
  require(std::isfinite(options.peak_learning_rate) && options.peak_learning_rate >= 0,
          "trainer: the learning rate must be finite and at least 0, got {}", options.peak_learning_rate);
  require(std::isfinite(options.clip_norm) && options.clip_norm >= 0,
          "trainer: clip_norm must be finite and at least 0, got {}", options.clip_norm);
  require(options.ema_decay >= 0 && options.ema_decay < 1, "trainer: ema_decay must be within [0, 1), got {}",
          options.ema_decay);
  if (options.ema_decay > 0) average_.emplace(network);
}

bool Trainer::run(const std::atomic<bool>* stop) {
  while (!finished()) {
    network_.train();
    loader_.start(progress_.epochs.size(), progress_.step);
    while (progress_.step < steps_per_epoch()) {
      if (stop && *stop) return false;
      const double start = seconds_now();
      Batch batch;
      loader_.next(batch);
      seconds_waited_ += seconds_now() - start;
      step(std::move(batch));
      const double seconds = seconds_now() - start;
      seconds_of_steps_ += seconds;
      progress_.seconds += seconds;
      if (on_step) {
        const double images = static_cast<double>(progress_.images);
        on_step({progress_.epochs.size() + 1, options_.epochs, progress_.step, steps_per_epoch(),
                 progress_.loss_sum / images, 100 * static_cast<double>(progress_.correct) / images,
                 images / progress_.seconds});
      }
    }
    try {
      finish_epoch(stop);
    } catch (const Stopped&) {
      return false;
    }
  }
  return true;
}

/// One step of training: forward, loss, backward, update.
void Trainer::step(Batch batch) {
  const std::size_t count = batch.labels.size(), epoch = progress_.epochs.size();
  const Variable logits = network_(Variable(std::move(batch.images)));  // (B, classes)
  const Variable loss =                                                 // ()
      options_.mixup > 0 ? classification_loss(options_.loss, logits, batch.targets, options_.label_smoothing)
                         : classification_loss(options_.loss, logits, batch.labels, options_.label_smoothing);
  const double value = static_cast<double>(loss.item());
  require<DivergedError>(std::isfinite(value), "the training loss became {} in epoch {}, step {}", value, epoch + 1,
                         progress_.step + 1);
  optimizer_->zero_grad();
  loss.backward();
  if (options_.clip_norm > 0) {
    const double norm = grad_norm(network_.parameters());
    require<DivergedError>(std::isfinite(norm), "the norm of the gradients became {} in epoch {}, step {}", norm,
                           epoch + 1, progress_.step + 1);
    clip_grad_norm(network_.parameters(), options_.clip_norm);
  }
  optimizer_->step(learning_rate_at(progress_.step));
  if (average_) {
    const double t = static_cast<double>(epoch * steps_per_epoch() + progress_.step);
    average_->update(std::min(options_.ema_decay, (1 + t) / (10 + t)));
  }

  progress_.loss_sum += value * static_cast<double>(count);
  progress_.correct += count_correct(logits.value(), batch.labels);
  progress_.images += count;
  ++progress_.step;
}

double Trainer::learning_rate_at(std::size_t step_of_epoch) const {
  const std::size_t steps = steps_per_epoch();
  return learning_rate(options_.schedule, options_.peak_learning_rate, progress_.epochs.size() * steps + step_of_epoch,
                       options_.epochs * steps);
}

void Trainer::finish_epoch(const std::atomic<bool>* stop) {
  const auto on_batch = [&](std::size_t done, std::size_t total) {
    if (stop && *stop) throw Stopped();
    if (on_evaluation) on_evaluation(done, total);
  };
  std::optional<AveragedWeights> averaged;
  if (average_) averaged.emplace(*average_);
  const Evaluation test = evaluate(network_, test_, standardization_, on_batch, options_.loss, options_.flip_test);
  averaged.reset();
  const double images = static_cast<double>(progress_.images);
  const EpochResult result{progress_.epochs.size() + 1,
                           progress_.loss_sum / images,
                           100 * static_cast<double>(progress_.correct) / images,
                           test.loss,
                           test.accuracy,
                           learning_rate_at(steps_per_epoch() - 1),
                           progress_.seconds,
                           images / progress_.seconds};
  std::vector<EpochResult> epochs = std::move(progress_.epochs);
  epochs.push_back(result);
  progress_ = TrainingProgress();  // a new epoch's sums
  progress_.epochs = std::move(epochs);
  if (on_epoch) on_epoch(result);
}

Checkpoint Trainer::checkpoint() const {
  Checkpoint result;
  result.network = network_.state_dict();
  result.optimizer = optimizer_->state_dict();
  if (average_) result.average = average_->state_dict();
  result.progress = progress_;
  return result;
}

void Trainer::restore(const Checkpoint& checkpoint) {
  const TrainingProgress& progress = checkpoint.progress;
  require(progress.epochs.size() <= options_.epochs, "trainer: the checkpoint has {} epochs, this training only {}",
          progress.epochs.size(), options_.epochs);
  require(progress.step <= steps_per_epoch(), "trainer: the checkpoint is at step {} of an epoch, here it has {}",
          progress.step, steps_per_epoch());
  const bool has_average = !checkpoint.average.tensors.empty();
  require(has_average || !average_, "trainer: the checkpoint has no average of the weights, this training keeps one");
  require(!has_average || average_, "trainer: the checkpoint has an average of the weights, this training keeps none");
  const Checkpoint before = this->checkpoint();
  const auto load = [this](const Checkpoint& from) {
    network_.load_state_dict(from.network);
    optimizer_->load_state_dict(from.optimizer);
    if (average_) average_->load_state_dict(from.average);
  };
  try {
    load(checkpoint);
  } catch (...) {
    load(before);
    throw;
  }
  progress_ = progress;
}

}  // namespace xtg::nn
