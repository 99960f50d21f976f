#include "autograd/operation.hpp"

#include <algorithm>

#include "autograd/anomaly.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

NodeNotes& notes_of(Node& node) {
  if (!node.notes) node.notes = std::make_unique<NodeNotes>();
  return *node.notes;
}

void keep_value(Node& node, const std::shared_ptr<Storage>& storage) {
  node.output_version = storage->version;
  node.output = storage;
}

Variable make_result(const char* name, std::shared_ptr<Storage> storage, const Inputs& inputs, Backward backward,
                     Keep keep) {
  NodePtr node(new Node(name, storage->value.shape(), true));
  node->inputs.reserve(inputs.size());
  for (const Variable& input : inputs) {
    require_recorded_shape(name, input);
    node->inputs.push_back({input.node(), !input.requires_grad()});
  }
  node->backward = std::move(backward);
  if (keep == Keep::Output || KeepValues::current()) keep_value(*node, storage);
  if (KeepValues::current())
    for (const Variable& input : inputs)
      if (input.is_leaf()) keep_value(*input.node(), input.storage());
  if (KeepValues::current() || DetectAnomaly::current()) notes_of(*node).scope = Scope::path();
  return Variable(std::move(storage), std::move(node));
}

Variable checked(const char* name, Variable result, const Inputs& inputs) {
  if (DetectAnomaly::current()) require_finite_value(name, result, inputs);
  return result;
}

bool is_recorded(const Inputs& inputs) {
  return recording() && std::any_of(inputs.begin(), inputs.end(), [](const Variable& v) { return v.requires_grad(); });
}

/// The backward of an operation whose own one is written on arrays.
class ArrayBackward {
 public:
  ArrayBackward(const char* name, const Inputs& inputs, Definition definition, AnalyticBackward backward)
      : name_(name), definition_(std::move(definition)), backward_(std::move(backward)) {
    saved_.reserve(inputs.size());
    for (const Variable& input : inputs) saved_.emplace_back(input);
  }

  Variables operator()(const Variable& dy, const Context& context) const {
    return recording() ? through_definition(dy, context) : analytic(dy, context);
  }

 private:
  Variables analytic(const Variable& dy, const Context& context) const {
    AnalyticGradients found = backward_(dy.value(), Arguments(saved_, context));
    require(found.size() == saved_.size(), "{}: its analytic backward returned {} gradients for {} inputs", name_,
            found.size(), saved_.size());
    Variables gradients(saved_.size());
    for (std::size_t i = 0; i < saved_.size(); ++i)
      if (found[i] && context.wants(i)) gradients[i] = Variable(std::move(*found[i]));
    return gradients;
  }

  /// One alias per argument: the same Variable may fill two places, and each place has a gradient of its own.
  Variables through_definition(const Variable& dy, const Context& context) const {
    Variables aliases(saved_.size()), wanted;
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      const Variable argument = saved_[i].get();
      if (!argument.defined()) continue;
      aliases[i] = argument.alias();
      if (context.wants(i)) wanted.push_back(aliases[i]);
    }
    if (wanted.empty()) return Variables(saved_.size());
    GradOptions options;
    options.create_graph = options.allow_unused = true;
    const Variables derived = grad({definition_(aliases)}, wanted, {dy}, options);
    Variables gradients(saved_.size());
    for (std::size_t i = 0, k = 0; i < saved_.size(); ++i)
      if (aliases[i].defined() && context.wants(i)) gradients[i] = derived[k++];
    return gradients;
  }

  const char* name_;
  std::vector<Saved> saved_;
  Definition definition_;
  AnalyticBackward backward_;
};

}  // namespace

Variable record(const char* name, Tensor value, const Inputs& inputs, Backward backward, Keep keep) {
  if (!is_recorded(inputs)) return checked(name, Variable(std::move(value)), inputs);
  auto storage = std::make_shared<Storage>(std::move(value));
  return checked(name, make_result(name, std::move(storage), inputs, std::move(backward), keep), inputs);
}

Variable unbroadcast(const Variable& gradient, const Shape& shape) {
  return gradient.shape() == shape ? gradient : sum_to(gradient, shape);
}

Variable Variable::alias() const {
  if (!is_recorded({*this})) return detach();
  return make_result(
      "alias", storage_, {*this}, [](const Variable& dy, const Context&) { return Variables{dy}; }, Keep::Nothing);
}

Variable detail::record_form(const char* name, GradientForm form, Computed computed, const Inputs& inputs,
                             Definition definition) {
  if (!is_recorded(inputs)) return checked(name, Variable(std::move(computed.value)), inputs);
  Backward backward;
  if (auto* on_arrays = std::get_if<AnalyticBackward>(&computed.backward))
    backward = ArrayBackward(name, inputs, std::move(definition), std::move(*on_arrays));
  else
    backward = std::move(std::get<Backward>(computed.backward));
  const Variable result = record(name, std::move(computed.value), inputs, std::move(backward), computed.keep);
  result.node()->form = form;
  return result;
}

}  // namespace xtg
