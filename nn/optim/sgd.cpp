#include "nn/optim/sgd.hpp"

#include <cmath>

#include "tensor/error.hpp"

namespace xtg::nn {

namespace {

/// One pass over one parameter p with gradient g and velocity v, n numbers each.
void descend(Scalar* p, const Scalar* g, Scalar* v, std::size_t n, Scalar lr, Scalar momentum, Scalar decay,
             bool nesterov) {
  for (std::size_t i = 0; i < n; ++i) {
    const Scalar gradient = g[i] + decay * p[i];
    v[i] = momentum * v[i] + gradient;
    p[i] -= lr * (nesterov ? gradient + momentum * v[i] : v[i]);
  }
}

}  // namespace

Sgd::Sgd(const NamedVariables& parameters, const SgdOptions& options)
    : Optimizer("sgd", parameters, {"velocity"}, false, options.weight_decay, options.decay_norms_and_biases),
      options_(options) {
  require(std::isfinite(static_cast<Scalar>(options.momentum)) && options.momentum >= 0,
          "sgd: momentum must be finite and at least 0, got {}", options.momentum);
  require(!options.nesterov || options.momentum > 0, "sgd: Nesterov's method needs a momentum above 0");
}

void Sgd::update(Entry& entry, double lr) {
  Tensor& parameter = entry.parameter.mutable_value();
  descend(parameter.data(), entry.parameter.grad().data(), entry.arrays[0].data(), parameter.size(),
          static_cast<Scalar>(lr), static_cast<Scalar>(options_.momentum), static_cast<Scalar>(entry.weight_decay),
          options_.nesterov);
}

}  // namespace xtg::nn
