#pragma once

#include <optional>
#include <string>

#include "examples/training/settings.hpp"

struct GridCommandLine {
  std::string grid;  // the file
  std::string out;   // empty if not given
  std::string only;
  std::string curves;  // the file for them; empty if not given
  bool list = false, table = false;
  Values given;  // settings of all cells
};

/// Nothing if --help was asked for, and is printed. Throws xtg::ValueError, in one line, for options that do not exist,
/// lack their value, or have one of the wrong type.
std::optional<GridCommandLine> parse_grid_command_line(int argc, char** argv);
