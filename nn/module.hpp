#pragma once

// nn/ builds networks and trains them. Read this file, then norm/batch_norm.cpp and its three neighbours (what the
// library is about), models/resnet.cpp, optim/sgd.cpp and train/trainer.cpp.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.hpp"
#include "tensor/safetensors.hpp"

namespace xtg::nn {

/// A layer or network: parameters (trained), buffers (state that is saved but not trained, such as running statistics)
/// and submodules, each with a name. A module owns its submodules, and cannot be copied or moved, so no two modules
/// share parameters by accident.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  virtual Variable forward(const Variable& x) = 0;
  Variable operator()(const Variable& x) { return forward(x); }

  /// Names are paths, "layer1.0.conv1.weight", in the order in which they were added. The Variables are handles on the
  /// parameters themselves.
  std::vector<std::pair<std::string, Variable>> named_parameters() const;
  Variables parameters() const;
  /// This module and all below it, with their paths ("" for itself).
  std::vector<std::pair<std::string, Module*>> named_modules();
  std::size_t parameter_count() const;

  /// Training and evaluation mode, here and in all submodules; batch norm differs between them. New modules train.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }
  void zero_grad();

  /// All parameters and buffers by path: arrays in `tensors`, counters in `integers`. A copy.
  SafeTensors state_dict() const;
  /// Copies the entries in. Throws ValueError that lists missing, unexpected and mis-shaped entries, and then changes
  /// nothing.
  void load_state_dict(const SafeTensors& state);

 protected:
  Variable add_parameter(const std::string& name, Tensor value);
  Tensor& add_buffer(const std::string& name, Tensor value);
  std::int64_t& add_counter(const std::string& name);
  template <class M>
  M& add_module(const std::string& name, std::unique_ptr<M> module) {
    M& added = *module;
    children_.emplace_back(name, std::move(module));
    return added;
  }

 private:
  std::vector<std::pair<std::string, Variable>> parameters_;
  std::deque<std::pair<std::string, Tensor>> buffers_;  // a deque: references to its elements stay valid
  std::deque<std::pair<std::string, std::int64_t>> counters_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
  bool training_ = true;
};

}  // namespace xtg::nn
