// The reverse walk. Every operation's inputs were made before it, so visiting nodes in the order of falling serial
// numbers visits each after all operations that used its result: its gradient is then complete. The frontier below is
// the whole state: no sorting pass, no recursion.

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "autograd/anomaly.hpp"
#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/variable.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

struct Pending {
  NodePtr node;
  Variable gradient;
};

class Walk {
 public:
  Walk(bool create_graph, bool retain_graph) : create_graph_(create_graph), retain_(retain_graph || create_graph) {}

  void add(const NodePtr& node, Variable gradient) {
    if (!node || !node->requires_grad || node->serial < oldest_) return;
    Pending& pending = frontier_[node->serial];
    if (!pending.gradient.defined()) {
      pending = {node, std::move(gradient)};
    } else if (!create_graph_ && pending.gradient.storage().use_count() == 1) {
      add_in_place(pending.gradient.mutable_value(), gradient.value());  // nobody else sees this sum
    } else {
      pending.gradient = pending.gradient + gradient;
    }
  }

  /// Only nodes at least this new are on the way to what is asked for.
  void set_oldest(std::uint64_t serial) { oldest_ = serial; }

  /// reached(node, gradient) is called once for every node on the way, newest first, with its complete gradient.
  template <class Reached>
  void run(const Reached& reached) {
    const NoGrad mode(!create_graph_);
    while (!frontier_.empty()) {
      Pending pending = std::move(frontier_.begin()->second);
      frontier_.erase(frontier_.begin());
      if (pending.node->notes) run_hooks(*pending.node, pending.gradient);
      if (hooked_) require_shape(*pending.node, pending.gradient.shape());
      reached(*pending.node, pending.gradient);
      if (pending.node->is_leaf() || pending.node->serial == oldest_) continue;  // nothing beyond is asked for
      step(pending.node, pending.gradient);
    }
  }

 private:
  /// A hook may have put another array into the gradient, or into one that this one shares its array with.
  static void require_shape(const Node& node, const Shape& shape) {
    require<ShapeError>(shape == node.shape, "backward: the gradient of '{}' has become one of shape {}, expected {}",
                        node.name, to_string(shape), to_string(node.shape));
  }

  void run_hooks(const Node& node, Variable& gradient) {
    const auto& now = node.notes->hooks;
    hooked_ = hooked_ || !now.empty();
    for (const auto& [id, hook] : std::vector(now)) {  // a copy: a hook may remove itself, or one that comes after it
      const auto is_this = [id = id](const auto& other) { return other.first == id; };
      if (!hook || std::none_of(now.begin(), now.end(), is_this)) continue;
      const Variable replacement = hook(gradient);
      if (!replacement.defined()) continue;
      require<ShapeError>(replacement.shape() == node.shape, "{}: a hook returned a gradient of shape {}, expected {}",
                          node.name, to_string(replacement.shape()), to_string(node.shape));
      gradient = replacement;
    }
  }

  void step(const NodePtr& node, Variable& dy) {
    require(!node->released,
            "backward: the graph of '{}' was released by an earlier backward; set retain_graph there to walk it again",
            node->name);
    Variables gradients = backward_of(*node, dy);
    require(gradients.size() == node->inputs.size(), "{}: its backward returned {} gradients for {} inputs", node->name,
            gradients.size(), node->inputs.size());
    dy = Variable();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const NodePtr& input = node->inputs[i].node;
      if (!input || !gradients[i].defined()) continue;
      if (gradients[i].shape() != input->shape)  // not by require: a text for every gradient would take its time
        throw ShapeError(fmt::format("{}: its backward returned a gradient of shape {} for input {} of shape {}",
                                     node->name, to_string(gradients[i].shape()), i, to_string(input->shape)));
      add(input, std::move(gradients[i]));
    }
    if (!retain_) release(*node);
  }

  static void release(Node& node) {
    node.released = true;
    node.backward = nullptr;
    node.inputs.clear();
    node.output.reset();
    if (!node.notes) return;
    std::vector<GradientHook> spent;  // one that holds its own Variable would keep it; the numbers stay for remove_hook
    for (auto& [id, hook] : node.notes->hooks) spent.push_back(std::exchange(hook, nullptr));
  }

  Variables backward_of(const Node& node, const Variable& dy) const {
    if (!DetectAnomaly::current()) return node.backward(dy, Context(node, oldest_));
    Variables gradients;
    {
      const DetectAnomaly off(false);  // name this operation, not one of those that its backward is made of
      gradients = node.backward(dy, Context(node, oldest_));
    }
    require_finite_gradients(node, gradients);
    return gradients;
  }

  const bool create_graph_, retain_;
  bool hooked_ = false;  // a hook has run
  std::uint64_t oldest_ = 0;
  std::map<std::uint64_t, Pending, std::greater<>> frontier_;  // by serial number, newest first
};

