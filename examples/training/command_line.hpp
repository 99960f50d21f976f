#pragma once

#include <optional>
#include <string>

#include "examples/training/settings.hpp"

struct CommandLine {
  Values given;               // the settings among the options
  std::string out;            // empty if not given
  std::string runs = "runs";  // where a new run gets a directory if --out is not given
  std::string config;         // a file; empty if not given
  bool resume = false, eval = false, lr_range = false, verbose = false, autotune = false;
};

/// Nothing if --help was asked for, and is printed. Throws xtg::ValueError, in one line, for options that do not exist,
/// lack their value, or have one of the wrong type.
std::optional<CommandLine> parse_command_line(int argc, char** argv);
