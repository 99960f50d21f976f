#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "../data/loader.hpp"
#include "../module.hpp"
#include "../optim/sgd.hpp"
#include "classification_loss.hpp"

namespace xtg::nn {

struct RangeOptions {
  double from = 1e-4, to = 10;  // learning rates of the first and the last step
  std::size_t steps = 100;
  SgdOptions sgd = {0.9, 5e-4, true};
  LossKind loss = LossKind::CrossEntropy;
  double smoothing = 0.9;  // weight of the loss before in the smoothed one
};

struct RangePoint {
  double learning_rate;  // of the step
  double loss;           // nats per image, smoothed; before the step
};

/// The learning-rate range test (Smith 2015, arXiv:1506.01186, 3.3): trains a clone of the classifier for `steps` steps
/// while the rate rises from `from` to `to`, each time by the same factor; range_findings reads what came of it. Each
/// loss is smoothed with those before it, s ← smoothing·s + (1 − smoothing)·loss, over 1 − smoothing^steps. It stops
/// early after a point above 4 times the lowest, or before a loss that is not finite. `network` is left as it is, but
/// the loader's epoch under way is given up; its epochs 0, 1, … are gone through as far as needed. `on_step(done,
/// steps)` is called after each step, counted from 1. Throws ValueError as clone and Sgd do, and unless 0 < from < to,
/// both finite, 2 ≤ steps ≤ 2^48, 0 ≤ smoothing < 1.
std::vector<RangePoint> learning_rate_range(const Module& network, Loader& loader, const RangeOptions& options = {},
                                            const std::function<void(std::size_t, std::size_t)>& on_step = {});

/// What a range test shows.
struct RangeFindings {
  RangePoint lowest{};             // where the smoothed loss is lowest
  double reference = 0;            // what it had to fall below, see range_findings
  double noise = 0;                // standard deviation of the smoothed loss from the choice of batches alone
  bool fell = false;               // below the reference by more than 4 times the noise
  bool learned = false;            // and by more than a tenth of the reference
  bool turned = false;             // the loss rose again by more than 4 times the noise, or was no longer finite
  std::optional<double> exploded;  // the first rate after the lowest loss at which the loss is more than twice that

  /// Somewhat below this rate is a first peak to try. Nothing where the test does not tell.
  std::optional<double> advice() const {
    return learned && turned ? std::optional<double>(lowest.learning_rate) : std::nullopt;
  }
};

/// Reads the points of learning_rate_range under `options`. `chance` is the loss of a network that gives every image
/// the same probabilities, log K for K balanced classes. The reference is that, or the smoothed loss after the first
/// 1/(1 − smoothing) steps if it is lower: a network whose first logits are large falls to `chance` by making them
/// small, and has learned nothing yet. The noise is that of single losses, by the median of how much neighbours differ
/// up to the lowest point (the median over 0.6745·√2 is the standard deviation of one), times
/// √((1 − smoothing)/(1 + smoothing)), what the running mean leaves of it.
///
/// Where the lowest loss is no more than a tenth below the reference, the network has hardly begun to learn before the
/// rate was too large for its very first steps. That says little of a training, which raises its rate slowly:
/// docs/experiments.md has such tests, whose lowest loss lay at a tenth of a good rate, or at one that diverges. Even
/// after a test that learned, a training with a warm-up may stand several times the advice. Throws ValueError without
/// points, or unless 0 < chance < infinity.
RangeFindings range_findings(const std::vector<RangePoint>& points, double chance, const RangeOptions& options = {});

}  // namespace xtg::nn
