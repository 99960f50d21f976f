#include "examples/app/run/run.hpp"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "autograd/grad_mode.hpp"
#include "examples/app/run/curves.hpp"
#include "examples/app/run/layer_statistics.hpp"
#include "examples/app/run/machine.hpp"
#include "examples/app/run/network.hpp"
#include "examples/app/settings/config.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

using namespace nn;

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

void Run::claim() {
  if (directory().claimed()) return;  // to resume, or a cell: looked at under the lock
  plan_.run.claim();
  directory().require_no_run();  // another program may have come first
}

bool Run::train(const std::atomic<bool>& stop) {
  claim();
  const bool is_new = !directory().has_config();
  const auto forget = [&] {
    if (is_new && !directory().has_checkpoint()) directory().forget();
  };
  try {
    return train_claimed(stop);
  } catch (const std::bad_alloc&) {
    forget();
    throw;
  } catch (const std::system_error&) {  // no thread to be had
    forget();
    throw;
  }
}

bool Run::train_claimed(const std::atomic<bool>& stop) {
  directory().write_config(config_);
  directory().add_machine(describe_machine());
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
    write_layers();
    save();  // before the files that can be made again from it
    write_results();
    if (on_epoch) on_epoch(result);
  };
  if (trainer_.progress().step == 0) write_layers();
  const GradientMode form(parse_gradient_form(settings().gradients));
  bool finished;
  try {
    finished = trainer_.run(&stop);
  } catch (const DivergedError&) {
    save();  // what there was before that step; so it leaves the same files whether it was stopped before or not
    throw;
  }
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
  require(trained_on != checkpoint.notes.end() && trained_on->second == data_fingerprint_,
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
  if (trainer_.progress().epochs.empty()) return;
  directory().write_metrics(trainer_.progress().epochs);
  plotted_ = plot_curves(directory().curves_path(), describe(settings()) + ", " + settings().dataset,
                         settings().validation > 0 ? "validation" : "test", trainer_.progress().epochs);
}

/// Rows of earlier epochs stay; those of this one and of later ones are from a run that was killed, and come again.
void Run::write_layers() {
  const std::size_t epoch = trainer_.progress().epochs.size();
  const auto wanted = layer_epochs(settings());
  if (std::find(wanted.begin(), wanted.end(), epoch) == wanted.end()) return;
  std::vector<LayerRow> rows;
  if (epoch > 0 && directory().has_layers()) rows = read_layers(directory().layers_path());
  rows.erase(std::remove_if(rows.begin(), rows.end(), [&](const LayerRow& row) { return row.epoch >= epoch; }),
             rows.end());

  LoaderOptions first;  // in their order, not augmented
  first.batch_size = std::min<std::size_t>(128, static_cast<std::size_t>(settings().batch_size));
  Loader loader(data_.train, data_.standardization, first);
  loader.start(0);
  Batch batch;
  loader.next(batch);
  for (LayerRow& row :
       measure_layers(*network_, batch.images, batch.labels, parse_loss(settings().loss), settings().label_smoothing)) {
    row.epoch = epoch;
    rows.push_back(std::move(row));
  }
  directory().write_layers(to_csv(rows));
}

}  // namespace xtg::app
