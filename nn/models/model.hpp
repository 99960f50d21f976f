#pragma once

#include <memory>
#include <string>

#include "../module.hpp"
#include "resnet.hpp"

namespace xtg::nn {

enum class Family { Cifar, ImageNet, Preactivation, Vgg };

/// A network of this folder.
struct Architecture {
  const char* name;
  Family family;
  std::size_t depth;
  std::size_t width;  // its own number of channels in the first stage

  /// Whether it can begin with ImageNet's stem.
  bool has_stem() const { return family == Family::ImageNet || family == Family::Preactivation; }
  /// Whether it has residual blocks that end with their norm, for fixup and zero_init_residual.
  bool is_postactivation() const { return family == Family::Cifar || family == Family::ImageNet; }
};

/// Throws ValueError that lists the names for any other.
const Architecture& find_architecture(const std::string& name);

/// Settings of any network of this folder, by its name.
struct ModelOptions {
  std::string name = "resnet20";
  NormKind norm = NormKind::Batch;
  std::size_t groups = 8;  // group norm only; 0: one per channel
  std::size_t classes = 10;
  std::size_t width = 0;            // channels of the first stage; 0 is the network's own: 16 or 64
  Stem stem = Stem::Cifar;          // ImageNet: resnet18 … resnet101 and preresnet18
  bool zero_init_residual = false;  // residual networks without preactivation
  bool fixup = false;               // the same
};

/// The network of this name, for programs: CifarResNet for resnet8, resnet20, resnet32, resnet44, resnet56, resnet110;
/// ImageNetResNet for resnet18, resnet34, resnet50, resnet101, and with preactivation for preresnet18; Vgg for vgg11,
/// vgg13, vgg16. Throws ValueError that lists the names for any other, for an option that the network does not have,
/// and as the networks do.
std::unique_ptr<Module> make_model(const ModelOptions& options, Generator& generator);

}  // namespace xtg::nn
