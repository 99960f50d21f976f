// Makes one HTML page of a run of resnet_cifar, or of a grid of compare_norms: curves, numbers, what is taken for what,
// what happens in the layers. It needs no network and no other file. The parts are in training/report_*.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "examples/training/options.hpp"
#include "examples/training/program.hpp"
#include "examples/training/report_html.hpp"
#include "examples/training/report_parts.hpp"
#include "examples/training/waiting.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"

namespace {

namespace fs = std::filesystem;

const char* const help = R"(usage: report DIR [options]

Makes one HTML page that needs no network and no other file. DIR is
  the directory of a run of resnet_cifar    loss and accuracy over the epochs, accuracy of each class, confusions,
                                            images with their answers, settings, command
  the directory of a grid of compare_norms  curves with bands over the seeds, means and deviations, what diverged or
                                            was refused, what the cells share, command
Both show how large activations and gradients are in each layer if they were trained with --layer-statistics.
Curves are drawn by gnuplot; without it the page has none, and says so.

Options
  --out FILE    where the page is written, default DIR/report.html
  --data DIR    for a run: where the CIFAR files are; default: where the training had them
  -h, --help    this text
)";

struct Arguments {
  std::string directory, out, data;
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments result;
  std::vector<std::string> words;
  Options options;
  options.words(words);
  options.output("--out", result.out);
  options.path("--data", result.data);
  if (!options.parse(argc, argv)) {
    fmt::print("{}", help);
    return std::nullopt;
  }
  xtg::require(!words.empty(), "expected the directory of a run or of a grid (see --help)");
  xtg::require(words.size() == 1, "expected one directory, got '{}' besides (see --help)", xtg::excerpt(words.back()));
  result.directory = words.front();
  if (result.out.empty()) result.out = (fs::path(result.directory) / "report.html").string();
  return result;
}

/// The results of a grid in `directory`; empty if there are none.
std::string find_grid(const std::string& directory) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".csv" || !entry.is_regular_file()) continue;
    const std::string text = xtg::read_file(entry.path().string());
    if (text.rfind("cell,", 0) == 0) found.push_back(entry.path().string());
  }
  xtg::require(found.size() < 2, "{} holds the results of several grids: {}", directory, fmt::join(found, ", "));
  return found.empty() ? "" : found.front();
}

Report make_report(const Arguments& arguments, Plots& plots) {
  std::error_code error;
  xtg::require(fs::is_directory(arguments.directory, error), "there is no directory {}", arguments.directory);
  const RunDirectory run(arguments.directory);
  if (!run.has_checkpoint()) {
    const std::string grid = find_grid(arguments.directory);
    xtg::require(!grid.empty(),
                 "{} holds neither a run (there is no checkpoint.safetensors) nor a grid (no CSV file of its results)",
                 arguments.directory);
    xtg::require(arguments.data.empty(), "--data is for the report of a run; that of a grid needs no images");
    return report_grid(grid, plots);
  }
  CommandLine line;
  line.eval = true;
  line.out = arguments.directory;
  if (!arguments.data.empty()) line.given["data"] = arguments.data;
  return report_run(make_plan(line), plots);
}

}  // namespace

int main(int argc, char** argv) {
  wait_without_spinning(argv);
  return run_program("report", [&] {
    const std::optional<Arguments> arguments = parse(argc, argv);
    if (!arguments) return success;
    Plots plots;
    const Report report = make_report(*arguments, plots);
    const std::string html = page(report.title, report.lead, plots.symbols() + report.body);
    xtg::write_file(arguments->out, html);
    if (plots.failed()) fmt::print("(no curves: gnuplot is not installed, or failed)\n");
    fmt::print("report: {}\n", arguments->out);
    return success;
  });
}
