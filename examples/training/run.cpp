#include "examples/training/run.hpp"

#include <utility>

#include "autograd/grad_mode.hpp"
#include "examples/training/network.hpp"
#include "examples/training/text.hpp"
#include "tensor/error.hpp"

using namespace xtg::nn;

Run::Run(Plan plan)
    : plan_(std::move(plan)),
      config_(to_config(settings())),
      data_(load_data(settings())),
      data_fingerprint_(fingerprint(data_.train)),
      network_(make_network(settings(), data_.train.classes())),
      trainer_(*network_, data_.train, data_.test, data_.standardization, trainer_options(settings())) {
  parse_config(config_, "settings");  // a path that is not UTF-8 must not spoil the run at its first checkpoint
  if (plan_.checkpoint) restore(*plan_.checkpoint);
}

bool Run::train(const std::atomic<bool>& stop) {
  directory().create();
  directory().write_config(config_);
  saved_at_ = std::chrono::steady_clock::now();
  trainer_.on_step = [this](const StepReport& report) {
    if (on_step) on_step(report);
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - saved_at_;
    if (since.count() >= settings().save_every) save();
  };
  trainer_.on_evaluation = [this](std::size_t done, std::size_t total) {
    if (on_evaluation) on_evaluation(done, total);
  };
  trainer_.on_epoch = [this](const EpochResult& result) {
    save();  // first: the other files can be made again from it
    write_results();
    if (on_epoch) on_epoch(result);
  };
  const xtg::DerivedGradients derived(settings().derived);
  const bool finished = trainer_.run(&stop);
  if (!finished) save();
  return finished;
}

Predictions Run::predict_test() {
  std::optional<AveragedWeights> averaged;
  if (Ema* average = trainer_.average()) averaged.emplace(*average);
  return predict(*network_, data_.test, data_.standardization, settings().flip_test, on_evaluation);
}

void Run::restore(const Checkpoint& checkpoint) {
  const auto trained_on = checkpoint.notes.find("training data");
  xtg::require(trained_on != checkpoint.notes.end() && trained_on->second == data_fingerprint_,
               "cannot resume the run in {}: its training images were others than these", directory().path());
  trainer_.restore(checkpoint);
  write_results();  // the program may have been killed after it saved and before it wrote them
}

void Run::save() {
  Checkpoint checkpoint = trainer_.checkpoint();
  checkpoint.notes = {{"settings", config_}, {"training data", data_fingerprint_}};
  save_checkpoint(directory().checkpoint_path(), checkpoint);
  saved_at_ = std::chrono::steady_clock::now();
}

void Run::write_results() {
  directory().write_metrics(trainer_.progress().epochs);
  plotted_ = plot_curves(directory().curves_path(), describe(settings()) + ", " + settings().dataset,
                         trainer_.progress().epochs);
}
