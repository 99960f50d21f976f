#include "nn/module.hpp"

#include <algorithm>

#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

Variable Module::add_parameter(const std::string& name, Tensor value) {
  return parameters_.emplace_back(name, Variable(std::move(value), true)).second;
}

Tensor& Module::add_buffer(const std::string& name, Tensor value) {
  return buffers_.emplace_back(name, std::move(value)).second;
}

std::int64_t& Module::add_counter(const std::string& name) { return counters_.emplace_back(name, 0).second; }

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> found = {{"", this}};
  for (auto& [name, child] : children_)
    for (auto& [path, module] : child->named_modules())
      found.emplace_back(path.empty() ? name : join(name, path), module);
  return found;
}

std::vector<std::pair<std::string, Variable>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Variable>> found = parameters_;
  for (const auto& [name, child] : children_)
    for (auto& [path, parameter] : child->named_parameters()) found.emplace_back(join(name, path), parameter);
  return found;
}

Variables Module::parameters() const {
  Variables found;
  for (auto& [name, parameter] : named_parameters()) found.push_back(parameter);
  return found;
}

std::size_t Module::parameter_count() const {
  std::size_t n = 0;
  for (const Variable& p : parameters()) n += p.size();
  return n;
}

void Module::train(bool on) {
  for (auto& [name, module] : named_modules()) module->training_ = on;
}

void Module::zero_grad() {
  for (Variable& p : parameters()) p.zero_grad();
}

SafeTensors Module::state_dict() const {
  SafeTensors state;
  for (const auto& [path, parameter] : named_parameters()) state.tensors[path] = parameter.value();
  for (auto& [path, module] : const_cast<Module*>(this)->named_modules()) {
    for (const auto& [name, buffer] : module->buffers_) state.tensors[join(path, name)] = buffer;
    for (const auto& [name, counter] : module->counters_) state.integers[join(path, name)] = Indices(Shape{}, counter);
  }
  return state;
}

void Module::load_state_dict(const SafeTensors& state) {
  std::vector<std::pair<Tensor*, const Tensor*>> copies;
  std::vector<std::pair<std::int64_t*, std::int64_t>> counts;
  std::vector<std::string> missing, unexpected, misshaped, used;

  const auto match = [&](const std::string& path, const Shape& shape, const auto& entries) {
    used.push_back(path);
    const auto entry = entries.find(path);
    if (entry == entries.end()) {
      missing.push_back(path);
      return entry;
    }
    if (entry->second.shape() == shape) return entry;
    misshaped.push_back(
        fmt::format("{} (expected {}, got {})", path, to_string(shape), to_string(entry->second.shape())));
    return entries.end();
  };
  for (auto& [path, module] : named_modules()) {
    for (auto& [name, parameter] : module->parameters_) {
      const auto entry = match(join(path, name), parameter.shape(), state.tensors);
      if (entry != state.tensors.end()) copies.emplace_back(&parameter.mutable_value(), &entry->second);
    }
    for (auto& [name, buffer] : module->buffers_) {
      const auto entry = match(join(path, name), buffer.shape(), state.tensors);
      if (entry != state.tensors.end()) copies.emplace_back(&buffer, &entry->second);
    }
    for (auto& [name, counter] : module->counters_) {
      const auto entry = match(join(path, name), Shape{}, state.integers);
      if (entry != state.integers.end()) counts.emplace_back(&counter, entry->second.data()[0]);
    }
  }
  std::sort(used.begin(), used.end());
  const auto look_for_unused = [&](const auto& entries) {
    for (const auto& [path, value] : entries)
      if (!std::binary_search(used.begin(), used.end(), path)) unexpected.push_back(path);
  };
  look_for_unused(state.tensors);
  look_for_unused(state.integers);

  const auto list = [](const char* what, const std::vector<std::string>& paths) {
    return paths.empty() ? "" : fmt::format("; {}: {}", what, fmt::join(paths, ", "));
  };
  require(missing.empty() && unexpected.empty() && misshaped.empty(), "load_state_dict: the state does not fit{}{}{}",
          list("missing", missing), list("unexpected", unexpected), list("of another shape", misshaped));
  for (const auto& [to, from] : copies) *to = *from;
  for (const auto& [to, from] : counts) *to = from;
}

}  // namespace xtg::nn
