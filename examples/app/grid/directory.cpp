#include "examples/app/grid/directory.hpp"
#include "examples/app/settings/config.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <utility>

#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"
#include "tensor/precision.hpp"

namespace xtg::app {

namespace {

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::string outcome_path(const RunDirectory& run) { return run.path() + "/outcome.txt"; }

struct Mean {
  double sum = 0;
  std::size_t count = 0;

  void add(double value) {
    sum += value;
    ++count;
  }
  std::optional<double> value() const {
    return count > 0 ? std::optional(sum / static_cast<double>(count)) : std::nullopt;
  }
};

void check_settings(const PlannedCell& cell, const RunDirectory& run) {
  require<FormatError>(run.has_config(),
                       "{} holds a run without a config.toml: it cannot be told whether it is this cell", run.path());
  Settings recorded;
  try {
    recorded = resolve(parse_config(read_file(run.config_path()), run.config_path()));
  } catch (const ValueError& error) {
    throw FormatError(fmt::format("{}: {}", run.config_path(), error.what()));
  }
  Settings wanted = cell.settings;
  if (cell.given.count("threads") == 0) wanted.threads = recorded.threads;
  if (recorded.precision == "fp32" && !bfloat16_available()) wanted.precision = "fp32";
  const std::string conflict = conflicts(wanted, recorded, Shared::ToResume);
  require(conflict.empty(), "{} holds a run of other settings than the grid's: {}", run.path(), conflict);
}

}  // namespace

GridDirectory::GridDirectory(Grid grid, std::string out) : grid_(std::move(grid)), out_(std::move(out)) {
  for (std::size_t i = 0; i < cells().size(); ++i) results_.push_back(read_cell(i));
  if (!exists(csv_path())) return;
  for (const GridCell& before : read_grid_results(csv_path())) {
    if (before.outcome != "unfinished") keep(before);
  }
}

GridCell GridDirectory::read_cell(std::size_t i) const {
  const PlannedCell& cell = cells()[i];
  const RunDirectory directory = run(i);
  GridCell result{cell.name, cell.columns, "", "", {}};
  const bool failed = exists(outcome_path(directory));
  if (!failed && !directory.holds_a_run()) return result;
  check_settings(cell, directory);
  if (directory.has_metrics()) result.epochs = directory.read_metrics();
  if (failed) {
    const std::string text = read_file(outcome_path(directory));
    result.reason = excerpt(text.substr(0, text.find('\n')), 500);
    result.outcome = text.substr(0, text.find_first_of(" :\n"));
    require<FormatError>(result.outcome == "diverged" || result.outcome == "refused",
                         "{}: expected a line that begins with diverged or refused", outcome_path(directory));
  } else {
    const bool all = result.epochs.size() == static_cast<std::size_t>(cell.settings.epochs);
    result.outcome = all ? "finished" : "unfinished";
  }
  return result;
}

void GridDirectory::keep(const GridCell& before) {
  const auto found = std::find_if(results_.begin(), results_.end(),
                                  [&](const GridCell& result) { return result.name == before.name; });
  if (found == results_.end()) {
    require(run_of(before.name).holds_a_run(),
            "{} has the cell {}, which is neither in the grid nor in a directory: its rows would be lost", csv_path(),
            before.name);
    return;
  }
  if (!found->outcome.empty()) return;  // its run is there, and knows better
  for (const auto& [key, value] : before.axes) {
    for (const auto& [own_key, own_value] : found->axes) {
      require(key != own_key || value == own_value, "{}: {} of cell {} is {}, in the grid {}", csv_path(), key,
              before.name, excerpt(value), own_value);
    }
  }
  const auto epochs = cells()[static_cast<std::size_t>(found - results_.begin())].settings.epochs;
  require(before.outcome != "finished" || before.epochs.size() == static_cast<std::size_t>(epochs),
          "{}: cell {} has {} epochs, in the grid {}", csv_path(), before.name, before.epochs.size(), epochs);
  found->outcome = before.outcome;
  found->epochs = before.epochs;
  ++kept_;
}

void GridDirectory::read_again(std::size_t i) {
  GridCell found = read_cell(i);
  if (found.outcome.empty()) return;
  results_[i] = std::move(found);
  write_csv();
}

bool GridDirectory::is_over(std::size_t i) const {
  return !results_[i].outcome.empty() && results_[i].outcome != "unfinished";
}

std::vector<GridCell> GridDirectory::results() const {
  std::vector<GridCell> begun;
  std::copy_if(results_.begin(), results_.end(), std::back_inserter(begun),
               [](const GridCell& cell) { return !cell.outcome.empty(); });
  return begun;
}

void GridDirectory::set_epochs(std::size_t i, std::vector<nn::EpochResult> epochs) {
  const bool all = epochs.size() == static_cast<std::size_t>(cells()[i].settings.epochs);
  results_[i].outcome = all ? "finished" : "unfinished";
  results_[i].epochs = std::move(epochs);
  write_csv();
}

void GridDirectory::set_failed(std::size_t i, const std::string& outcome, const std::string& reason) {
  std::string line = reason;
  std::replace(line.begin(), line.end(), '\n', ' ');
  write_file(outcome_path(run(i)), line + "\n");
  results_[i].outcome = outcome;
  results_[i].reason = line;
  write_csv();
}

void GridDirectory::write_csv() const { write_file(csv_path(), to_csv(results())); }

std::vector<std::optional<double>> GridDirectory::seconds_per_epoch() const {
  std::map<Axes, Mean> alike;
  Mean all;
  std::vector<std::optional<double>> result;
  for (const GridCell& cell : results_) {
    Mean own;
    for (const nn::EpochResult& epoch : cell.epochs) own.add(epoch.seconds);
    result.push_back(own.value());
    if (!own.value()) continue;
    alike[without_seed(cell.axes)].add(*own.value());
    all.add(*own.value());
  }
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (!result[i]) result[i] = alike[without_seed(results_[i].axes)].value();
    if (!result[i]) result[i] = all.value();
  }
  return result;
}

}  // namespace xtg::app
