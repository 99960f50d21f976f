#include "autograd/node.hpp"

#include <algorithm>

#include "autograd/anomaly.hpp"
#include "autograd/grad_mode.hpp"
#include "autograd/variable.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

std::atomic<std::uint64_t> next_serial{1};

// The list of nodes to delete, in plain pointers: they need no destructor, so they serve until the thread has ended.
thread_local Node* to_delete = nullptr;
thread_local bool deleting = false;

/// Deleting a node drops its inputs and closure, which may bring further nodes here: they join the list.
void dispose(Node* node) {
  node->next_to_delete = to_delete;
  to_delete = node;
  if (deleting) return;
  deleting = true;
  while (to_delete != nullptr) {
    Node* const first = to_delete;
    to_delete = first->next_to_delete;
    delete first;
  }
  deleting = false;
}

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
  for (const Variable& input : inputs) node->inputs.push_back({input.node(), !input.requires_grad()});
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

void require_unmodified(const std::shared_ptr<Storage>& storage, const Node* node, std::uint64_t version) {
  if (!storage || storage->version == version) return;  // not by require: a text for every tensor would take its time
  throw ValueError(
      fmt::format("backward: a tensor saved for the backward was modified after the operation ran: {} of shape {} is "
                  "at version {}, saved at {}; modify parameters after backward(), or work on a copy",
                  node->name, to_string(node->shape), storage->version, version));
}

bool is_recorded(const Inputs& inputs) {
  return recording() && std::any_of(inputs.begin(), inputs.end(), [](const Variable& v) { return v.requires_grad(); });
}

}  // namespace

NodePtr::NodePtr(Node* node) : node_(node) {
  if (node_ != nullptr) node_->references.fetch_add(1, std::memory_order_relaxed);
}
NodePtr::NodePtr(const NodePtr& other) : NodePtr(other.node_) {}
NodePtr::~NodePtr() {
  if (node_ != nullptr && node_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) dispose(node_);
}

Node::Node(const char* operation_name, Shape output_shape, bool needs_grad)
    : name(operation_name),
      serial(next_serial.fetch_add(1, std::memory_order_relaxed)),
      shape(std::move(output_shape)),
      requires_grad(needs_grad) {}
Node::~Node() = default;

std::string Node::description() const {
  return fmt::format("{} (operation {}{})", name, serial, notes && !notes->scope.empty() ? ", in " + notes->scope : "");
}

bool Context::wants(std::size_t i) const {
  const Node::Input& input = node_.inputs[i];
  return input.node && !input.constant && input.node->requires_grad && input.node->serial >= oldest_;
}
const Shape& Context::input_shape(std::size_t i) const {
  require(bool(node_.inputs[i].node), "{}: its backward asks for the shape of input {}, which is absent", node_.name,
          i);
  return node_.inputs[i].node->shape;
}
Variable Context::output() const {
  require_unmodified(node_.output, &node_, node_.output_version);
  return Variable(node_.output, NodePtr(const_cast<Node*>(&node_)));
}

Saved::Saved(const Variable& variable) : storage_(variable.storage()), node_(variable.node()) {
  if (storage_) version_ = storage_->version;
}
Variable Saved::get() const {
  require_unmodified(storage_, node_.get(), version_);
  return Variable(storage_, node_);
}
const Tensor& Saved::value() const {
  require_unmodified(storage_, node_.get(), version_);
  require(storage_ != nullptr, "backward: an operation's backward asks for the value of an argument that is absent");
  return storage_->value;
}

const Tensor& Arguments::output() const { return context_.output().value(); }

Variable record(const char* name, Tensor value, const Inputs& inputs, Backward backward, Keep keep) {
  if (!is_recorded(inputs)) return checked(name, Variable(std::move(value)), inputs);
  auto storage = std::make_shared<Storage>();
  storage->value = std::move(value);
  return checked(name, make_result(name, std::move(storage), inputs, std::move(backward), keep), inputs);
}

Variable Variable::alias() const {
  if (!is_recorded({*this})) return detach();
  return make_result(
      "alias", storage_, {*this}, [](const Variable& dy, const Context&) { return Variables{dy}; }, Keep::Nothing);
}

Variable record_analytic(const char* name, Tensor value, const Inputs& inputs, Definition definition,
                         AnalyticBackward backward, Keep keep) {
  if (!is_recorded(inputs)) return checked(name, Variable(std::move(value)), inputs);
  std::vector<Saved> saved;
  saved.reserve(inputs.size());
  for (const Variable& input : inputs) saved.emplace_back(input);

  const auto closure = [name, saved = std::move(saved), definition = std::move(definition),
                        backward = std::move(backward)](const Variable& dy, const Context& context) {
    Variables gradients(saved.size());
    if (!recording()) {
      AnalyticGradients analytic = backward(dy.value(), Arguments(saved, context));
      require(analytic.size() == saved.size(), "{}: its analytic backward returned {} gradients for {} inputs", name,
              analytic.size(), saved.size());
      for (std::size_t i = 0; i < saved.size(); ++i)
        if (analytic[i] && context.wants(i)) gradients[i] = Variable(std::move(*analytic[i]));
      return gradients;
    }
    // One alias per argument: the same Variable may fill two places, and each place has a gradient of its own.
    Variables aliases(saved.size()), wanted;
    for (std::size_t i = 0; i < saved.size(); ++i) {
      const Variable argument = saved[i].get();
      if (!argument.defined()) continue;
      aliases[i] = argument.alias();
      if (context.wants(i)) wanted.push_back(aliases[i]);
    }
    GradOptions options;
    options.create_graph = options.allow_unused = true;
    const Variables derived = grad({definition(aliases)}, wanted, {dy}, options);
    for (std::size_t i = 0, k = 0; i < saved.size(); ++i)
      if (aliases[i].defined() && context.wants(i)) gradients[i] = derived[k++];
    return gradients;
  };
  auto storage = std::make_shared<Storage>();
  storage->value = std::move(value);
  return checked(name, make_result(name, std::move(storage), inputs, closure, keep), inputs);
}

}  // namespace xtg
