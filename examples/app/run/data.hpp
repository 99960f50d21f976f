#pragma once

#include <string>

#include "examples/app/settings/settings.hpp"
#include "nn/data/dataset.hpp"

namespace xtg::app {

struct Data {
  nn::Dataset train, test;  // with --validation, `test` is the part of the training images that was set aside
  nn::Standardization standardization;
};

/// The images that the settings ask for. Throws FormatError if a file is missing or not what it should be.
Data load_data(const Settings& settings);

/// Class names and standardization of load_data alone, to show other images to a network: no file is read, and a data
/// set that has files has no images.
Data describe_data(const Settings& settings);

/// A number that changes with any image or label, in hexadecimal: tells whether a run is resumed on the same data.
std::string fingerprint(const nn::Dataset& dataset);

}  // namespace xtg::app
