#include "examples/app/commands/compare_options.hpp"

#include "examples/app/terminal/options.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::app {

namespace {

const char* const help = R"(usage: xtgrad compare GRID.toml [options]

Trains a network once for every combination of settings that a file names, and compares: norms, batch sizes, learning
rates, depths, whatever xtgrad train can be told. What it learns is left in a directory:
  NAME.csv           loss and accuracy, a row a cell (one training) and epoch; NAME is that of the grid's file
  norm=batch,seed=0  and so on: a run for each cell, as xtgrad train leaves it; outcome.txt is there if it diverged or
                     the network refused the images
Ctrl-C stops after the step at hand and saves. The same command goes on: finished cells are skipped.

The grid's file is TOML:
  [settings]                          # of every cell, by the names that xtgrad train --help lists
  dataset = "cifar10"
  limit-train = 10000
  epochs = 20
  [[grid]]                            # every combination of these lists: 6 cells
  norm = ["batch", "group", "none"]
  seed = [0, 1]                       # first all norms with seed 0, then all with seed 1
  [[grid]]                            # as many more as wanted: 1 cell
  norm = "none"
  lr = 0.4
  seed = 0
At the end a table: the last epoch (never the best), its mean over the seeds and their standard deviation.

Options
  --out DIR              where the results are left, default runs/ and the name of the grid
  --list                 only show the cells, how far each is, and an estimate of the time left; trains nothing
  --table                only show the table of what there is; trains nothing
  --curves FILE.svg      only draw the test accuracies over the epochs, with bands over the seeds; trains nothing
  --only TEXT            only cells whose name contains TEXT, such as norm=group or seed=0
  --data DIR             where the CIFAR files are, default data; tools/get-cifar fetches them
  --threads T            default: one for each processor; a cell that has begun keeps its own, and refuses another
  --save-every SECONDS   a checkpoint that often within an epoch, default 60
  -h, --help             this text

Examples
  xtgrad compare docs/experiments/norms.toml --list
  xtgrad compare docs/experiments/norms.toml --out runs/norms --only seed=0
)";

}  // namespace

std::optional<CompareOptions> parse_compare_options(int argc, char** argv) {
  CompareOptions result;
  std::vector<std::string> words;
  Options options;
  options.words(words);
  options.path("--out", result.out);
  options.text("--only", result.only);
  options.output("--curves", result.curves);
  options.flag("--list", result.list);
  options.flag("--table", result.table);
  options.text("--data", [&](const std::string& v) { result.given["data"] = v; });
  options.whole("--threads", [&](std::int64_t v) { result.given["threads"] = v; });
  options.real("--save-every", [&](double v) { result.given["save-every"] = v; });
  if (!options.parse(argc, argv)) {
    fmt::print("{}", help);
    return std::nullopt;
  }
  require(!words.empty(), "which grid? Name its file, such as docs/experiments/norms.toml (see --help)");
  require(words.size() == 1, "expected one grid, got '{}' besides (see --help)", excerpt(words.back()));
  result.grid = words.front();
  require(result.list + result.table + !result.curves.empty() <= 1,
          "--list, --table and --curves are views: give one of them");
  return result;
}

}  // namespace xtg::app
