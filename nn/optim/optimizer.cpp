#include "nn/optim/optimizer.hpp"

#include <cmath>

#include "nn/module.hpp"
#include "tensor/create.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

OptimizerKind parse_optimizer(const std::string& name) {
  if (name == "sgd") return OptimizerKind::Sgd;
  if (name == "adam") return OptimizerKind::Adam;
  if (name == "adamw") return OptimizerKind::AdamW;
  throw ValueError(fmt::format("unknown optimizer '{}', expected sgd, adam or adamw", excerpt(name)));
}

NamedVariables numbered(const Variables& parameters) {
  NamedVariables result;
  for (const Variable& parameter : parameters) result.emplace_back(std::to_string(result.size()), parameter);
  return result;
}

Optimizer::Optimizer(const char* name, const NamedVariables& parameters, std::vector<std::string> arrays,
                     bool counts_steps, double weight_decay, bool decay_norms_and_biases)
    : name_(name), arrays_(std::move(arrays)), counts_steps_(counts_steps) {
  require(std::isfinite(static_cast<Scalar>(weight_decay)) && weight_decay >= 0,
          "{}: weight decay must be finite and at least 0, got {}", name_, weight_decay);
  require(!parameters.empty(), "{}: expected at least one parameter", name_);
  for (const auto& [path, parameter] : parameters) {
    require(parameter.defined(), "{}: the parameter '{}' is undefined", name_, path);
    require(parameter.is_leaf(), "{}: expected leaves, the parameter '{}' is the result of {}", name_, path,
            parameter.node()->name);
    for (const Entry& other : entries_) {
      require(other.name != path, "{}: two parameters are named '{}'", name_, path);
      require(other.parameter.storage() != parameter.storage(), "{}: '{}' and '{}' are one parameter", name_,
              other.name, path);
    }
    const bool decayed = decay_norms_and_biases || parameter.shape().size() >= 2;
    const std::vector<Tensor> before_first_step(arrays_.size(), zeros({0}));
    entries_.push_back({path, parameter, decayed ? weight_decay : 0, before_first_step, 0});
  }
}

/// Not by require: texts for every parameter would take their time. A state is (0) before the first step.
void Optimizer::require_shapes(const Entry& entry) const {
  const Variable& p = entry.parameter;
  require_recorded_shape(name_.c_str(), p);
  if (p.has_grad() && p.grad().shape() != p.shape())
    throw ShapeError(fmt::format("{}: expected a gradient of shape {} for the parameter '{}', got {}", name_,
                                 to_string(p.shape()), entry.name, to_string(p.grad().shape())));
  for (const Tensor& array : entry.arrays)
    if (array.shape() != p.shape() && array.shape() != Shape{0})
      throw ShapeError(fmt::format("{}: the state of '{}' has shape {}, the parameter {}", name_, entry.name,
                                   to_string(array.shape()), to_string(p.shape())));
}

void Optimizer::step(double lr) {
  require(std::isfinite(static_cast<Scalar>(lr)) && lr >= 0,
          "{}: the learning rate must be finite and at least 0, got {}", name_, lr);
  for (const Entry& entry : entries_) require_shapes(entry);  // before any parameter is changed
  for (Entry& entry : entries_) {
    if (!entry.parameter.has_grad()) continue;
    const Tensor& value = entry.parameter.value();
    for (Tensor& array : entry.arrays)
      if (array.shape() != value.shape()) array = zeros_like(value);  // the first step
    ++entry.steps;
    update(entry, lr);
  }
}

void Optimizer::zero_grad() {
  for (Entry& entry : entries_) entry.parameter.zero_grad();
}

SafeTensors Optimizer::state_dict() const {
  SafeTensors state;
  for (const Entry& entry : entries_) {
    for (std::size_t k = 0; k < arrays_.size(); ++k) state.tensors[arrays_[k] + "/" + entry.name] = entry.arrays[k];
    if (counts_steps_) state.integers["steps/" + entry.name] = Indices(Shape{}, entry.steps);
  }
  return state;
}

void Optimizer::load_state_dict(const SafeTensors& state) {
  SafeTensors expected = state_dict();
  for (const Entry& entry : entries_) {
    for (const std::string& array : arrays_) {
      const std::string key = array + "/" + entry.name;
      const auto given = state.tensors.find(key);
      const bool before_first_step = given != state.tensors.end() && given->second.shape() == Shape{0};
      expected.tensors[key] = before_first_step ? zeros({0}) : entry.parameter.value();
    }
  }
  compare_states(name_ + ": the state", "of another shape", expected, state, true);
  for (const auto& [key, steps] : state.integers)
    require(steps.item() >= 0, "{}: the state's '{}' must be at least 0, got {}", name_, key, steps.item());
  for (Entry& entry : entries_) {
    for (std::size_t k = 0; k < arrays_.size(); ++k) entry.arrays[k] = state.tensors.at(arrays_[k] + "/" + entry.name);
    if (counts_steps_) entry.steps = state.integers.at("steps/" + entry.name).item();
  }
}

}  // namespace xtg::nn
