// Makes one HTML page of a run of resnet_cifar, or of a grid of compare_norms: curves, numbers, what is taken for what,
// what happens in the layers. It needs no network and no other file. The parts are in training/report_*.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <optional>

#include "examples/training/report_html.hpp"
#include "examples/training/report_parts.hpp"
#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int success = 0, user_error = 2;

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
  --data DIR    where the CIFAR files are; default: where the training had them
  -h, --help    this text
)";

struct Arguments {
  std::string directory, out, data;
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments result;
  CLI::App app;
  app.set_help_flag("-h,--help");
  app.add_option("directory", result.directory);
  app.add_option("--out", result.out)->take_last();
  app.add_option("--data", result.data)->take_last();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw xtg::ValueError(fmt::format("{} (see --help)", error.what()));
  }
  xtg::require(!result.directory.empty(), "expected the directory of a run or of a grid (see --help)");
  xtg::require(app.count("--out") == 0 || !result.out.empty(), "--out needs the name of a file");
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
    return report_grid(grid, plots);
  }
  CommandLine line;
  line.eval = true;
  line.out = arguments.directory;
  if (!arguments.data.empty()) line.given["data"] = arguments.data;
  return report_run(make_plan(line), plots);
}

int fail(int status, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  fmt::print(stderr, "report: {}\n", message);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk, not the end of the program
  try {
    const std::optional<Arguments> arguments = parse(argc, argv);
    if (!arguments) return success;
    Plots plots;
    const Report report = make_report(*arguments, plots);
    const std::string html = page(report.title, report.lead, plots.symbols() + report.body);
    xtg::AtomicFile file(arguments->out);
    file.write(html.data(), html.size());
    file.commit();
    if (plots.failed()) fmt::print("(no curves: gnuplot is not installed, or failed)\n");
    fmt::print("report: {}\n", arguments->out);
    return success;
  } catch (const std::bad_alloc&) {
    return fail(1, "not enough memory");
  } catch (const std::exception& error) {
    return fail(user_error, error.what());
  }
}
