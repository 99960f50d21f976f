#pragma once

// What a grid of trainings came to: one CSV file, with a row a cell and epoch.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/train/checkpoint.hpp"

namespace xtg::app {

using Axes = std::vector<std::pair<std::string, std::string>>;  // setting and value, in the order of the grid's file

struct GridCell {
  std::string name;     // of its run's directory: "norm=batch,seed=0"
  Axes axes;            // norm, seed (the last) and all that varies in the grid; the same settings in all its cells
  std::string outcome;  // finished, unfinished, diverged or refused
  std::string reason;   // of the last two: "diverged in epoch 2, step 5", "refused: …"; empty where the run is gone
  std::vector<nn::EpochResult> epochs;
};

/// The cells in the file that xtgrad compare writes, OUT/NAME.csv, in its order; cells that have not begun are not in
/// it. Reasons come from the runs beside the file. Throws FormatError that names the file and line.
std::vector<GridCell> read_grid_results(const std::string& path);

/// The text of that file.
std::string to_csv(const std::vector<GridCell>& cells);

/// Mean and standard deviation (n - 1) over seeds.
struct Spread {
  double mean = 0;
  std::optional<double> deviation;  // from two seeds on
};

/// The cells that differ only in their seed.
struct GridGroup {
  Axes axes;                                                            // without the seed
  std::size_t finished = 0, unfinished = 0, diverged = 0, refused = 0;  // cells
  std::optional<Spread> test_accuracy, train_loss, test_loss;           // last epochs of the finished ones
};

/// In the order of the first cell of each.
std::vector<GridGroup> summarize(const std::vector<GridCell>& cells);

/// The axes without the seed.
Axes without_seed(const Axes& axes);

}  // namespace xtg::app
