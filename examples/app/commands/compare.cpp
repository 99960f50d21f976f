// Trains a grid of networks and compares them. grid/ knows the file that describes it, what there is of it already and
// what is shown; each cell is a run, as xtgrad train makes it.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "examples/app/commands/commands.hpp"
#include "examples/app/commands/compare_options.hpp"
#include "examples/app/grid/directory.hpp"
#include "examples/app/grid/grid.hpp"
#include "examples/app/grid/table.hpp"
#include "examples/app/report/parts.hpp"
#include "examples/app/run/network.hpp"
#include "examples/app/run/plan.hpp"
#include "examples/app/run/run.hpp"
#include "examples/app/settings/config.hpp"
#include "examples/app/terminal/program.hpp"
#include "examples/app/terminal/stop.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

using namespace nn;

class Comparison {
 public:
  Comparison(Grid grid, const std::string& out, const std::string& only) : grid_(std::move(grid), out) {
    for (std::size_t i = 0; i < grid_.cells().size(); ++i) {
      if (grid_.cells()[i].name.find(only) != std::string::npos) selected_.push_back(i);
    }
    require(!selected_.empty(), "no cell's name contains '{}'", only);
  }

  int list() const {
    const std::vector<std::string> lines = cell_lines(grid_, nullptr, SIZE_MAX).lines;
    for (const std::size_t i : selected_) fmt::print("{}\n", lines[i]);
    fmt::print("{}\n", progress_line());
    return success;
  }

  int table() const {
    fmt::print("{}", summary_table(grid_.results(), judge()));
    return success;
  }

  int curves(const std::string& file) const {
    const std::string svg = grid_curves(grid_.results());
    require(!svg.empty(), "--curves needs gnuplot, which is not installed, or failed");
    write_file(file, svg);
    fmt::print("curves: {}\n", file);
    return success;
  }

  /// Returns the program's exit status.
  int run() {
    if (grid_.kept() > 0)
      fmt::print("{} known from {}: the runs are gone\n",
                 grid_.kept() == 1 ? "1 cell is" : fmt::format("{} cells are", grid_.kept()), grid_.csv_path());
    grid_.write_csv();
    fmt::print("{} in {}{}\n", progress_line(), grid_.path(), all_over() ? "" : "; Ctrl-C stops and saves");
    std::fflush(stdout);
    if (!train(selected_) || !train(std::exchange(in_use_, {}))) {
      fmt::print("{}; stopped and saved, the same command goes on\n", progress_line());
      return interrupted;
    }
    if (table_.on_terminal()) table_.draw(grid_, nullptr, progress_line());
    fmt::print("\n{}\nnumbers: {}\n", summary_table(grid_.results(), judge()), grid_.csv_path());
    std::fflush(stdout);
    std::vector<std::string> missing;
    for (const std::size_t i : in_use_) missing.push_back(grid_.run(i).path());
    require<InUse>(missing.empty(), "another program is training in {}; the other cells are done",
                   fmt::join(missing, " and "));
    return success;
  }

 private:
  /// The cells that are not over, one after another. One that another program is training is put off, to in_use_. False
  /// if it was stopped.
  bool train(const std::vector<std::size_t>& cells) {
    const std::atomic<bool>& stop = stop_on_signals();
    for (const std::size_t i : cells) {
      if (grid_.is_over(i)) continue;
      if (stop) return false;
      RunDirectory directory = grid_.run(i);
      try {
        directory.claim();
      } catch (const InUse& error) {
        table_.leave();
        fmt::print("{}; put off\n", error.what());
        in_use_.push_back(i);
        continue;
      }
      grid_.read_again(i);
      if (!grid_.is_over(i) && !train(i, directory, stop)) return false;
      if (!table_.on_terminal()) print_outcome(i);
    }
    return true;
  }

  /// Cell i in its directory, which is claimed. False if it was stopped before its end.
  bool train(std::size_t i, RunDirectory directory, const std::atomic<bool>& stop) {
    const PlannedCell& cell = grid_.cells()[i];
    under_way_ = UnderWay{i, {}, 0, 0};
    show();
    Plan plan = make_plan(request(i), directory);
    if (!prepare_arithmetic(plan.settings)) {
      table_.leave();
      fmt::print("{}: bf16 needs a build with oneDNN and a processor with AVX512_BF16; trained in fp32\n", cell.name);
    }
    const bool begun = plan.checkpoint.has_value();
    const std::string config = to_config(plan.settings);
    std::optional<Run> run;
    const auto at_first_step = [&] {
      return !begun && (!run || (run->trainer().progress().epochs.empty() && run->trainer().progress().step == 0));
    };
    try {
      run.emplace(std::move(plan));
      watch(*run);
      grid_.set_epochs(i, run->trainer().progress().epochs);
      return run->train(stop);
    } catch (const DivergedError&) {
      const TrainingProgress& done = run->trainer().progress();
      grid_.set_failed(i, "diverged",
                       fmt::format("diverged in epoch {}, step {}", done.epochs.size() + 1, done.step + 1));
    } catch (const std::invalid_argument& error) {  // ShapeError or ValueError: the network cannot take these images
      if (!at_first_step()) throw;
      directory.write_config(config);
      grid_.set_failed(i, "refused", std::string("refused: ") + error.what());
    }
    return true;
  }

