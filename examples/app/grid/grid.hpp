#pragma once

// A grid of trainings, and the file that describes it.

#include <string>
#include <vector>

#include "examples/app/grid/results.hpp"
#include "examples/app/settings/settings.hpp"

namespace xtg::app {

/// One training of a grid: a run.
struct PlannedCell {
  std::string name;  // of its directory
  Axes columns;      // as GridCell::axes
  Values given;      // what the grid's file and the command line say
  Settings settings;
};

struct Grid {
  std::string name;  // of the file, without .toml
  std::vector<PlannedCell> cells;
};

/// The grid in the TOML file `path`:
///
///   [settings]                      # of all cells; `over` comes before them
///   dataset = "cifar10"
///   [[grid]]                        # every combination of these lists; there may be several [[grid]]
///   norm = ["batch", "group"]
///   seed = [0, 1, 2]                # varies slowest, and is the last in a cell's name, wherever it is written
///
/// All settings are checked here. Throws FormatError that names the file and the key for whatever is wrong.
Grid read_grid(const std::string& path, const Values& over);

}  // namespace xtg::app
