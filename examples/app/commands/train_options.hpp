#pragma once

#include <optional>

#include "examples/app/run/plan.hpp"

namespace xtg::app {

/// What xtgrad train is told.
struct TrainOptions {
  Request request;
  bool verbose = false, autotune = false;
};

/// The words of xtgrad train, and of xtgrad find-lr. Nothing if --help was asked for, and is printed. Throws
/// ValueError, in one line, for options that do not exist, lack their value, or have one of the wrong type.
std::optional<TrainOptions> parse_train_options(int argc, char** argv);
std::optional<Request> parse_find_lr_options(int argc, char** argv);

}  // namespace xtg::app
