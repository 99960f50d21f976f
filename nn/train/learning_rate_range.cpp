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

namespace {

/// The losses before they were smoothed.
std::vector<double> single_losses(const std::vector<RangePoint>& points, double smoothing) {
  std::vector<double> losses = {points[0].loss};
  for (std::size_t i = 1; i < points.size(); ++i) {
    const double share = (1 - smoothing) / (1 - std::pow(smoothing, static_cast<double>(i + 1)));  // of the newest one
    losses.push_back(points[i - 1].loss + (points[i].loss - points[i - 1].loss) / share);
  }
  return losses;
}

/// The standard deviation of one of `losses`, but for what they have in common with their neighbours.
double deviation(const std::vector<double>& losses) {
  std::vector<double> differences;
  for (std::size_t i = 1; i < losses.size(); ++i) differences.push_back(std::abs(losses[i] - losses[i - 1]));
  if (differences.empty()) return 0;
  const auto middle = differences.begin() + static_cast<std::ptrdiff_t>(differences.size() / 2);
  std::nth_element(differences.begin(), middle, differences.end());
  return *middle / (0.6745 * std::sqrt(2.0));
}

}  // namespace

RangeFindings range_findings(const std::vector<RangePoint>& points, double chance, const RangeOptions& options) {
  require(!points.empty(), "range_findings: expected at least one point, got none");
  require(chance > 0 && std::isfinite(chance), "range_findings: expected a finite loss of chance above 0, got {}",
          chance);
  const auto lower = [](const RangePoint& a, const RangePoint& b) { return a.loss < b.loss; };
  const auto lowest = std::min_element(points.begin(), points.end(), lower);
  const double memory = options.smoothing / (1 - options.smoothing);  // steps before the newest that a loss rests on
  const std::size_t settled = static_cast<std::size_t>(std::min(memory, static_cast<double>(points.size() - 1)));

  RangeFindings found;
  found.lowest = *lowest;
  found.reference = std::min(chance, points[settled].loss);
  // Before any explosion, but enough of them.
  const std::size_t quiet = std::max(static_cast<std::size_t>(lowest - points.begin()), settled);
  const std::vector<double> losses = single_losses(points, options.smoothing);
  found.noise = deviation({losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(quiet + 1)}) *
                std::sqrt((1 - options.smoothing) / (1 + options.smoothing));
  const double fall = found.reference - lowest->loss;
  found.fell = fall > 4 * found.noise;
  found.learned = found.fell && fall > 0.1 * found.reference;
  found.turned = points.size() < options.steps ||
                 std::max_element(lowest, points.end(), lower)->loss > lowest->loss + 4 * found.noise;
  for (auto point = lowest; point != points.end() && !found.exploded; ++point)
    if (point->loss > 2 * lowest->loss) found.exploded = point->learning_rate;
  return found;
}

}  // namespace xtg::nn
