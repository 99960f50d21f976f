#pragma once

#include <chrono>
#include <string>

#include "nn/train/trainer.hpp"

namespace xtg::app {

/// What a training shows on standard output. On a terminal: one line that is rewritten in place, at most ten times a
/// second, and replaced by the epoch's result when the epoch is over. Elsewhere: the results only, a line an epoch.
class Progress {
 public:
  Progress();
  /// The training begins; `steps_done` of `steps_total` are behind it already when a run is resumed.
  void begin(std::size_t steps_done, std::size_t steps_total);
  void step(const nn::StepReport& report);
  void evaluation(std::size_t done, std::size_t total);
  /// Of other work: the bar and what it counts.
  void work(std::size_t done, std::size_t total, const char* what);
  void epoch(const nn::EpochResult& result, std::size_t epochs);
  /// Takes the line away, so that something else can be printed.
  void clear();

  /// Since begin().
  double seconds() const;

 private:
  void show(const std::string& line);

  const bool terminal_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::size_t steps_before_ = 0, steps_total_ = 0;
  std::string epoch_;  // "epoch  3/14", for the evaluation's line
  double shown_ = -1;  // when the line was last written; below 0: there is none
};

}  // namespace xtg::app
