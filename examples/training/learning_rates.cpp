#include "examples/training/learning_rates.hpp"

#include <algorithm>
#include <cstdio>

#include "autograd/grad_mode.hpp"
#include "examples/training/data.hpp"
#include "examples/training/network.hpp"
#include "examples/training/progress.hpp"
#include "examples/training/text.hpp"
#include "nn/train/learning_rate_range.hpp"
#include "tensor/error.hpp"

using namespace xtg::nn;

namespace {

LoaderOptions batches(const TrainerOptions& training, std::size_t images) {
  LoaderOptions result;
  result.batch_size = training.batch_size;
  result.shuffle = true;
  result.augment = training.augment;
  result.drop_last = images >= training.batch_size;
  result.seed = training.seed;
  result.cutout = training.cutout;
  result.erasing.probability = training.erasing;
  return result;
}

void print_table(const std::vector<RangePoint>& points) {
  fmt::print("  learning rate    loss\n");
  for (std::size_t i = 0; i < points.size(); i += 5)
    fmt::print("  {:13.4g}  {:6.3f}\n", points[i].learning_rate, points[i].loss);
}

/// Where the loss is lowest, and where it then becomes twice that: by then it explodes, and noise is not enough for it.
void print_findings(const std::vector<RangePoint>& points, const RangeOptions& options) {
  const auto lower = [](const RangePoint& a, const RangePoint& b) { return a.loss < b.loss; };
  const auto lowest = std::min_element(points.begin(), points.end(), lower);
  const auto exploded =
      std::find_if(lowest, points.end(), [&](const RangePoint& point) { return point.loss > 2 * lowest->loss; });
  fmt::print("lowest loss {:.3f} at a learning rate of {:.3g}; {}\n", lowest->loss, lowest->learning_rate,
             lowest == points.begin() ? "nothing was learned: larger batches would tell more"
                                      : "a good --lr is somewhat below it");
  if (exploded != points.end()) {
    fmt::print("the loss began to explode at {:.3g}, where it is twice that\n", exploded->learning_rate);
  } else if (points.size() < options.steps) {
    fmt::print("the loss is no longer finite after {:.3g}\n", points.back().learning_rate);
  } else {
    fmt::print("the loss did not explode up to {:.3g}\n", points.back().learning_rate);
  }
}

}  // namespace

void try_learning_rates(const Settings& s, RunDirectory directory) {
  xtg::require(s.optimizer == "sgd", "--lr-range trains with sgd, not with {}", s.optimizer);
  const TrainerOptions training = trainer_options(s);
  RangeOptions options;
  options.sgd = training.sgd;
  options.loss = training.loss;
  const Data data = load_data(s);
  directory.claim();
  const auto network = make_network(s, data.train.classes());
  fmt::print("learning-rate range test: {}, on {}, {} of {} images, learning rates from {} to {}\n", describe(s),
             s.dataset, count(options.steps, "step"), std::min(training.batch_size, data.train.size()), options.from,
             options.to);
  std::fflush(stdout);

  Loader loader(data.train, data.standardization, batches(training, data.train.size()));
  Progress progress;
  const xtg::GradientMode form(xtg::parse_gradient_form(s.gradients));
  const std::vector<RangePoint> points = learning_rate_range(
      *network, loader, options, [&](std::size_t done, std::size_t total) { progress.work(done, total, "steps"); });
  progress.clear();
  xtg::require(!points.empty(), "the loss is not finite before the first step, whatever the learning rate");

  print_table(points);
  print_findings(points, options);
  directory.write_range(points);
  fmt::print("numbers: {}\n", directory.range_path());
  if (plot_learning_rates(directory.range_curve_path(), describe(s) + ", " + s.dataset, points))
    fmt::print("curve:   {}\n", directory.range_curve_path());
  else
    fmt::print("(no curve: gnuplot is not installed, or failed)\n");
}
