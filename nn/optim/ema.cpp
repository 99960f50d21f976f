#include "nn/optim/ema.hpp"

#include <utility>

#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

void approach(Tensor& average, const Tensor& value, Scalar share) {
  Scalar* a = average.data();
  for (std::size_t i = 0; i < average.size(); ++i) a[i] += share * (value.data()[i] - a[i]);
}

}  // namespace

Ema::Ema(Module& module) : module_(module), average_(module.state_dict().tensors) {}

void Ema::require_not_swapped(const char* operation) const {
  require(!swapped_, "{}: the average is in the module, where AveragedWeights has put it", operation);
}

void Ema::require_same_shapes(const char* operation) const {
  const auto check = [&](const std::string& name, const Shape& shape) {
    const auto average = average_.find(name);
    require<ShapeError>(average != average_.end() && average->second.shape() == shape,
                        "{}: '{}' has shape {} now, its average {}", operation, name, to_string(shape),
                        average != average_.end() ? to_string(average->second.shape()) : "none");
  };
  for (const auto& [name, parameter] : module_.named_parameters()) check(name, parameter.shape());
  for (const auto& [name, buffer] : module_.named_buffers()) check(name, buffer->shape());
}

void Ema::update(double decay) {
  require(decay >= 0 && decay < 1, "ema: the decay must be within [0, 1), got {}", decay);
  require_not_swapped("ema: update");
  require_same_shapes("ema: update");
  const auto share = static_cast<Scalar>(1 - decay);
  for (const auto& [name, parameter] : module_.named_parameters())
    approach(average_.at(name), parameter.value(), share);
  for (const auto& [name, buffer] : module_.named_buffers()) approach(average_.at(name), *buffer, share);
}

SafeTensors Ema::state_dict() const {
  require_not_swapped("ema: state_dict");
  SafeTensors state = module_.state_dict();
  state.tensors = average_;
  return state;
}

void Ema::load_state_dict(const SafeTensors& state) {
  require_not_swapped("ema: load_state_dict");
  compare_states("ema: the state", "of another shape", state_dict(), state, true);
  average_ = state.tensors;
}

/// The Variables and buffers stay where they are, as modules and optimizers hold them; only their numbers change place.
void Ema::swap() {
  for (auto& [name, parameter] : module_.named_parameters()) std::swap(parameter.mutable_value(), average_.at(name));
  for (const auto& [name, buffer] : module_.named_buffers()) std::swap(*buffer, average_.at(name));
  swapped_ = !swapped_;
}

AveragedWeights::AveragedWeights(Ema& ema) : ema_(ema) {
  ema.require_not_swapped("averaged weights");
  ema.require_same_shapes("averaged weights");
  ema.swap();
}

AveragedWeights::~AveragedWeights() { ema_.swap(); }

}  // namespace xtg::nn
