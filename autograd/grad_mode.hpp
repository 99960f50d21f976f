#pragma once

#include <string>
#include <string_view>

namespace xtg {

namespace detail {
/// A switch of the current thread that is set for the life of the object; before all of them it is Value{}.
template <class Tag, class Value = bool>
class ThreadSwitch {
 public:
  explicit ThreadSwitch(Value value) : previous_(current()) { current() = value; }
  ~ThreadSwitch() { current() = previous_; }
  ThreadSwitch(const ThreadSwitch&) = delete;
  ThreadSwitch& operator=(const ThreadSwitch&) = delete;

  static Value& current() {
    static thread_local Value value{};
    return value;
  }

 private:
  Value previous_;
};
}  // namespace detail

/// While it lives, operations of this thread are not recorded: results are constants. For evaluation and for updating
/// parameters. `NoGrad(false)` switches recording back on inside another NoGrad.
class NoGrad : public detail::ThreadSwitch<NoGrad> {
 public:
  explicit NoGrad(bool on = true) : ThreadSwitch(on) {}
};

inline bool recording() { return !NoGrad::current(); }

/// The three forms of an operation, all with the same numbers. Where one does not exist, the nearest that does runs:
/// by hand in place of fused, and an operation that has a single form has that one.
enum class GradientForm {
  Fused,   // one kernel for the forward and one for the backward: fast
  ByHand,  // forward and backward as on paper, in array arithmetic
  Derived  // the definition, so that the tape derives the gradient from elementary operations
};

/// "fused", "by-hand" or "derived". Throws ValueError for another name.
GradientForm parse_gradient_form(const std::string& name);

/// While it lives, operations of this thread run in the given form. Read when an operation runs forward; Fused, if
/// nothing else is said.
class GradientMode : public detail::ThreadSwitch<GradientMode, GradientForm> {
 public:
  explicit GradientMode(GradientForm form) : ThreadSwitch(form) {}
};

/// GradientMode of Derived, or with `false` of Fused: the tape's gradients beside those that the library computes
/// itself.
class DerivedGradients : public GradientMode {
 public:
  explicit DerivedGradients(bool on = true) : GradientMode(on ? GradientForm::Derived : GradientForm::Fused) {}
  static bool current() { return GradientMode::current() == GradientForm::Derived; }
};

/// While it lives, this thread looks at every value that an operation computes, and at every gradient that a backward
/// returns: the first that is not finite is a ValueError that names the operation, its serial number and the module it
/// ran in, the element, and the inputs that were not finite before. A NaN in a loss is thus found where it arose. Costs
/// a pass over every array. To learn the module of an operation whose gradient fails, be on when it runs forward, too.
class DetectAnomaly : public detail::ThreadSwitch<DetectAnomaly> {
 public:
  explicit DetectAnomaly(bool on = true) : ThreadSwitch(on) {}
};

/// While it lives, what this thread records keeps its values, needed by a backward or not, so that write_graphviz can
/// print them; and the module it ran in.
class KeepValues : public detail::ThreadSwitch<KeepValues> {
 public:
  explicit KeepValues(bool on = true) : ThreadSwitch(on) {}
};

/// A name for what this thread computes while it lives; scopes nest, and modules open one of their name each:
/// "layer1.0.conv1". The text must outlive the scope. An empty name opens nothing.
class Scope {
 public:
  explicit Scope(std::string_view name) : name_(name), outer_(innermost()) { innermost() = this; }
  ~Scope() { innermost() = outer_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// The names of the open scopes, joined by dots; "" outside of all.
  static std::string path() {
    std::string result;
    for (const Scope* scope = innermost(); scope != nullptr; scope = scope->outer_) {
      if (scope->name_.empty()) continue;
      result = result.empty() ? std::string(scope->name_) : std::string(scope->name_) + "." + result;
    }
    return result;
  }

 private:
  static const Scope*& innermost() {
    static thread_local const Scope* scope = nullptr;
    return scope;
  }

  std::string_view name_;
  const Scope* outer_;
};

}  // namespace xtg
