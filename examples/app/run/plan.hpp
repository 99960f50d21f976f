#pragma once

#include <optional>
#include <string>

#include "examples/app/run/directory.hpp"
#include "examples/app/settings/settings.hpp"
#include "nn/train/checkpoint.hpp"

namespace xtg::app {

/// A training that somebody asks for.
struct Request {
  Values given;        // settings
  std::string config;  // a file with further ones; empty: none
  std::string out;     // the run's directory; empty: a new one in `runs`
  std::string runs = "runs";
  bool resume = false;  // go on with the run in `out`
};

/// What a request and the run in its directory come to.
struct Plan {
  Settings settings;
  RunDirectory run;
  std::optional<nn::Checkpoint> checkpoint;  // to go on from, or to evaluate
};

/// Settings: those given first, then those of `config`, then (to resume) those of the run, then the defaults. A run is
/// only overwritten or resumed if that makes sense; everything else is an exception here. The directory of a run to
/// resume is claimed; that of a new one is not made yet.
Plan make_plan(const Request& request);
/// The same for a run in `directory`, which the caller may have claimed, instead of `out`.
Plan make_plan(const Request& request, RunDirectory directory);

/// The run in `directory` with its checkpoint, to look at what it learned. Settings given come before the run's.
/// Throws xtg::ValueError if there is none, or if they name another network or other training images.
Plan open_run(const std::string& directory, const Values& given);

}  // namespace xtg::app
