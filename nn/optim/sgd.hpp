#pragma once

#include "optimizer.hpp"

namespace xtg::nn {

struct SgdOptions {
  double momentum = 0;
  double weight_decay = 0;  // L2 penalty, added to the gradient
  bool nesterov = false;
  bool decay_norms_and_biases = true;  // off: no decay for parameters of fewer than two axes
};

/// Stochastic gradient descent with PyTorch's conventions, for parameter p with gradient g:
///   g ← g + weight_decay·p;  v ← momentum·v + g (v = g at the first step);
///   p ← p − lr·(g + momentum·v) with Nesterov momentum, p ← p − lr·v without.
/// The learning rate scales the step, not the velocity (Sutskever et al. 2013 put it into the velocity).
/// State: "velocity". Throws ValueError for momentum or decay that is negative or not finite, or Nesterov without
/// momentum.
class Sgd : public Optimizer {
 public:
  Sgd(const NamedVariables& parameters, const SgdOptions& options);
  Sgd(const Variables& parameters, const SgdOptions& options) : Sgd(numbered(parameters), options) {}

 private:
  void update(Entry& entry, double lr) override;

  const SgdOptions options_;
};

}  // namespace xtg::nn
