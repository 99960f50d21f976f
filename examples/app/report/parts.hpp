#pragma once

// The report of a run (run.cpp) or of a grid (grid.cpp), part by part. html.hpp has what pages are made of, plots.hpp
// the pictures.

#include <map>
#include <string>
#include <vector>

#include "examples/app/grid/results.hpp"
#include "examples/app/report/plots.hpp"
#include "examples/app/run/layer_statistics.hpp"
#include "examples/app/run/plan.hpp"
#include "nn/train/evaluation.hpp"

namespace xtg::app {

struct Report {
  std::string title, lead, body;
};

/// The report of a run: `plan` as open_run finds it. Throws as load_data does, and ValueError for a run that has not
/// finished an epoch.
Report report_run(Plan plan, Plots& plots);

/// The report of a grid, from its CSV file and the runs beside it, as far as they are there.
Report report_grid(const std::string& csv, Plots& plots);

/// Accuracy over the epochs, a line for each setting, as an SVG file of its own; empty if gnuplot is not installed or
/// fails. Throws ValueError if no cell has an epoch.
std::string grid_curves(const std::vector<GridCell>& cells);

// predictions.cpp: what a network answers.
std::string class_section(const Settings& settings, const nn::Predictions& found,
                          const std::vector<std::string>& names);
std::string image_section(const Settings& settings, const nn::Predictions& found, const nn::Dataset& images);

// layers.cpp: how large activations and gradients are.

/// Rows of layers.csv, of a cell of a grid or of the only run.
struct LayersOf {
  std::string name;
  std::vector<LayerRow> rows;
};

/// The section, or how to get one if there are no rows.
std::string layer_section(const std::vector<LayersOf>& runs, Plots& plots);

// settings.cpp: how it was made.

/// A table of the settings.
std::string settings_table(const Settings& settings);

/// The options that give `settings`, those at their defaults left out.
std::string options_of(const Settings& settings);

/// The settings that all of `runs` share and that are not at their defaults, as lines of a grid's TOML file; without
/// `axes`.
std::string common_toml(const std::vector<Settings>& runs, const std::vector<std::string>& axes);

/// The value of an axis as it stands in a TOML file.
std::string axis_toml(const std::string& name, const std::string& value);

/// The machines that a training ran on, a line each, and the date of the report.
std::string machine_table(const std::vector<std::string>& machines);

}  // namespace xtg::app
