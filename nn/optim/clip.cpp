#include "nn/optim/clip.hpp"

#include <cmath>
#include <set>

#include "tensor/elementwise.hpp"
#include "tensor/error.hpp"

namespace xtg::nn {

double grad_norm(const Variables& parameters) {
  double total = 0;
  std::set<const Node*> seen;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const Variable& parameter = parameters[k];
    require(parameter.is_leaf(), "grad_norm: expected leaves, as only they keep a gradient; parameter {} is {}", k,
            parameter.defined() ? fmt::format("the result of {}", parameter.node()->name) : "undefined");
    require(seen.insert(parameter.node().get()).second, "grad_norm: parameter {} comes twice", k);
    if (!parameter.has_grad()) continue;
    const Tensor& gradient = parameter.grad();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const double g = static_cast<double>(gradient.data()[i]);
      total += g * g;
    }
  }
  return std::sqrt(total);
}

double clip_grad_norm(const Variables& parameters, double max_norm) {
  require(std::isfinite(max_norm) && max_norm > 0,
          "clip_grad_norm: the largest norm must be finite and above 0, got {}", max_norm);
  const double norm = grad_norm(parameters);
  require(std::isfinite(norm), "clip_grad_norm: expected a finite norm of the gradients, got {}", norm);
  const double factor = max_norm / (norm + 1e-6);
  if (factor < 1) {
    for (const Variable& parameter : parameters)
      if (parameter.has_grad()) multiply_in_place(parameter.mutable_grad(), static_cast<Scalar>(factor));
  }
  return norm;
}

}  // namespace xtg::nn
