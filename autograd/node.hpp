#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../tensor/tensor.hpp"
#include "grad_mode.hpp"

namespace xtg {

class Variable;
struct Storage;
struct Node;

/// A counted reference to a Node. When the last one goes, the node is put on a list that is worked off in a loop, so a
/// chain of a million operations is destroyed without recursion, walked or not.
class NodePtr {
 public:
  NodePtr() = default;
  explicit NodePtr(Node* node);
  NodePtr(const NodePtr& other);
  NodePtr(NodePtr&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  NodePtr& operator=(NodePtr other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~NodePtr();

  Node* get() const { return node_; }
  Node* operator->() const { return node_; }
  Node& operator*() const { return *node_; }
  explicit operator bool() const { return node_ != nullptr; }

 private:
  Node* node_ = nullptr;
};

/// What a backward closure may ask about the operation it belongs to.
class Context {
 public:
  Context(const Node& node, std::uint64_t oldest) : node_(node), oldest_(oldest) {}
  /// Whether the gradient of input i will be used; the closure may leave it undefined otherwise.
  bool wants(std::size_t i) const;
  /// Throws ValueError for an absent argument.
  const Shape& input_shape(std::size_t i) const;
  /// The operation's result, if it was recorded with Keep::Output.
  Variable output() const;

 private:
  const Node& node_;
  std::uint64_t oldest_;  // nodes older than this are not on the way to what is asked for
};

/// Takes the gradient `dy` of the operation's result and returns the gradients of its inputs, in order and of their
/// shapes. It is written with Variables, so that it can be recorded itself when a second derivative is asked for.
using Backward = std::function<std::vector<Variable>(const Variable& dy, const Context& context)>;

/// Called with a gradient on its way; returns what is to flow on in its place, or an undefined Variable to leave it.
using GradientHook = std::function<Variable(const Variable& gradient)>;

/// What few nodes have.
struct NodeNotes {
  std::string scope;  // where it was recorded, under DetectAnomaly or KeepValues
  std::vector<std::pair<std::size_t, GradientHook>> hooks;
  std::size_t next_hook = 0;
};

/// A recorded operation, or a leaf. It knows its inputs' nodes but not their numbers: those that the backward needs are
/// captured by the closure. So nothing is kept alive that no backward needs, and there are no cycles.
struct Node {
  struct Input {
    NodePtr node;   // null for an absent argument
    bool constant;  // it required no gradient when this was recorded
  };

  Node(const char* operation_name, Shape output_shape, bool needs_grad);
  ~Node();
  bool is_leaf() const { return inputs.empty() && !released; }

  /// "log (operation 17, in layer1.0)", for errors.
  std::string description() const;

  const char* const name;
  const std::uint64_t serial;  // counts up: an operation's inputs have lower numbers than itself
  const Shape shape;           // of the result
  bool requires_grad;
  bool released = false;  // walked by a backward that did not retain the graph
  std::vector<Input> inputs;
  Backward backward;                 // empty for a leaf
  std::shared_ptr<Storage> output;   // only if the backward asked for it, or under KeepValues
  std::uint64_t output_version = 0;  // of its numbers when they were recorded
  std::unique_ptr<Tensor> grad;      // leaves: what backward() has accumulated
  std::optional<GradientForm> form;  // that ran, of an operation that has several (operation.hpp)
  std::unique_ptr<NodeNotes> notes;
  std::atomic<std::uint32_t> references{0};
  Node* next_to_delete = nullptr;
};

[[noreturn]] void throw_replaced(const char* operation, const Node& node, const Shape& shape);
/// Throws ShapeError, naming `operation`, unless the array of this node's Variable still has the recorded shape.
/// Inline, for it is asked for every argument of every operation.
inline void require_recorded_shape(const char* operation, const Node& node, const Shape& shape) {
  if (shape != node.shape) throw_replaced(operation, node, shape);
}

/// An input kept for the backward: its numbers, its node, and the version of the numbers when they were saved.
class Saved {
 public:
  explicit Saved(const Variable& variable);
  /// Throws ValueError if the numbers were modified since they were saved, ShapeError if their shape was.
  Variable get() const;
  const Tensor& value() const;

 private:
  std::shared_ptr<Storage> storage_;
  NodePtr node_;
  std::uint64_t version_ = 0;
};

}  // namespace xtg
