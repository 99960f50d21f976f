#pragma once

#include <string>
#include <vector>

#include "module.hpp"

namespace xtg::nn {

/// One module of a network. The numbers are its own, without its submodules', so that a column adds up to its total.
struct SummaryRow {
  std::string path;  // "layer1.0.conv1"; "" for the network itself
  std::string type;  // "Conv2d"
  Shape output;      // of its last call
  std::size_t calls = 0;
  std::size_t parameters = 0;        // numbers, not bytes
  std::size_t multiply_adds = 0;     // of all its calls, see Module::multiply_adds
  std::size_t activation_bytes = 0;  // of its results, each array counted once: in the module that made it
};

struct Summary {
  std::vector<SummaryRow> rows;  // as in Module::named_modules()
  std::size_t parameters = 0, multiply_adds = 0, activation_bytes = 0;

  /// A table of the rows and the totals, and what the numbers mean.
  std::string text() const;
};

/// What the modules of a network are and cost, from one forward of zeros of `input_shape` (batch included) in
/// evaluation mode and off the tape. Sizes, not times. Only modules that are called, module(x), are seen at work; what
/// functions make between them (relu) counts when it is a module's result. Every module has the mode afterwards that it
/// had, and nothing else changes either, also if the forward throws, which passes on. Forward hooks are called.
///
///   fmt::print("{}", summary(network, {1, 32, 32, 3}).text());
Summary summary(Module& network, const Shape& input_shape);

}  // namespace xtg::nn
