#include "nn/norm/norm.hpp"

#include <array>

#include "autograd/grad_mode.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/fused.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"

namespace xtg::nn {
namespace {

constexpr std::array<const char*, 5> kNames = {"batch", "layer", "instance", "group", "none"};

}  // namespace

Variable Norm::operator()(const Variable& x, const NormTail& tail) {
  if (has_forward_hooks()) return with_tail(Module::operator()(x), tail.relu, tail.residual);
  const Scope scope(name());
  return forward(x, tail);
}

Variable activated(Norm* norm, const Variable& x, const Variable& residual) {
  return norm != nullptr ? (*norm)(x, NormTail{true, residual}) : with_tail(x, true, residual);
}

NormKind parse_norm(const std::string& name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<NormKind>(i);
  throw ValueError(fmt::format("unknown norm '{}', expected one of {}", name, fmt::join(kNames, ", ")));
}

std::string to_string(NormKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::unique_ptr<Norm> make_norm(NormKind kind, std::size_t channels, std::size_t groups) {
  switch (kind) {
    case NormKind::Batch:
      return std::make_unique<BatchNorm>(channels);
    case NormKind::Layer:
      return std::make_unique<LayerNorm>(channels, 3);
    case NormKind::Instance:
      return std::make_unique<InstanceNorm>(channels);
    case NormKind::Group:
      return std::make_unique<GroupNorm>(groups == 0 ? channels : groups, channels);
    case NormKind::None:
      break;
  }
  return nullptr;
}

}  // namespace xtg::nn
