#pragma once

#include "autograd/variable.hpp"

namespace xtg::nn {

struct SgdOptions {
  double momentum = 0;
  double weight_decay = 0;  // L2 penalty, added to every parameter's gradient
  bool nesterov = false;
};

/// Stochastic gradient descent with PyTorch's conventions, for parameter p with gradient g:
///   g ← g + weight_decay·p;  v ← momentum·v + g (v = g at the first step);
///   p ← p − lr·(g + momentum·v) with Nesterov momentum, p ← p − lr·v without.
/// The learning rate scales the step, not the velocity (Sutskever et al. 2013 put it into the velocity).
/// Parameters without a gradient are left alone. Throws ValueError for momentum or decay that is negative or not
/// finite, or Nesterov without momentum.
class Sgd {
 public:
  Sgd(Variables parameters, const SgdOptions& options);

  /// Throws ValueError unless lr is finite and at least 0.
  void step(double lr);
  void zero_grad();

  /// One velocity per parameter, in order; an empty array (shape (0)) before the parameter's first step. For
  /// checkpoints.
  const std::vector<Tensor>& velocities() const { return velocities_; }
  /// Throws ShapeError unless each is empty or of its parameter's shape.
  void set_velocities(std::vector<Tensor> velocities);

 private:
  Variables parameters_;
  SgdOptions options_;
  std::vector<Tensor> velocities_;
};

}  // namespace xtg::nn
