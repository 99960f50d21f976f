#include "nn/optim/adam.hpp"

#include <cmath>

#include "tensor/error.hpp"

namespace xtg::nn {

Adam::Adam(const char* name, const NamedVariables& parameters, const AdamOptions& options, bool decoupled)
    : Optimizer(name, parameters, {"first_moment", "second_moment"}, true, options.weight_decay,
                options.decay_norms_and_biases),
      options_(options),
      decoupled_(decoupled) {
  require(options.beta1 >= 0 && options.beta1 < 1, "{}: beta1 must be within [0, 1), got {}", name, options.beta1);
  require(options.beta2 >= 0 && options.beta2 < 1, "{}: beta2 must be within [0, 1), got {}", name, options.beta2);
  require(std::isfinite(static_cast<Scalar>(options.eps)) && static_cast<Scalar>(options.eps) > 0,
          "{}: eps must be finite and above 0, got {}", name, options.eps);
}

void Adam::update(Entry& entry, double lr) {
  const auto steps = static_cast<double>(entry.steps);
  const double correction1 = 1 - std::pow(options_.beta1, steps), correction2 = 1 - std::pow(options_.beta2, steps);
  const auto beta1 = static_cast<Scalar>(options_.beta1), new1 = static_cast<Scalar>(1 - options_.beta1);
  const auto beta2 = static_cast<Scalar>(options_.beta2), new2 = static_cast<Scalar>(1 - options_.beta2);
  const auto rate = static_cast<Scalar>(lr / correction1), root2 = static_cast<Scalar>(std::sqrt(correction2));
  const auto eps = static_cast<Scalar>(options_.eps);
  const auto penalty = static_cast<Scalar>(decoupled_ ? 0 : entry.weight_decay);
  const auto kept = static_cast<Scalar>(decoupled_ ? 1 - lr * entry.weight_decay : 1);

  Tensor& parameter = entry.parameter.mutable_value();
  Scalar *p = parameter.data(), *m = entry.arrays[0].data(), *v = entry.arrays[1].data();
  const Scalar* g = entry.parameter.grad().data();
  for (std::size_t i = 0; i < parameter.size(); ++i) {
    const Scalar gradient = g[i] + penalty * p[i];
    m[i] = beta1 * m[i] + new1 * gradient;
    v[i] = beta2 * v[i] + new2 * gradient * gradient;
    p[i] = kept * p[i] - rate * m[i] / (std::sqrt(v[i]) / root2 + eps);
  }
}

}  // namespace xtg::nn
