#pragma once

// nn/ builds networks and trains them. Read this file, then norm/batch_norm.cpp and its three neighbours (what the
// library is about), models/resnet.cpp, optim/sgd.cpp and train/trainer.cpp.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../autograd/variable.hpp"
#include "../tensor/safetensors.hpp"

namespace xtg::nn {

class Module;

/// Called after a module's forward, with its input and its result.
using ForwardHook = std::function<void(Module& module, const Variable& input, const Variable& output)>;

/// Entries that a module has and a state does not, and the reverse.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

/// A layer or network: parameters (trained), buffers (state that is saved but not trained, such as running statistics),
/// counters and submodules, each with a name. A module owns its submodules, and cannot be copied or moved, so no two
/// modules share parameters by accident; clone() copies.
///
///   class Net : public Module {
///    public:
///     explicit Net(Generator& g) : hidden_(add_module("hidden", std::make_unique<Linear>(784, 100, g))),
///                                  out_(add_module("out", std::make_unique<Linear>(100, 10, g))) {}
///     Variable forward(const Variable& x) override { return out_(relu(hidden_(x))); }
///    private:
///     Linear &hidden_, &out_;
///   };
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  virtual Variable forward(const Variable& x) = 0;
  /// forward(x) in a Scope of this module's name, then the forward hooks. Call modules like this.
  Variable operator()(const Variable& x);

  /// Names are paths, "layer1.0.conv1.weight": a module's own come first, then those of its submodules, each in the
  /// order in which they were added. The Variables are handles on the parameters themselves.
  std::vector<std::pair<std::string, Variable>> named_parameters() const;
  Variables parameters() const;
  /// Without submodules'.
  const std::vector<std::pair<std::string, Variable>>& own_parameters() const { return parameters_; }
  /// The buffers themselves, in the same way; without counters.
  std::vector<std::pair<std::string, Tensor*>> named_buffers();
  /// This module and all below it, with their paths ("" for itself), each before its submodules.
  std::vector<std::pair<std::string, Module*>> named_modules();
  std::vector<std::pair<std::string, const Module*>> named_modules() const;
  std::size_t parameter_count() const;
  /// The name of its class, without namespaces: "Conv2d".
  std::string type_name() const;

  /// Calls function(module) for everything below this module, a module's submodules before itself, and for this last.
  void apply(const std::function<void(Module&)>& function);

  /// Training and evaluation mode, here and in all submodules; batch norm differs between them. New modules train.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }
  void zero_grad();

  /// Returns a number for remove_forward_hook, which throws ValueError for one that is not there. Hooks run in the
  /// order in which they were added.
  std::size_t add_forward_hook(ForwardHook hook);
  void remove_forward_hook(std::size_t id);

  /// All parameters and buffers by path: arrays in `tensors`, counters in `integers`. A copy.
  SafeTensors state_dict() const;
  /// Copies the entries in. Throws ValueError that lists the entries that are missing, unexpected, of another shape, or
  /// integers in the place of floating-point numbers or the reverse; it has changed nothing then. With strict = false
  /// missing and unexpected entries are reported only. Layouts are this library's: pytorch.hpp loads PyTorch's.
  LoadReport load_state_dict(const SafeTensors& state, bool strict = true);

  /// A module of the same architecture that shares nothing with this one: its parameters, buffers, counters, modes and
  /// requires_grad are copies. Gradients and hooks are not copied. Throws ValueError for a class without make_like(),
  /// or if that makes something else.
  std::unique_ptr<Module> clone() const;

  /// Multiply-adds of a forward with a result of this shape: those of matrix products and convolutions, without
  /// submodules'. 0 unless a class says otherwise; for summary().
  virtual std::size_t multiply_adds(const Shape& output) const;

 protected:
  // All throw ValueError for a name that is taken or empty, or holds a dot or a slash.
  Variable add_parameter(const std::string& name, Tensor value);
  Tensor& add_buffer(const std::string& name, Tensor value);
  std::int64_t& add_counter(const std::string& name);
  template <class M>
  M& add_module(const std::string& name, std::unique_ptr<M> module) {
    M* const added = module.get();
    adopt(name, std::move(module));
    return *added;
  }

  /// In its parent; "" without one.
  const std::string& name() const { return name_; }
  bool has_forward_hooks() const { return !hooks_.empty(); }

  /// For clone(): a module of this class, made with the same settings. What it is initialized with does not matter:
  ///
  ///   std::unique_ptr<Module> make_like() const override { return std::make_unique<Net>(settings_); }
  virtual std::unique_ptr<Module> make_like() const;

 private:
  void require_new_name(const char* operation, const std::string& name) const;
  void adopt(const std::string& name, std::unique_ptr<Module> module);
  template <class M>
  void list_submodules(const std::string& path, std::vector<std::pair<std::string, M*>>& found) const;
  std::vector<std::string> outline() const;

  std::string name_;
  std::vector<std::pair<std::string, Variable>> parameters_;
  std::deque<std::pair<std::string, Tensor>> buffers_;  // a deque: references to its elements stay valid
  std::deque<std::pair<std::string, std::int64_t>> counters_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
  std::vector<std::pair<std::size_t, ForwardHook>> hooks_;
  std::size_t next_hook_ = 0;
  bool training_ = true;
};

/// Puts a module and all below it into evaluation mode for its own lifetime; afterwards each has the mode it had.
class EvaluationMode {
 public:
  explicit EvaluationMode(Module& module);
  ~EvaluationMode();
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> modes_;
};

/// What load_state_dict checks before it copies: which entries of `expected` (only names and shapes count) are not in
/// `given`, and the reverse. Throws its ValueError: "<subject> does not fit; missing: …; unexpected: …; <shapes>: …".
LoadReport compare_states(const std::string& subject, const char* shapes, const SafeTensors& expected,
                          const SafeTensors& given, bool strict);

}  // namespace xtg::nn
