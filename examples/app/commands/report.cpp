// Makes one HTML page of a run, or of a grid: curves, numbers, what is taken for what, what happens in the layers. It
// needs no network and no other file. The parts are in report/.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "examples/app/commands/commands.hpp"
#include "examples/app/report/html.hpp"
#include "examples/app/report/parts.hpp"
#include "examples/app/terminal/options.hpp"
#include "examples/app/terminal/program.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

namespace fs = std::filesystem;

const char* const help = R"(usage: xtgrad report DIR [options]

Makes one HTML page that needs no network and no other file. DIR is
  the directory of a run of xtgrad train     loss and accuracy over the epochs, accuracy of each class, confusions,
                                             images with their answers, settings, command
  the directory of a grid of xtgrad compare  curves with bands over the seeds, means and deviations, what diverged or
                                             was refused, what the cells share, command
Both show how large activations and gradients are in each layer if they were trained with --layer-statistics.
Curves are drawn by gnuplot; without it the page has none, and says so.

Options
  --out FILE    where the page is written, default DIR/report.html
  --data DIR    for a run: where the CIFAR files are; default: where the training had them
  -h, --help    this text
)";

struct ReportOptions {
  std::string directory, out, data;
};

std::optional<ReportOptions> parse(int argc, char** argv) {
  ReportOptions result;
  std::vector<std::string> words;
  Options options;
  options.words(words);
  options.output("--out", result.out);
  options.path("--data", result.data);
  if (!options.parse(argc, argv)) {
    fmt::print("{}", help);
    return std::nullopt;
  }
  require(!words.empty(), "expected the directory of a run or of a grid (see --help)");
  require(words.size() == 1, "expected one directory, got '{}' besides (see --help)", excerpt(words.back()));
  result.directory = words.front();
  if (result.out.empty()) result.out = (fs::path(result.directory) / "report.html").string();
  return result;
}

/// The results of a grid in `directory`; empty if there are none.
std::string find_grid(const std::string& directory) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".csv" || !entry.is_regular_file()) continue;
    const std::string text = read_file(entry.path().string());
    if (text.rfind("cell,", 0) == 0) found.push_back(entry.path().string());
  }
  require(found.size() < 2, "{} holds the results of several grids: {}", directory, fmt::join(found, ", "));
  return found.empty() ? "" : found.front();
}

Report make_report(const ReportOptions& options, Plots& plots) {
  std::error_code error;
  require(fs::is_directory(options.directory, error), "there is no directory {}", options.directory);
  const RunDirectory run(options.directory);
  if (!run.has_checkpoint()) {
    const std::string grid = find_grid(options.directory);
    require(!grid.empty(),
            "{} holds neither a run (there is no checkpoint.safetensors) nor a grid (no CSV file of its results)",
            options.directory);
    require(options.data.empty(), "--data is for the report of a run; that of a grid needs no images");
    return report_grid(grid, plots);
  }
  Values given;
  if (!options.data.empty()) given["data"] = options.data;
  return report_run(open_run(options.directory, given), plots);
}

}  // namespace

int report(int argc, char** argv) {
  const std::optional<ReportOptions> options = parse(argc, argv);
  if (!options) return success;
  Plots plots;
  const Report made = make_report(*options, plots);
  write_file(options->out, page(made.title, made.lead, plots.symbols() + made.body));
  if (plots.failed()) fmt::print("(no curves: gnuplot is not installed, or failed)\n");
  fmt::print("report: {}\n", options->out);
  return success;
}

}  // namespace xtg::app
