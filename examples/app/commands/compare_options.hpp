#pragma once

#include <optional>
#include <string>

#include "examples/app/settings/settings.hpp"

namespace xtg::app {

/// What xtgrad compare is told.
struct CompareOptions {
  std::string grid;  // the file
  std::string out;   // empty if not given
  std::string only;
  std::string curves;  // the file for them; empty if not given
  bool list = false, table = false;
  Values given;  // settings of all cells
};

/// Nothing if --help was asked for, and is printed. Throws ValueError, in one line, for options that do not exist,
/// lack their value, or have one of the wrong type.
std::optional<CompareOptions> parse_compare_options(int argc, char** argv);

}  // namespace xtg::app
