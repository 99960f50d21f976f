#pragma once

#include "examples/training/run_directory.hpp"
#include "examples/training/settings.hpp"

/// A learning-rate range test with the settings' data, network, batches, sgd and loss: prints what came of it, and
/// leaves it in the directory as lr-range.csv and lr-range.svg. Throws xtg::ValueError for another optimizer than sgd,
/// or if the first loss is not finite already, and as load_data and RunDirectory::claim do.
void try_learning_rates(const Settings& settings, RunDirectory directory);
