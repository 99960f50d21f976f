#include "nn/models/model.hpp"

#include <algorithm>
#include <array>

#include "nn/models/vgg.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::nn {
namespace {

constexpr std::array<Architecture, 14> kArchitectures = {{
    {"resnet8", Family::Cifar, 8, 16},
    {"resnet20", Family::Cifar, 20, 16},
    {"resnet32", Family::Cifar, 32, 16},
    {"resnet44", Family::Cifar, 44, 16},
    {"resnet56", Family::Cifar, 56, 16},
    {"resnet110", Family::Cifar, 110, 16},
    {"resnet18", Family::ImageNet, 18, 64},
    {"resnet34", Family::ImageNet, 34, 64},
    {"resnet50", Family::ImageNet, 50, 64},
    {"resnet101", Family::ImageNet, 101, 64},
    {"preresnet18", Family::Preactivation, 18, 64},
    {"vgg11", Family::Vgg, 11, 64},
    {"vgg13", Family::Vgg, 13, 64},
    {"vgg16", Family::Vgg, 16, 64},
}};

}  // namespace

const Architecture& find_architecture(const std::string& name) {
  const auto found = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                  [&](const Architecture& architecture) { return name == architecture.name; });
  if (found != kArchitectures.end()) return *found;
  std::string names;
  for (const Architecture& architecture : kArchitectures)
    names += (names.empty() ? "" : ", ") + std::string(architecture.name);
  throw ValueError(fmt::format("unknown architecture '{}', expected one of {}", excerpt(name), names));
}

std::unique_ptr<Module> make_model(const ModelOptions& o, Generator& generator) {
  const Architecture& made = find_architecture(o.name);
  require(o.stem == Stem::Cifar || made.has_stem(), "make_model: {} has no imagenet stem", o.name);
  require(made.family != Family::Vgg || (!o.fixup && !o.zero_init_residual),
          "make_model: {} has no residual branches for fixup or zero_init_residual", o.name);

  const std::size_t width = o.width != 0 ? o.width : made.width;
  if (made.family == Family::Cifar)
    return std::make_unique<CifarResNet>(
        ResNetOptions{made.depth, o.norm, o.groups, o.classes, width, o.zero_init_residual, o.fixup}, generator);
  if (made.family == Family::Vgg)
    return std::make_unique<Vgg>(VggOptions{made.depth, o.norm, o.groups, o.classes, width}, generator);
  const bool preactivation = made.family == Family::Preactivation;
  return std::make_unique<ImageNetResNet>(ImageNetResNetOptions{made.depth, o.norm, o.groups, o.classes, width, o.stem,
                                                                o.zero_init_residual, preactivation, o.fixup},
                                          generator);
}

}  // namespace xtg::nn
