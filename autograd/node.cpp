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

void require_unmodified(const std::shared_ptr<Storage>& storage, const Node* node, std::uint64_t version) {
  if (!storage) return;
  if (storage->version == version) return require_recorded_shape("backward", *node, storage->value.shape());
  // Not by require: a text for every tensor would take its time.
  throw ValueError(
      fmt::format("backward: a tensor saved for the backward was modified after the operation ran: {} of shape {} is "
                  "at version {}, saved at {}; modify parameters after backward(), or work on a copy",
                  node->name, to_string(node->shape), storage->version, version));
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

void throw_replaced(const char* operation, const Node& node, const Shape& shape) {
  throw ShapeError(
      fmt::format("{}: '{}' was recorded with shape {}, but mutable_value() gave it an array of shape {}; "
                  "make a new Variable",
                  operation, node.name, to_string(node.shape), to_string(shape)));
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

}  // namespace xtg
