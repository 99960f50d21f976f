// Trains: from the command line to curves and checkpoints. run/run.cpp trains in its directory; here somebody watches.

#include <cstdio>
#include <memory>
#include <utility>

#include "examples/app/commands/commands.hpp"
#include "examples/app/commands/train_options.hpp"
#include "examples/app/report/evaluation_text.hpp"
#include "examples/app/run/convolutions.hpp"
#include "examples/app/run/data.hpp"
#include "examples/app/run/network.hpp"
#include "examples/app/run/plan.hpp"
#include "examples/app/run/run.hpp"
#include "examples/app/terminal/program.hpp"
#include "examples/app/terminal/progress.hpp"
#include "examples/app/terminal/stop.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/conv2d.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

using namespace nn;

/// Settings that this machine cannot follow are changed, with a word about it.
void prepare(const TrainOptions& options, Settings& s) {
  if (!prepare_arithmetic(s)) {
    require(!options.request.resume,
            "cannot resume this run: it is in bf16, which this build or processor does not have");
    fmt::print("bf16 needs a build with oneDNN and a processor with AVX512_BF16; going on in fp32\n");
  }
  if (const std::string missing = missing_conv2d_algorithms(static_cast<std::size_t>(s.batch_size)); !missing.empty())
    fmt::print(
        "this build or processor does not have '{}'; another way takes its place, and the numbers differ in "
        "their last bits from those that the run has had elsewhere\n",
        missing);
  if (!options.verbose && !options.autotune) return;
  const auto network = make_network(s, 10);
  s.conv_algorithms = show_convolutions(*network, static_cast<std::size_t>(s.batch_size), options.autotune);
}

/// Trains, and tells how it goes.
class Training {
 public:
  Training(Plan plan, bool verbose) : run_(std::move(plan)), verbose_(verbose) {
    run_.on_step = [this](const StepReport& report) { progress_.step(report); };
    run_.on_evaluation = [this](std::size_t done, std::size_t total) { progress_.evaluation(done, total); };
    run_.on_epoch = [this, plotted = true](const EpochResult& result) mutable {
      progress_.epoch(result, epochs());
      if (plotted && !run_.plotted()) fmt::print("(no curves: gnuplot is not installed, or failed)\n");
      plotted = run_.plotted();
    };
  }

  /// Returns the program's exit status.
  int run() {
    const std::string& directory = run_.directory().path();
    if (run_.trainer().finished()) {
      fmt::print("the run in {} is finished: {}, {} accuracy {:.2f} %\n", directory, count(epochs(), "epoch"), judge(),
                 run_.trainer().progress().epochs.back().test_accuracy);
      return success;
    }
    run_.claim();
    print_header();
    const TrainingProgress& done = run_.trainer().progress();
    const std::size_t steps = run_.trainer().steps_per_epoch();
    progress_.begin(done.epochs.size() * steps + done.step, epochs() * steps);
    const bool finished = run_.train(stop_on_signals());
    progress_.clear();
    if (finished) {
      print_end();
      return success;
    }
    fmt::print("stopped in epoch {}, after step {} of {}, and saved; to go on: tools/train --resume --out {}\n",
               done.epochs.size() + 1, done.step, steps, directory);
    return interrupted;
  }

 private:
  std::size_t epochs() const { return static_cast<std::size_t>(run_.settings().epochs); }
  const char* judge() const { return run_.settings().validation > 0 ? "validation" : "test"; }

  void print_header() {
    const Settings& s = run_.settings();
    fmt::print("{}, {}, on {}: {} training and {} {} images, {} classes\n", describe(s),
               count(run_.network().parameter_count(), "parameter"), s.dataset, with_commas(run_.data().train.size()),
               with_commas(run_.data().test.size()), judge(), run_.data().train.classes());
    fmt::print("{} of {}, {} schedule up to {}, {}; Ctrl-C stops and saves in {}\n", count(epochs(), "epoch"),
               count(run_.trainer().steps_per_epoch(), "step"), s.schedule, s.lr,
               count(static_cast<std::size_t>(s.threads), "thread"), run_.directory().path());
    const TrainingProgress& done = run_.trainer().progress();
    if (run_.resumed()) {
      fmt::print("going on after {} and {}\n", count(done.epochs.size(), "epoch"), count(done.step, "step"));
    }
    std::fflush(stdout);
  }

  void print_end() {
    const Trainer& trainer = run_.trainer();
    const Settings& s = run_.settings();
    if (verbose_)
      fmt::print("waiting for images: {:.2f} % of the steps' time\n",
                 100 * trainer.seconds_waited() / trainer.seconds_of_steps());
    fmt::print("\n{} accuracy {:.2f} % after {}, {}\n", judge(), trainer.progress().epochs.back().test_accuracy,
               count(epochs(), "epoch"), duration(progress_.seconds()));
    if (has_superclasses(s)) {
      const Predictions found = run_.predict_test();
      progress_.clear();
      fmt::print("{}", superclass_text(s, found));
    }
    if (run_.plotted()) fmt::print("curves:  {}\n", run_.directory().curves_path());
    fmt::print("numbers: {}\n", run_.directory().metrics_path());
    fmt::print("try next:\n");
    const bool shapes = s.dataset == "shapes";
    const auto suggest = [](const std::string& options, const char* what) {
      fmt::print("  tools/train {:<34}  {}\n", options, what);
    };
    suggest((shapes ? "" : "--dataset " + s.dataset + " ") + "--norm " + (s.norm == "group" ? "layer" : "group"),
            "another normalization layer, to compare the curves");
    if (shapes) suggest("--dataset cifar10", "photographs: a download of 162 MB, then about half an hour");
  }

  Run run_;
  const bool verbose_;
  Progress progress_;
};

}  // namespace

int train(int argc, char** argv) {
  const std::optional<TrainOptions> options = parse_train_options(argc, argv);
  if (!options) return success;
  stop_on_signals();  // from now on, not only once the run is loaded
  Plan plan = make_plan(options->request);
  prepare(*options, plan.settings);
  return Training(std::move(plan), options->verbose).run();
}

}  // namespace xtg::app
