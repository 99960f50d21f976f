#pragma once

// The data sets that xtgrad trains on: a row of a table each, in data_sets.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/data/dataset.hpp"

namespace xtg::app {

/// Which images of a data set.
struct Part {
  std::string directory;   // where its files are
  bool train = true;       // else the test images
  bool coarse = false;     // with coarse labels
  std::size_t limit = 0;   // the first so many; 0: all
  std::uint64_t seed = 0;  // of drawn images
};

struct DataSet {
  const char* name;
  const char* about;  // for --help
  const char* arch;   // the network trained on it by default, and for how many epochs
  std::int64_t epochs;
  const char* fetched_by;  // the command that fetches its files into a directory; null: it has none
  bool has_coarse_labels;
  /// What everybody uses for it, even where only a part of the images is there; empty: measured on the training images.
  std::optional<nn::Standardization> standardization;
  /// Null: they come with the images, which are drawn.
  std::vector<std::string> (*class_names)(bool coarse);
  /// Throws FormatError if a file is missing or not what it should be.
  nn::Dataset (*load)(const Part& part);
};

const std::vector<DataSet>& data_sets();
/// "shapes (drawn by the program, …), cifar10 (…) or cifar100 (…)".
std::string data_set_list();

/// Throws ValueError that lists the names for any other.
const DataSet& find_data_set(const std::string& name);

}  // namespace xtg::app
