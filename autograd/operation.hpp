#pragma once

// How an operation comes onto the tape. A primitive, whose gradient is a formula of other operations, is recorded by
// `record`. Whatever has a definition besides is an `operation` of up to three forms, the definition, by hand and
// fused; here, and nowhere else, it is asked which of them is wanted (GradientMode).

#include <initializer_list>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "grad_mode.hpp"
#include "node.hpp"
#include "variable.hpp"

namespace xtg {

/// The inputs of an operation: `{a, b}`, or a vector of any length. Refers to them; for arguments only.
class Inputs {
 public:
  Inputs(std::initializer_list<Variable> list) : begin_(std::data(list)), size_(list.size()) {}
  Inputs(const Variables& list) : begin_(list.data()), size_(list.size()) {}

  const Variable* begin() const { return begin_; }
  const Variable* end() const { return begin_ + size_; }
  std::size_t size() const { return size_; }

 private:
  const Variable* begin_;
  std::size_t size_;
};

enum class Keep { Nothing, Output };

/// Records a primitive with result `value`. Whether it is recorded at all (an input requires a gradient, recording is
/// on) is decided here; inputs may be undefined. `name` is a string literal: only the pointer is kept. Throws
/// ShapeError for an input whose array was replaced by one of another shape.
Variable record(const char* name, Tensor value, const Inputs& inputs, Backward backward, Keep keep = Keep::Nothing);

/// For the backward of an operation that broadcasts: sum_to(gradient, shape), but nothing new, neither an array nor a
/// node, where the shape is the same.
Variable unbroadcast(const Variable& gradient, const Shape& shape);

/// The saved arguments of an operation, as arrays, for a backward that is written on arrays.
class Arguments {
 public:
  Arguments(const std::vector<Saved>& saved, const Context& context) : saved_(saved), context_(context) {}
  const Tensor& operator[](std::size_t i) const { return saved_[i].value(); }
  bool wants(std::size_t i) const { return context_.wants(i); }
  /// The operation's result, if it was recorded with Keep::Output.
  const Tensor& output() const { return context_.output().value(); }

 private:
  const std::vector<Saved>& saved_;
  const Context& context_;
};

/// A backward on arrays: the gradients of the arguments, in order; nullopt for one that `arguments.wants(i)` denies.
using AnalyticGradients = std::vector<std::optional<Tensor>>;
using AnalyticBackward = std::function<AnalyticGradients(const Tensor& dy, const Arguments& arguments)>;
/// A list of these arrays, moved where they may be: a list in braces would copy them.
template <class... Arrays>
AnalyticGradients analytic_gradients(Arrays&&... arrays) {
  AnalyticGradients list;
  list.reserve(sizeof...(arrays));
  (list.emplace_back(std::forward<Arrays>(arrays)), ...);
  return list;
}

/// An operation's definition: the same result from differentiable operations, as a function of the same arguments.
using Definition = std::function<Variable(const Variables& arguments)>;

/// What a form by hand, or a fused one, returns: its result, and its backward. One on arrays may use the arguments,
/// which are saved for it; the tape cannot see into it, so when a graph of the gradient is wanted, the definition is
/// evaluated on one alias per argument and differentiated. One on Variables is differentiable itself, and nothing is
/// saved but what it captures.
struct Computed {
  Tensor value;
  std::variant<AnalyticBackward, Backward> backward;
  Keep keep = Keep::Nothing;
};

namespace detail {
Variable record_form(const char* name, GradientForm form, Computed computed, const Inputs& inputs,
                     Definition definition);
}  // namespace detail

/// An operation with a definition, a form by hand and a fused one; both are functions without arguments that return
/// Computed. All three give the same numbers, which tests must hold (check_gradients does for the gradients). Side
/// effects, such as running statistics, stay outside the definition: it may be evaluated again.
template <class ByHand, class Fused>
Variable operation(const char* name, const Inputs& inputs, Definition definition, const ByHand& by_hand,
                   const Fused& fused) {
  const GradientForm form = GradientMode::current();
  if (form == GradientForm::Derived) return definition(Variables(inputs.begin(), inputs.end()));
  return detail::record_form(name, form, form == GradientForm::Fused ? fused() : by_hand(), inputs,
                             std::move(definition));
}

/// An operation without a fused form.
template <class ByHand>
Variable operation(const char* name, const Inputs& inputs, Definition definition, const ByHand& by_hand) {
  if (GradientMode::current() == GradientForm::Derived) return definition(Variables(inputs.begin(), inputs.end()));
  return detail::record_form(name, GradientForm::ByHand, by_hand(), inputs, std::move(definition));
}

}  // namespace xtg
