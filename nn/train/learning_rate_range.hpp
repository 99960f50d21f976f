#pragma once

#include <functional>
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
/// while the rate rises from `from` to `to`, each time by the same factor; a good peak is somewhat below the rate at
/// which the loss is lowest. Each loss is smoothed with those before it, s ← smoothing·s + (1 − smoothing)·loss, over
/// 1 − smoothing^steps. It stops early after a point above 4 times the lowest, or before a loss that is not finite.
/// `network` is left as it is, but the loader's epoch under way is given up; its epochs 0, 1, … are gone through as far
/// as needed. `on_step(done, steps)` is called after each step, counted from 1. Throws ValueError as clone and Sgd do,
/// and unless 0 < from < to, both finite, 2 ≤ steps ≤ 2^48, 0 ≤ smoothing < 1.
std::vector<RangePoint> learning_rate_range(const Module& network, Loader& loader, const RangeOptions& options = {},
                                            const std::function<void(std::size_t, std::size_t)>& on_step = {});

}  // namespace xtg::nn
