#pragma once

#include "optimizer.hpp"

namespace xtg::nn {

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;             // Adam: L2 penalty, added to the gradient; AdamW: decoupled from it
  bool decay_norms_and_biases = true;  // off: no decay for parameters of fewer than two axes
};

/// Adam (Kingma & Ba 2014, arXiv:1412.6980) with PyTorch's conventions, for parameter p with gradient g, at its step
/// t = 1, 2, …:
///   g ← g + weight_decay·p;  m ← beta1·m + (1 − beta1)·g;  v ← beta2·v + (1 − beta2)·g², m and v 0 at first;
///   p ← p − lr·m̂/(√v̂ + eps) with m̂ = m/(1 − beta1^t), v̂ = v/(1 − beta2^t): they start at 0, this undoes it.
/// State: "first_moment" (m), "second_moment" (v), "steps" (t). Throws ValueError for a beta outside [0, 1), an eps
/// that is not finite or not above 0 as a Scalar, a decay that is negative or not finite.
class Adam : public Optimizer {
 public:
  Adam(const NamedVariables& parameters, const AdamOptions& options) : Adam("adam", parameters, options, false) {}
  Adam(const Variables& parameters, const AdamOptions& options) : Adam(numbered(parameters), options) {}

 protected:
  Adam(const char* name, const NamedVariables& parameters, const AdamOptions& options, bool decoupled);

 private:
  void update(Entry& entry, double lr) override;

  const AdamOptions options_;
  const bool decoupled_;
};

/// Adam with decoupled decay (Loshchilov & Hutter 2017, arXiv:1711.05101): p ← p − lr·weight_decay·p before the step,
/// and no penalty in the gradient, where m̂/√v̂ would undo its strength. As in PyTorch the learning rate scales the
/// decay, so values are larger than with Adam, 0.01 to 0.1.
class AdamW : public Adam {
 public:
  AdamW(const NamedVariables& parameters, const AdamOptions& options) : Adam("adamw", parameters, options, true) {}
  AdamW(const Variables& parameters, const AdamOptions& options) : AdamW(numbered(parameters), options) {}
};

}  // namespace xtg::nn
