#pragma once

#include <optional>

#include "examples/training/command_line.hpp"
#include "examples/training/run_directory.hpp"
#include "examples/training/settings.hpp"
#include "nn/train/checkpoint.hpp"

/// What the command line and the run in --out come to.
struct Plan {
  Settings settings;
  RunDirectory run;
  std::optional<xtg::nn::Checkpoint> checkpoint;  // to go on from, or to evaluate
};

/// Settings: the options first, then --config, then (to resume or evaluate) those of the run, then the defaults. A run
/// is only overwritten, resumed or evaluated if that makes sense; everything else is an exception here. The directory
/// of a run to resume is claimed; that of a new one is not made yet.
Plan make_plan(const CommandLine& line);
/// The same for a run in `directory`, which the caller may have claimed, instead of --out.
Plan make_plan(const CommandLine& line, RunDirectory directory);