  /// What xtgrad train would be told.
  Request request(std::size_t i) const {
    const PlannedCell& cell = grid_.cells()[i];
    Request result;
    result.resume = grid_.run(i).holds_a_run();
    result.given = cell.given;
    if (result.resume) result.given = {{"data", cell.settings.data}, {"save-every", cell.settings.save_every}};
    return result;
  }

  void watch(Run& run) {
    run.on_step = [this](const StepReport& report) {
      under_way_.step = report;
      under_way_.to_test = 0;
      show();
    };
    run.on_evaluation = [this](std::size_t done, std::size_t total) {
      under_way_.tested = done;
      under_way_.to_test = total;
      show();
    };
    run.on_epoch = [this, &run](const EpochResult&) {
      grid_.set_epochs(under_way_.cell, run.trainer().progress().epochs);
    };
  }

  void show() {
    if (table_.due()) table_.draw(grid_, &under_way_, progress_line());
  }

  void print_outcome(std::size_t i) const {
    const GridCell& cell = grid_.result(i);
    if (!cell.reason.empty()) {
      fmt::print("{}: {}\n", cell.name, cell.reason);
    } else {
      const EpochResult& last = cell.epochs.back();
      double seconds = 0;
      for (const EpochResult& epoch : cell.epochs) seconds += epoch.seconds;
      fmt::print("{}: {} accuracy {:.2f} %, training loss {:.4f} after {}, {}, {:.0f} images/s\n", cell.name, judge(),
                 last.test_accuracy, last.train_loss, count(cell.epochs.size(), "epoch"), duration(seconds),
                 last.images_per_second);
    }
    std::fflush(stdout);
  }

  /// "5 of 16 cells done, about 2:10:00 of training left".
  std::string progress_line() const {
    const auto over =
        std::count_if(selected_.begin(), selected_.end(), [&](std::size_t i) { return grid_.is_over(i); });
    std::string text = fmt::format("{} of {} done", over, count(selected_.size(), "cell"));
    if (const std::optional<double> left = seconds_left(); left && *left > 0)
      text += fmt::format(", about {} of training left", duration(*left));
    return text;
  }

  /// What the accuracy of the table is measured on.
  const char* judge() const { return grid_.cells()[0].settings.validation > 0 ? "validation" : "test"; }

  bool all_over() const {
    return std::all_of(selected_.begin(), selected_.end(), [&](std::size_t i) { return grid_.is_over(i); });
  }

  /// Of training, without evaluations; nothing before anything was timed.
  std::optional<double> seconds_left() const {
    const std::vector<std::optional<double>> per_epoch = grid_.seconds_per_epoch();
    const StepReport& now = under_way_.step;
    double sum = 0;
    for (const std::size_t i : selected_) {
      if (grid_.is_over(i)) continue;
      const Settings& s = grid_.cells()[i].settings;
      std::optional<double> epoch = per_epoch[i];
      if (!epoch && now.steps > 0)
        epoch = static_cast<double>(now.steps) * static_cast<double>(s.batch_size) / now.images_per_second;
      if (!epoch) return std::nullopt;
      const std::size_t done = grid_.result(i).epochs.size();
      double left = static_cast<double>(s.epochs) - static_cast<double>(done);
      if (i == under_way_.cell && now.epoch == done + 1)
        left -= static_cast<double>(now.step) / static_cast<double>(now.steps);
      sum += left * *epoch;
    }
    return sum;
  }

  GridDirectory grid_;
  std::vector<std::size_t> selected_, in_use_;
  UnderWay under_way_;
  LiveTable table_;
};

}  // namespace

int compare(int argc, char** argv) {
  const std::optional<CompareOptions> options = parse_compare_options(argc, argv);
  if (!options) return success;
  Grid grid = read_grid(options->grid, options->given);
  const std::string out = options->out.empty() ? "runs/" + grid.name : options->out;
  if (options->list) return Comparison(std::move(grid), out, options->only).list();
  if (options->table) return Comparison(std::move(grid), out, options->only).table();
  if (!options->curves.empty()) return Comparison(std::move(grid), out, options->only).curves(options->curves);
  stop_on_signals();  // from now on, not only once the grid is loaded
  RunDirectory directory(out);
  directory.claim();
  return Comparison(std::move(grid), out, options->only).run();
}

}  // namespace xtg::app
