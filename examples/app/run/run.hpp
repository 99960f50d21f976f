#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "examples/app/run/data.hpp"
#include "examples/app/run/plan.hpp"
#include "nn/module.hpp"
#include "nn/train/trainer.hpp"

namespace xtg::app {

/// One training in its directory: sets it up and keeps the files there up to date. Prints nothing; who wants to show
/// something uses the three callbacks.
class Run {
 public:
  /// Loads the data, makes the network, and restores the plan's checkpoint if it has one. Throws as these do, and
  /// ValueError if the checkpoint is of other images.
  explicit Run(Plan plan);

  std::function<void(const nn::StepReport&)> on_step;
  std::function<void(std::size_t done, std::size_t total)> on_evaluation;
  std::function<void(const nn::EpochResult&)> on_epoch;  // after the run's files have been brought up to date

  /// Claims the directory. Throws as RunDirectory::claim does, and ValueError if a new run's directory holds one.
  void claim();
  /// Claims the directory, then trains to the end and returns true; or, after `stop` became true, saves and returns
  /// false. Saves as well before it throws DivergedError. A new run that has no memory, or threads, for as much as its
  /// first checkpoint leaves no files.
  bool train(const std::atomic<bool>& stop);

  /// What the network, or the average of its weights if the training keeps one, says of the test images.
  nn::Predictions predict_test();

  const Settings& settings() const { return plan_.settings; }
  const RunDirectory& directory() const { return plan_.run; }
  const Data& data() const { return data_; }
  nn::Module& network() { return *network_; }
  const nn::Trainer& trainer() const { return trainer_; }
  bool resumed() const { return plan_.checkpoint.has_value(); }
  /// Whether the directory has curves: they need gnuplot.
  bool plotted() const { return plotted_; }

 private:
  bool train_claimed(const std::atomic<bool>& stop);
  void restore(const nn::Checkpoint& checkpoint);
  void save();
  void write_results();
  void write_layers();

  Plan plan_;
  const std::string config_;
  const Data data_;
  const std::string data_fingerprint_;
  const std::unique_ptr<nn::Module> network_;
  nn::Trainer trainer_;
  std::chrono::steady_clock::time_point saved_at_ = std::chrono::steady_clock::now();
  bool plotted_ = true;
};

}  // namespace xtg::app
