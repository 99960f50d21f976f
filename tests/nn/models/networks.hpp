#pragma once

// Small networks, and a look inside.

#include <doctest/doctest.h>

#include <string>

#include "nn/models/resnet.hpp"
#include "tests/testing.hpp"

namespace xtg::testing {

inline nn::ImageNetResNetOptions small(std::size_t depth, nn::NormKind norm = nn::NormKind::Batch) {
  nn::ImageNetResNetOptions options;
  options.depth = depth;
  options.norm = norm;
  options.width = 4;
  options.groups = 2;
  options.classes = 7;
  return options;
}

inline nn::ImageNetResNetOptions small_fixup(std::size_t depth) {
  nn::ImageNetResNetOptions options = small(depth, nn::NormKind::None);
  options.fixup = true;
  return options;
}

/// The module with this path; fails the test if there is none.
inline nn::Module& at(nn::Module& network, const std::string& path) {
  for (const auto& [name, module] : network.named_modules())
    if (name == path) return *module;
  FAIL("no module " << path);
  return network;
}

inline Variable parameter(const nn::Module& network, const std::string& path) {
  for (const auto& [name, value] : network.named_parameters())
    if (name == path) return value;
  FAIL("no parameter " << path);
  return Variable();
}

inline bool has(const nn::Module& network, const std::string& path) {
  for (const auto& [name, value] : network.named_parameters())
    if (name == path) return true;
  return false;
}

inline double mean_square(const Tensor& x) {
  double total = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    total += static_cast<double>(x.data()[i]) * static_cast<double>(x.data()[i]);
  return total / static_cast<double>(x.size());
}

}  // namespace xtg::testing
