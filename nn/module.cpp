#include "nn/module.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <typeinfo>

#include "autograd/grad_mode.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

/// "xtg::nn::Conv2d", in the double library, too, where the compiler knows the namespace as xtg64.
std::string full_type_name(const Module& module) {
  const char* const mangled = typeid(module).name();
  char* const text = abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr);
  std::string name = text != nullptr ? text : mangled;
  std::free(text);
  const std::string in_double = "xtg64::";
  for (std::size_t at = 0; (at = name.find(in_double, at)) != std::string::npos;)
    name.replace(at, in_double.size(), "xtg::");
  return name;
}

template <class List>
auto find_name(List& list, const std::string& name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------ building

void Module::require_new_name(const char* operation, const std::string& name) const {
  require(!name.empty() && name.find_first_of("./") == std::string::npos,
          "{}: expected a name that is not empty and has no dot or slash, got '{}'", operation, name);
  const bool taken = find_name(parameters_, name) != parameters_.end() || find_name(buffers_, name) != buffers_.end() ||
                     find_name(counters_, name) != counters_.end() || find_name(children_, name) != children_.end();
  require(!taken, "{}: {} already has a '{}'", operation, type_name(), name);
}

Variable Module::add_parameter(const std::string& name, Tensor value) {
  require_new_name("add_parameter", name);
  return parameters_.emplace_back(name, Variable(std::move(value), true)).second;
}

Tensor& Module::add_buffer(const std::string& name, Tensor value) {
  require_new_name("add_buffer", name);
  return buffers_.emplace_back(name, std::move(value)).second;
}

std::int64_t& Module::add_counter(const std::string& name) {
  require_new_name("add_counter", name);
  return counters_.emplace_back(name, 0).second;
}

void Module::adopt(const std::string& name, std::unique_ptr<Module> module) {
  require_new_name("add_module", name);
  require(module != nullptr, "add_module: '{}' is null", name);
  module->name_ = name;
  children_.emplace_back(name, std::move(module));
}

// ------------------------------------------------------------------------------------------------------------- running

Variable Module::operator()(const Variable& x) {
  const Scope scope(name_);
  const Variable y = forward(x);
  if (!hooks_.empty())
    for (const auto& [id, hook] : std::vector(hooks_)) hook(*this, x, y);  // a copy: a hook may remove itself
  return y;
}

std::size_t Module::add_forward_hook(ForwardHook hook) {
  hooks_.emplace_back(next_hook_, std::move(hook));
  return next_hook_++;
}

void Module::remove_forward_hook(std::size_t id) {
  const auto found = std::find_if(hooks_.begin(), hooks_.end(), [id](const auto& hook) { return hook.first == id; });
  require(found != hooks_.end(), "remove_forward_hook: there is no hook {} on this module", id);
  hooks_.erase(found);
}

// ----------------------------------------------------------------------------------------------------------- traversal

template <class M>
void Module::list_submodules(const std::string& path, std::vector<std::pair<std::string, M*>>& found) const {
  for (const auto& [name, child] : children_) {
    const std::string child_path = join(path, name);
    found.emplace_back(child_path, child.get());
    child->list_submodules(child_path, found);
  }
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> found = {{"", this}};
  list_submodules("", found);
  return found;
}

std::vector<std::pair<std::string, const Module*>> Module::named_modules() const {
  std::vector<std::pair<std::string, const Module*>> found = {{"", this}};
  list_submodules("", found);
  return found;
}

std::vector<std::pair<std::string, Variable>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Variable>> found;
  for (const auto& [path, module] : named_modules())
    for (const auto& [name, parameter] : module->parameters_) found.emplace_back(join(path, name), parameter);
  return found;
}

