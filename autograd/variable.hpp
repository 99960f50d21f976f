#pragma once

// autograd/ is the tape. A Variable is an array together with its place in the record of operations that made it;
// backward() walks that record from the newest operation to the oldest and applies the chain rule. Read this file, then
// node.hpp (what is recorded), operation.hpp (by whom), backward.cpp (the walk, about a hundred lines) and
// ops/elementwise.cpp (operations).

#include <memory>
#include <vector>

#include "../tensor/tensor.hpp"
#include "node.hpp"

namespace xtg {

/// The numbers of a Variable, shared by its handles, and how often they were modified.
struct Storage {
  explicit Storage(Tensor&& array) : value(std::move(array)) {}

  Tensor value;
  std::uint64_t version = 0;
};

/// A handle on an array and its node of the tape; copies are handles on the same. A Variable made from a Tensor is a
/// *leaf*; a leaf that requires a gradient receives it in grad(). A Variable that an operation returned is a leaf too,
/// and a constant, if none of the inputs required a gradient or recording was off (NoGrad).
///
/// Threads: different threads may use different Variables, and may run forward and backward through graphs that share
/// leaves as long as only one of them accumulates into a leaf's grad() at a time, and none modifies its numbers, its
/// hooks or whether it requires a gradient. One graph is walked by one thread at a time. The switches of grad_mode.hpp
/// are each thread's own.
///
/// Modifying: operations note the version of the numbers that they save, and mutable_value() raises it, so a backward
/// that would read modified numbers throws instead. A reference from mutable_value() that is kept and written through
/// after a later operation saved the numbers escapes this: take it anew for each modification. The shape stays as it
/// was recorded: an array of another shape needs a new Variable, and operations and backward() refuse it (ShapeError).
class Variable {
 public:
  /// Undefined: stands for an absent argument or gradient.
  Variable() = default;
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return storage_ != nullptr; }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  std::size_t size() const { return value().size(); }
  /// The number of a one-element Variable. Throws ShapeError for any other size.
  Scalar item() const;
  /// The numbers for modification. Operations that saved them for their backward refuse to run it from then on.
  Tensor& mutable_value();

  bool requires_grad() const { return node_ && node_->requires_grad; }
  /// Leaves only; throws ValueError for the result of a recorded operation.
  Variable& set_requires_grad(bool on);
  bool is_leaf() const { return node_ && node_->is_leaf(); }

  bool has_grad() const { return node_ && node_->grad; }
  /// What backward() has accumulated. Throws ValueError if there is nothing. Only leaves keep a gradient: register_hook
  /// shows that of a result, and the function grad computes it.
  const Tensor& grad() const { return mutable_grad(); }
  Tensor& mutable_grad() const;
  void zero_grad();

  /// The same numbers, not copied, as a constant: gradients do not flow past it.
  Variable detach() const;
  /// The same numbers, not copied, as the result of a recorded identity.
  Variable alias() const;

  /// Calls `hook` with the complete gradient of this Variable in every later walk that reaches it, before the gradient
  /// flows on or is added to grad(); what the hook returns takes its place, unless it is undefined. For looking at
  /// gradients, clipping, scaling. Hooks run in the order in which they were registered, and must not modify their
  /// argument: other gradients may share its numbers. Throws ValueError unless this requires a gradient; the walk
  /// throws ShapeError if the replacement has another shape. Returns a number for remove_hook, which throws ValueError
  /// for one that is not there.
  ///
  /// The walk that releases an operation lets go of the hooks of its result. A leaf's hooks stay: one that captures the
  /// leaf itself keeps it alive, until remove_hook. Capture `leaf.detach()` instead; it shares the numbers alone.
  std::size_t register_hook(GradientHook hook) const;
  void remove_hook(std::size_t id) const;

  /// d(this)/d(leaf) added to grad() of every leaf that requires it. The form without argument is for one-element
  /// Variables; `dy`, of this shape, weights the elements otherwise. The graph is released on the way unless
  /// retain_graph is set. Throws ValueError if nothing was recorded or the graph is already released.
  void backward(bool retain_graph = false) const;
  void backward(const Tensor& dy, bool retain_graph = false) const;

  const NodePtr& node() const { return node_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  Variable(std::shared_ptr<Storage> storage, NodePtr node) : storage_(std::move(storage)), node_(std::move(node)) {}

 private:
  std::shared_ptr<Storage> storage_;
  NodePtr node_;
};

using Variables = std::vector<Variable>;

/// Throws ShapeError, naming `operation`, if x's array was replaced by one of another shape than its node recorded, by
/// which backwards read and write.
inline void require_recorded_shape(const char* operation, const Variable& x) {
  if (x.defined()) require_recorded_shape(operation, *x.node(), x.storage()->value.shape());
}

/// Gradients of Σ_i <outputs_i, grad_outputs_i> with respect to `inputs`, leaves or not; no leaf's grad() is touched.
/// grad_outputs may be empty for one-element outputs. With create_graph the gradients are recorded themselves, so that
/// they can be differentiated again. An input that the outputs do not depend on gets an undefined Variable if
/// allow_unused is set, and is an error (ValueError) otherwise.
struct GradOptions {
  bool create_graph = false;
  bool retain_graph = false;  // create_graph retains, too
  bool allow_unused = false;
};
Variables grad(const Variables& outputs, const Variables& inputs, const Variables& grad_outputs = {},
               const GradOptions& options = {});

/// Calls visit(node, gradient of <output, dy>) for every node on the way, newest first; keeps the graph, and touches no
/// leaf's grad(). dy may be undefined for a one-element output.
void visit_gradients(const Variable& output, const Variable& dy,
                     const std::function<void(const Node&, const Tensor&)>& visit);

}  // namespace xtg
