// Looks for a good learning rate. The test is nn/train/learning_rate_range.cpp; here it gets its data, and is
// explained.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "autograd/grad_mode.hpp"
#include "examples/app/commands/commands.hpp"
#include "examples/app/commands/train_options.hpp"
#include "examples/app/run/curves.hpp"
#include "examples/app/run/data.hpp"
#include "examples/app/run/directory.hpp"
#include "examples/app/run/network.hpp"
#include "examples/app/terminal/program.hpp"
#include "examples/app/terminal/progress.hpp"
#include "examples/app/terminal/text.hpp"
#include "nn/train/learning_rate_range.hpp"
#include "tensor/create.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

using namespace nn;

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

/// The loss of a network that answers each of `classes` with the probability 1/classes.
double loss_of_guessing(LossKind kind, std::size_t classes) {
  const double logit = -std::log(static_cast<double>(classes) - 1);  // its softmax and its sigmoid are 1/classes
  const Variable logits(full({1, classes}, static_cast<Scalar>(logit)));
  return static_cast<double>(classification_loss(kind, logits, indices({0})).item());
}

/// What the test shows, a --lr to try only where it shows one, and where the loss explodes: that is twice the lowest,
/// for which noise is not enough.
void print_findings(const std::vector<RangePoint>& points, double guessing, const RangeOptions& options) {
  const RangeFindings found = range_findings(points, guessing, options);
  const double fall = found.reference - found.lowest.loss;
  fmt::print("lowest loss {:.3f} at a learning rate of {:.3g}; {} {:.3f}, noise {:.2g}\n", found.lowest.loss,
             found.lowest.learning_rate, found.reference < guessing ? "it began with" : "guessing has", found.reference,
             found.noise);
  if (const std::optional<double> rate = found.advice())
    fmt::print(
        "advice: try a --lr somewhat below {:.3g} first; a training with a warm-up may stand several times as "
        "much\n",
        *rate);
  else if (!found.fell)
    fmt::print("no advice: the network learned nothing at any rate, as far as the noise lets one see\n");
  else if (!found.learned)
    fmt::print(
        "no advice: the network learned too little, {:.1f} % of that loss, before the rate was too large for "
        "its first steps; that tells little of a training\n",
        100 * fall / found.reference);
  else
    fmt::print("no advice: the loss was still falling at the largest rate\n");
  if (!found.learned) fmt::print("short trainings at several rates tell more: see xtgrad compare\n");
  if (found.exploded) {
    fmt::print("the loss began to explode at {:.3g}, where it is twice the lowest: such rates are too large\n",
               *found.exploded);
  } else if (points.size() < options.steps) {
    fmt::print("the loss is no longer finite after {:.3g}: such rates are too large\n", points.back().learning_rate);
  } else {
    fmt::print("the loss did not explode up to {:.3g}\n", points.back().learning_rate);
  }
}

/// The test with the settings' data, network, batches, sgd and loss; leaves lr-range.csv and lr-range.svg.
void try_learning_rates(const Settings& s, RunDirectory directory) {
  require(s.optimizer == "sgd", "xtgrad find-lr trains with sgd, not with {}", s.optimizer);
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
  const GradientMode form(parse_gradient_form(s.gradients));
  const std::vector<RangePoint> points = learning_rate_range(
      *network, loader, options, [&](std::size_t done, std::size_t total) { progress.work(done, total, "steps"); });
  progress.clear();
  require(!points.empty(), "the loss is not finite before the first step, whatever the learning rate");

  print_table(points);
  print_findings(points, loss_of_guessing(options.loss, data.train.classes()), options);
  directory.write_range(points);
  fmt::print("numbers: {}\n", directory.range_path());
  if (plot_learning_rates(directory.range_curve_path(), describe(s) + ", " + s.dataset, points))
    fmt::print("curve:   {}\n", directory.range_curve_path());
  else
    fmt::print("(no curve: gnuplot is not installed, or failed)\n");
}

}  // namespace

int find_lr(int argc, char** argv) {
  const std::optional<Request> request = parse_find_lr_options(argc, argv);
  if (!request) return success;
  Plan plan = make_plan(*request);
  if (!prepare_arithmetic(plan.settings))
    fmt::print("bf16 needs a build with oneDNN and a processor with AVX512_BF16; going on in fp32\n");
  try_learning_rates(plan.settings, plan.run);
  return success;
}

}  // namespace xtg::app
