#include "nn/train/learning_rate_range.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tensor/shape.hpp"

namespace xtg::nn {

std::vector<RangePoint> learning_rate_range(const Module& network, Loader& loader, const RangeOptions& options,
                                            const std::function<void(std::size_t, std::size_t)>& on_step) {
  require(options.from > 0 && options.from < options.to && std::isfinite(options.to),
          "learning_rate_range: expected learning rates 0 < from < to, both finite, got {} and {}", options.from,
          options.to);
  require(options.steps >= 2, "learning_rate_range: expected at least 2 steps, got {}", options.steps);
  require_size("learning_rate_range", "steps", options.steps);
  require(options.smoothing >= 0 && options.smoothing < 1,
          "learning_rate_range: the smoothing must be within [0, 1), got {}", options.smoothing);
  const std::unique_ptr<Module> copy = network.clone();
  copy->train();
  Sgd sgd(copy->named_parameters(), options.sgd);

  std::vector<RangePoint> points;
  double sum = 0, weight = 0, best = std::numeric_limits<double>::infinity();
  std::size_t epoch = 0;
  loader.start(epoch);
  for (std::size_t step = 0; step < options.steps; ++step) {
    Batch batch;
    while (!loader.next(batch)) loader.start(++epoch);
    const Variable logits = (*copy)(Variable(std::move(batch.images)));
    const Variable loss = classification_loss(options.loss, logits, batch.labels);
    const double value = static_cast<double>(loss.item());
    if (!std::isfinite(value)) break;
    sum = options.smoothing * sum + (1 - options.smoothing) * value;
    weight = options.smoothing * weight + (1 - options.smoothing);
    const double smoothed = sum / weight, done = static_cast<double>(step) / static_cast<double>(options.steps - 1);
    const double rate = options.from * std::pow(options.to / options.from, done);
    points.push_back({rate, smoothed});
    best = std::min(best, smoothed);
    if (smoothed > 4 * best) break;
    sgd.zero_grad();
    loss.backward();
    sgd.step(rate);
    if (on_step) on_step(step + 1, options.steps);
  }
  return points;
}

}  // namespace xtg::nn
