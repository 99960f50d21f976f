#include "autograd/variable.hpp"

#include <algorithm>

#include "autograd/grad_mode.hpp"
#include "tensor/shape.hpp"

namespace xtg {

Variable::Variable(Tensor value, bool requires_grad) : storage_(std::make_shared<Storage>(std::move(value))) {
  node_ = NodePtr(new Node("leaf", storage_->value.shape(), requires_grad));
}

const Tensor& Variable::value() const {
  require(defined(), "Variable: value of an undefined Variable");
  return storage_->value;
}

Tensor& Variable::mutable_value() {
  require(defined(), "Variable: value of an undefined Variable");
  ++storage_->version;
  return storage_->value;
}

Scalar Variable::item() const {
  require<ShapeError>(size() == 1, "Variable::item: expected one element, shape is {}", to_string(shape()));
  return value().data()[0];
}

Variable& Variable::set_requires_grad(bool on) {
  require(is_leaf(), "set_requires_grad: expected a leaf, this is the result of {}; use detach()",
          node_ ? node_->name : "nothing (undefined)");
  node_->requires_grad = on;
  return *this;
}

Tensor& Variable::mutable_grad() const {
  require(has_grad() || !node_ || is_leaf(),
          "Variable::grad: only leaves keep a gradient, and this is the result of {}; look at it in a hook "
          "(register_hook), or compute it with the function grad",
          node_ ? node_->name : "");
  require(has_grad(),
          "Variable::grad: there is no gradient; call backward() on a result that depends on this leaf, "
          "and see that it requires a gradient");
  return *node_->grad;
}

void Variable::zero_grad() {
  if (node_) node_->grad.reset();
}

std::size_t Variable::register_hook(GradientHook hook) const {
  require(requires_grad(), "register_hook: expected a Variable that requires a gradient; none will reach this one");
  if (!node_->notes) node_->notes = std::make_unique<NodeNotes>();
  node_->notes->hooks.emplace_back(node_->notes->next_hook, std::move(hook));
  return node_->notes->next_hook++;
}

void Variable::remove_hook(std::size_t id) const {
  const auto has_id = [id](const auto& hook) { return hook.first == id; };
  bool found = false;
  if (node_ && node_->notes) {
    auto& hooks = node_->notes->hooks;
    const auto hook = std::find_if(hooks.begin(), hooks.end(), has_id);
    found = hook != hooks.end();
    if (found) hooks.erase(hook);
  }
  require(found, "remove_hook: there is no hook {} on this Variable", id);
}

Variable Variable::detach() const {
  value();  // defined
  return Variable(storage_, NodePtr(new Node("leaf", shape(), false)));
}

}  // namespace xtg
