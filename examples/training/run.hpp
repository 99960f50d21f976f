#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "examples/training/data.hpp"
#include "examples/training/plan.hpp"
#include "nn/module.hpp"
#include "nn/train/trainer.hpp"

/// One training in its directory: sets it up and keeps the files there up to date. Prints nothing; who wants to show
/// something uses the three callbacks.
class Run {
 public:
  /// Loads the data, makes the network, and restores the plan's checkpoint if it has one. Throws as these do, and
  /// xtg::ValueError if the checkpoint is of other images.
  explicit Run(Plan plan);

  std::function<void(const xtg::nn::StepReport&)> on_step;
  std::function<void(std::size_t done, std::size_t total)> on_evaluation;
  std::function<void(const xtg::nn::EpochResult&)> on_epoch;  // after the run's files have been brought up to date

  /// Claims the directory. Throws as RunDirectory::claim does, and xtg::ValueError if a new run's directory holds one.
  void claim();
  /// Claims the directory, then trains to the end and returns true; or, after `stop` became true, saves and returns
  /// false. Saves as well before it throws DivergedError. A new run that fails before its first checkpoint leaves no
  /// files.
  bool train(const std::atomic<bool>& stop);

  /// What the network, or the average of its weights if the training keeps one, says of the test images.
  xtg::nn::Predictions predict_test();

  const Settings& settings() const { return plan_.settings; }
  const RunDirectory& directory() const { return plan_.run; }
  const Data& data() const { return data_; }
  xtg::nn::Module& network() { return *network_; }
  const xtg::nn::Trainer& trainer() const { return trainer_; }
  bool resumed() const { return plan_.checkpoint.has_value(); }
  /// Whether the directory has curves: they need gnuplot.
  bool plotted() const { return plotted_; }

 private:
  bool train_claimed(const std::atomic<bool>& stop);
  void restore(const xtg::nn::Checkpoint& checkpoint);
  void save();
  void write_results();
  void write_layers();

  Plan plan_;
  const std::string config_;
  const Data data_;
  const std::string data_fingerprint_;
  const std::unique_ptr<xtg::nn::Module> network_;
  xtg::nn::Trainer trainer_;
  std::chrono::steady_clock::time_point saved_at_ = std::chrono::steady_clock::now();
  bool plotted_ = true;
};
