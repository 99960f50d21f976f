// Trains a residual network on small images: from the command line to curves and checkpoints. The training itself is in
// nn/train/trainer.cpp; here it gets its data, its network, somebody to watch, and a place to leave its results. The
// parts, in resnet_cifar/: settings and config (what can be chosen), command_line, plan (what to do with a run that is
// there), data, progress, run_directory, curves.

#include <csignal>
#include <cstdio>
#include <memory>
#include <new>
#include <utility>

#include "autograd/grad_mode.hpp"
#include "examples/resnet_cifar/command_line.hpp"
#include "examples/resnet_cifar/convolutions.hpp"
#include "examples/resnet_cifar/data.hpp"
#include "examples/resnet_cifar/plan.hpp"
#include "examples/resnet_cifar/progress.hpp"
#include "nn/models/resnet.hpp"
#include "nn/train/trainer.hpp"
#include "tensor/conv2d.hpp"
#include "tensor/parallel.hpp"
#include "tensor/precision.hpp"

namespace {

using namespace xtg::nn;

constexpr int success = 0, diverged = 1, user_error = 2, interrupted = 130;
constexpr std::uint64_t initialization_stream = 0x696e;  // of random numbers; the loader and the shapes have their own

std::atomic<bool> stop_requested{false};

void request_stop(int) { stop_requested = true; }

/// The first Ctrl-C, or SIGTERM, asks for a stop after the step at hand; the second ends the program as usual.
void prepare_signals() {
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// 50000 -> "50,000".
std::string with_commas(std::size_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

/// "1 epoch", "3 epochs".
std::string count(std::size_t n, const char* thing) {
  return fmt::format("{} {}{}", with_commas(n), thing, n == 1 ? "" : "s");
}

std::string describe(const Settings& s) {
  const std::string norm = s.norm == "none" ? "no norm" : s.norm + " norm";
  return s.norm == "group" ? fmt::format("{}, {} ({} groups)", s.arch, norm, s.groups) : s.arch + ", " + norm;
}

std::unique_ptr<CifarResNet> make_network(const Settings& s, std::size_t classes) {
  ResNetOptions options;
  options.depth = parse_resnet(s.arch);
  options.norm = parse_norm(s.norm);
  options.groups = static_cast<std::size_t>(s.groups);
  options.classes = classes;
  xtg::Generator generator(static_cast<std::uint64_t>(s.seed), initialization_stream);
  return std::make_unique<CifarResNet>(options, generator);
}

TrainerOptions trainer_options(const Settings& s) {
  TrainerOptions options;
  options.epochs = static_cast<std::size_t>(s.epochs);
  options.batch_size = static_cast<std::size_t>(s.batch_size);
  options.peak_learning_rate = s.lr;
  options.schedule = parse_schedule(s.schedule);
  options.sgd = {s.momentum, s.weight_decay, s.nesterov};
  options.label_smoothing = s.label_smoothing;
  options.augment = s.augment == "crop-flip";
  options.seed = static_cast<std::uint64_t>(s.seed);
  return options;
}

/// How this run computes: threads, precision, convolutions. Settings that this machine cannot follow are changed.
void prepare_arithmetic(const CommandLine& line, Settings& s) {
  xtg::set_num_threads(static_cast<int>(s.threads));
  xtg::set_conv2d_algorithms(s.conv_algorithms);
  if (s.precision == "bf16" && !xtg::bfloat16_available()) {
    xtg::require(!line.resume, "cannot resume this run: it is in bf16, which this build or processor does not have");
    fmt::print("bf16 needs a build with oneDNN and a processor with AVX512_BF16; going on in fp32\n");
    s.precision = "fp32";
  }
  xtg::set_matmul_precision(s.precision == "bf16" ? xtg::Precision::BFloat16 : xtg::Precision::Full);
  if (!line.verbose && !line.autotune) return;
  const auto network = make_network(s, 10);
  s.conv_algorithms = show_convolutions(*network, static_cast<std::size_t>(s.batch_size), line.autotune);
}

int evaluate_checkpoint(const Plan& plan) {
  const Data data = load_data(plan.settings);
  const auto network = make_network(plan.settings, data.train.classes());
  network->load_state_dict(plan.checkpoint->network);
  Progress progress;
  const Evaluation test = evaluate(*network, data.test, data.standardization,
                                   [&](std::size_t done, std::size_t total) { progress.evaluation(done, total); });
  progress.clear();
  fmt::print("test loss {:.6f}, test accuracy {:.4f} % ({}, {} {} test images)\n", test.loss, test.accuracy,
             describe(plan.settings), with_commas(data.test.size()), plan.settings.dataset);
  return success;
}

/// One training in its directory: sets it up, keeps the files there up to date, and tells how it goes.
class Training {
 public:
  Training(Plan plan, bool verbose)
      : plan_(std::move(plan)),
        verbose_(verbose),
        config_(to_config(settings_)),
        data_(load_data(settings_)),
        data_fingerprint_(fingerprint(data_.train)),
        network_(make_network(settings_, data_.train.classes())),
        trainer_(*network_, data_.train, data_.test, data_.standardization, trainer_options(settings_)) {
    parse_config(config_, "settings");  // a path that is not UTF-8 must not spoil the run at its first checkpoint
    if (plan_.checkpoint) restore(*plan_.checkpoint);
    trainer_.on_step = [this](const StepReport& report) {
      progress_.step(report);
      if (progress_.seconds() - saved_at_ >= settings_.save_every) save();
    };
    trainer_.on_evaluation = [this](std::size_t done, std::size_t total) { progress_.evaluation(done, total); };
    trainer_.on_epoch = [this](const EpochResult& result) {
      save();  // first: the other files can be made again from it
      progress_.epoch(result, epochs());
      write_results();
    };
  }

  /// Returns the program's exit status.
  int run() {
    if (trainer_.finished()) {
      fmt::print("the run in {} is finished: {}, test accuracy {:.2f} %\n", directory_.path(), count(epochs(), "epoch"),
                 trainer_.progress().epochs.back().test_accuracy);
      return success;
    }
    directory_.create();
    directory_.write_config(config_);
    print_header();
    const TrainingProgress& done = trainer_.progress();
    const std::size_t steps = trainer_.steps_per_epoch();
    progress_.begin(done.epochs.size() * steps + done.step, epochs() * steps);
    prepare_signals();
    const xtg::DerivedGradients derived(settings_.derived);
    const bool finished = trainer_.run(&stop_requested);
    progress_.clear();
    if (finished) {
      print_end();
      return success;
    }
    save();
    fmt::print("stopped in epoch {}, after step {} of {}, and saved; to go on: tools/train --resume --out {}\n",
               done.epochs.size() + 1, done.step, steps, directory_.path());
    return interrupted;
  }

 private:
  std::size_t epochs() const { return static_cast<std::size_t>(settings_.epochs); }

  void restore(const Checkpoint& checkpoint) {
    const auto trained_on = checkpoint.notes.find("training data");
    xtg::require(trained_on != checkpoint.notes.end() && trained_on->second == data_fingerprint_,
                 "cannot resume the run in {}: its training images were others than these", directory_.path());
    trainer_.restore(checkpoint);
    write_results();  // the program may have been killed after it saved and before it wrote them
  }

  void save() {
    Checkpoint checkpoint = trainer_.checkpoint();
    checkpoint.notes = {{"settings", config_}, {"training data", data_fingerprint_}};
    save_checkpoint(directory_.checkpoint_path(), checkpoint);
    saved_at_ = progress_.seconds();
  }

  void write_results() {
    directory_.write_metrics(trainer_.progress().epochs);
    const bool before = plotted_;
    plotted_ = plot_curves(directory_.curves_path(), describe(settings_) + ", " + settings_.dataset,
                           trainer_.progress().epochs);
    if (before && !plotted_) fmt::print("(no curves: gnuplot is not installed, or failed)\n");
  }

  void print_header() const {
    const Settings& s = settings_;
    fmt::print("{}, {}, on {}: {} training and {} test images, {} classes\n", describe(s),
               count(network_->parameter_count(), "parameter"), s.dataset, with_commas(data_.train.size()),
               with_commas(data_.test.size()), data_.train.classes());
    fmt::print("{} of {}, {} schedule up to {}, {}; Ctrl-C stops and saves in {}\n", count(epochs(), "epoch"),
               count(trainer_.steps_per_epoch(), "step"), s.schedule, s.lr,
               count(static_cast<std::size_t>(s.threads), "thread"), directory_.path());
    const TrainingProgress& done = trainer_.progress();
    if (plan_.checkpoint) {
      fmt::print("going on after {} and {}\n", count(done.epochs.size(), "epoch"), count(done.step, "step"));
    }
    std::fflush(stdout);
  }

  void print_end() const {
    if (verbose_)
      fmt::print("waiting for images: {:.2f} % of the steps' time\n",
                 100 * trainer_.seconds_waited() / trainer_.seconds_of_steps());
    fmt::print("\ntest accuracy {:.2f} % after {}, {}\n", trainer_.progress().epochs.back().test_accuracy,
               count(epochs(), "epoch"), duration(progress_.seconds()));
    if (plotted_) fmt::print("curves:  {}\n", directory_.curves_path());
    fmt::print("numbers: {}\n", directory_.metrics_path());
    fmt::print("try next:\n");
    const bool shapes = settings_.dataset == "shapes";
    const auto suggest = [](const std::string& options, const char* what) {
      fmt::print("  tools/train {:<34}  {}\n", options, what);
    };
    suggest((shapes ? "" : "--dataset " + settings_.dataset + " ") + "--norm " +
                (settings_.norm == "group" ? "layer" : "group"),
            "another normalization layer, to compare the curves");
    if (shapes) suggest("--dataset cifar10", "photographs: a download of 162 MB, then about half an hour");
  }

  const Plan plan_;
  const bool verbose_;
  const Settings& settings_ = plan_.settings;
  const RunDirectory& directory_ = plan_.run;
  const std::string config_;
  const Data data_;
  const std::string data_fingerprint_;
  const std::unique_ptr<CifarResNet> network_;
  Trainer trainer_;
  Progress progress_;
  double saved_at_ = 0;  // in the progress's seconds
  bool plotted_ = true;
};

int fail(int status, std::string message) {
  for (char& c : message) c = c == '\n' ? ' ' : c;
  fmt::print(stderr, "resnet_cifar: {}\n", message);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk, not the end of the program
  try {
    const std::optional<CommandLine> line = parse_command_line(argc, argv);
    if (!line) return success;
    Plan plan = make_plan(*line);
    prepare_arithmetic(*line, plan.settings);
    return line->eval ? evaluate_checkpoint(plan) : Training(std::move(plan), line->verbose).run();
  } catch (const DivergedError& error) {
    return fail(diverged, std::string(error.what()) + "; a smaller --lr may help");
  } catch (const std::bad_alloc&) {
    return fail(1, "not enough memory");
  } catch (const std::exception& error) {
    return fail(user_error, error.what());
  }
}