std::vector<std::pair<std::string, Tensor*>> Module::named_buffers() {
  std::vector<std::pair<std::string, Tensor*>> found;
  for (const auto& [path, module] : named_modules())
    for (auto& [name, buffer] : module->buffers_) found.emplace_back(join(path, name), &buffer);
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

std::string Module::type_name() const {
  const std::string name = full_type_name(*this);
  const std::size_t colons = name.rfind("::", name.find('<'));  // not those of a template's arguments
  return colons == std::string::npos ? name : name.substr(colons + 2);
}

void Module::apply(const std::function<void(Module&)>& function) {
  for (const auto& [name, child] : children_) child->apply(function);
  function(*this);
}

void Module::train(bool on) {
  for (auto& [name, module] : named_modules()) module->training_ = on;
}

void Module::zero_grad() {
  for (Variable& p : parameters()) p.zero_grad();
}

std::size_t Module::multiply_adds(const Shape&) const { return 0; }

EvaluationMode::EvaluationMode(Module& module) {
  for (const auto& [path, below] : module.named_modules()) modes_.emplace_back(below, below->is_training());
  module.eval();
}

/// A module comes before those below it, so setting the modes in that order restores each.
EvaluationMode::~EvaluationMode() {
  for (const auto& [module, training] : modes_) module->train(training);
}

// --------------------------------------------------------------------------------------------------------------- state

LoadReport compare_states(const std::string& subject, const char* shapes, const SafeTensors& expected,
                          const SafeTensors& given, bool strict) {
  LoadReport report;
  std::vector<std::string> misshaped, of_another_kind;
  const auto compare = [&](const auto& wanted, const auto& found, const auto& wanted_of_another_kind,
                           const auto& found_of_another_kind, const char* kinds) {
    for (const auto& [path, value] : wanted)
      if (found.count(path) + found_of_another_kind.count(path) == 0) report.missing.push_back(path);
    for (const auto& [path, value] : found) {
      const auto entry = wanted.find(path);
      if (wanted_of_another_kind.count(path) > 0)
        of_another_kind.push_back(path + kinds);
      else if (entry == wanted.end())
        report.unexpected.push_back(path);
      else if (entry->second.shape() != value.shape())
        misshaped.push_back(
            fmt::format("{} (expected {}, got {})", path, to_string(entry->second.shape()), to_string(value.shape())));
    }
  };
  compare(expected.tensors, given.tensors, expected.integers, given.integers,
          " (expected integers, got floating-point numbers)");
  compare(expected.integers, given.integers, expected.tensors, given.tensors,
          " (expected floating-point numbers, got integers)");

  const auto list = [](const char* what, const std::vector<std::string>& paths) {
    const std::string names = excerpt(fmt::format("{}", fmt::join(paths, ", ")), 1000);
    return paths.empty() ? "" : fmt::format("; {}: {}", what, names);
  };
  const bool fits = misshaped.empty() && of_another_kind.empty();
  require(fits && (!strict || (report.missing.empty() && report.unexpected.empty())), "{} does not fit{}{}{}{}",
          subject, list("missing", report.missing), list("unexpected", report.unexpected), list(shapes, misshaped),
          list("of another kind", of_another_kind));
  return report;
}

SafeTensors Module::state_dict() const {
  SafeTensors state;
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, parameter] : module->parameters_) state.tensors[join(path, name)] = parameter.value();
    for (const auto& [name, buffer] : module->buffers_) state.tensors[join(path, name)] = buffer;
    for (const auto& [name, counter] : module->counters_) state.integers[join(path, name)] = Indices(Shape{}, counter);
  }
  return state;
}

LoadReport Module::load_state_dict(const SafeTensors& state, bool strict) {
  LoadReport report = compare_states("load_state_dict: the state", "of another shape", state_dict(), state, strict);
  for (const auto& [path, module] : named_modules()) {
    for (auto& [name, parameter] : module->parameters_) {
      const auto entry = state.tensors.find(join(path, name));
      if (entry != state.tensors.end()) parameter.mutable_value() = entry->second;
    }
    for (auto& [name, buffer] : module->buffers_) {
      const auto entry = state.tensors.find(join(path, name));
      if (entry != state.tensors.end()) buffer = entry->second;
    }
    for (auto& [name, counter] : module->counters_) {
      const auto entry = state.integers.find(join(path, name));
      if (entry != state.integers.end()) counter = entry->second.item();
    }
  }
  return report;
}

// ------------------------------------------------------------------------------------------------------------- copying

/// The architecture, as far as it can be seen: classes, names and shapes, in order.
std::vector<std::string> Module::outline() const {
  std::vector<std::string> lines;
  for (const auto& [path, module] : named_modules()) {
    lines.push_back(fmt::format("module '{}' of class {}", path, full_type_name(*module)));
    for (const auto& [name, parameter] : module->parameters_)
      lines.push_back(fmt::format("parameter '{}' {}", join(path, name), to_string(parameter.shape())));
    for (const auto& [name, buffer] : module->buffers_)
      lines.push_back(fmt::format("buffer '{}' {}", join(path, name), to_string(buffer.shape())));
    for (const auto& [name, counter] : module->counters_)
      lines.push_back(fmt::format("counter '{}'", join(path, name)));
  }
  lines.emplace_back("the end");
  return lines;
}

std::unique_ptr<Module> Module::make_like() const {
  throw ValueError(fmt::format(
      "clone: {0} does not say how to make another; write in it: std::unique_ptr<Module> make_like() const override {{ "
      "return std::make_unique<{0}>(…the arguments it was made with…); }}",
      type_name()));
}

std::unique_ptr<Module> Module::clone() const {
  std::unique_ptr<Module> copy = make_like();
  require(copy != nullptr, "clone: {}::make_like() returned null", type_name());
  const std::vector<std::string> expected = outline(), got = copy->outline();
  const auto difference = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end());
  if (difference.first != expected.end())
    throw ValueError(fmt::format("clone: {}::make_like() made another architecture: expected {}, got {}", type_name(),
                                 *difference.first, *difference.second));

  copy->load_state_dict(state_dict());
  const auto from = named_modules();
  const auto to = copy->named_modules();  // the same modules and parameters in the same order: their outlines agree
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].second->training_ = from[i].second->training_;
    for (std::size_t k = 0; k < from[i].second->parameters_.size(); ++k)
      to[i].second->parameters_[k].second.set_requires_grad(from[i].second->parameters_[k].second.requires_grad());
  }
  return copy;
}

}  // namespace xtg::nn