void require_recorded(const char* function, const Variable& output) {
  require(output.requires_grad(),
          "{}: nothing was recorded for this Variable; no input required a gradient, or recording was off (NoGrad)",
          function);
}

Variable seed(const char* function, const Variable& output, const Variable& given) {
  require_recorded_shape(function, output);
  if (!given.defined()) {
    require<ShapeError>(output.size() == 1,
                        "{}: the gradient of an output of shape {} is expected as an argument (only a one-element "
                        "output can do without)",
                        function, to_string(output.shape()));
    return Variable(ones_like(output.value()));
  }
  require<ShapeError>(given.shape() == output.shape(), "{}: expected an output gradient of shape {}, got {}", function,
                      to_string(output.shape()), to_string(given.shape()));
  if (DetectAnomaly::current()) require_finite_seed(given);
  return given;
}

void accumulate(Node& leaf, Variable& gradient) {
  if (leaf.grad && leaf.grad->shape() != leaf.shape)
    throw ShapeError(fmt::format("backward: a leaf of shape {} holds a gradient of shape {}; zero_grad() clears it",
                                 to_string(leaf.shape), to_string(leaf.grad->shape())));
  if (leaf.grad)
    add_in_place(*leaf.grad, gradient.value());
  else if (gradient.storage().use_count() == 1)  // nobody else sees this array
    leaf.grad = std::make_unique<Tensor>(std::move(gradient.mutable_value()));
  else
    leaf.grad = std::make_unique<Tensor>(gradient.value());
}

void backward_from(const Variable& output, const Variable& dy, bool retain_graph) {
  require_recorded("backward", output);
  Walk walk(false, retain_graph);
  walk.add(output.node(), seed("backward", output, dy));
  walk.run([](Node& node, Variable& gradient) {
    if (node.is_leaf()) accumulate(node, gradient);
  });
}

}  // namespace

void Variable::backward(bool retain_graph) const { backward_from(*this, Variable(), retain_graph); }

void Variable::backward(const Tensor& dy, bool retain_graph) const { backward_from(*this, Variable(dy), retain_graph); }

void visit_gradients(const Variable& output, const Variable& dy,
                     const std::function<void(const Node&, const Tensor&)>& visit) {
  require_recorded("visit_gradients", output);
  Walk walk(false, true);
  walk.add(output.node(), seed("visit_gradients", output, dy));
  walk.run([&](const Node& node, const Variable& gradient) { visit(node, gradient.value()); });
}

Variables grad(const Variables& outputs, const Variables& inputs, const Variables& grad_outputs,
               const GradOptions& options) {
  require(grad_outputs.empty() || grad_outputs.size() == outputs.size(),
          "grad: expected one output gradient for each of {} outputs, got {}", outputs.size(), grad_outputs.size());
  require(!inputs.empty(), "grad: expected at least one input");
  Walk walk(options.create_graph, options.retain_graph);
  std::uint64_t oldest = static_cast<std::uint64_t>(-1);
  std::map<const Node*, Variable> found;
  for (const Variable& input : inputs) {
    require(input.requires_grad(), "grad: an input of shape {} does not require a gradient",
            input.defined() ? to_string(input.shape()) : "(undefined)");
    require_recorded_shape("grad", input);
    oldest = std::min(oldest, input.node()->serial);
    found[input.node().get()] = Variable();
  }
  walk.set_oldest(oldest);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (options.allow_unused && !outputs[i].requires_grad()) continue;
    require_recorded("grad", outputs[i]);
    walk.add(outputs[i].node(), seed("grad", outputs[i], grad_outputs.empty() ? Variable() : grad_outputs[i]));
  }
  walk.run([&](const Node& node, const Variable& gradient) {
    const auto target = found.find(&node);
    if (target != found.end()) target->second = gradient;
  });

  Variables result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    result.push_back(found[inputs[i].node().get()]);
    require(options.allow_unused || result.back().defined(),
            "grad: the outputs do not depend on input {} of shape {}; set allow_unused to get an undefined gradient", i,
            to_string(inputs[i].shape()));
  }
  return result;
}

}  // namespace xtg
