#include "nn/optim/clip.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/error.hpp"

namespace xtg::nn {

namespace {

/// |gradients|₂, of their squares in units of unit².
double norm_in_units(const Variables& parameters, double unit) {
  double total = 0;
  std::set<const Node*> seen;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const Variable& parameter = parameters[k];
    require(parameter.is_leaf(), "grad_norm: expected leaves, as only they keep a gradient; parameter {} is {}", k,
            parameter.defined() ? fmt::format("the result of {}", parameter.node()->name) : "undefined");
    require(seen.insert(parameter.node().get()).second, "grad_norm: parameter {} comes twice", k);
    if (!parameter.has_grad()) continue;
    for (const Scalar gradient : parameter.grad()) {
      const double g = static_cast<double>(gradient) / unit;
      total += g * g;
    }
  }
  return std::sqrt(total) * unit;
}

}  // namespace

double grad_norm(const Variables& parameters) {
  const double norm = norm_in_units(parameters, 1);
  // Squares of doubles beyond 1e±150 are out of range.
  if (norm > 1e-140 && norm < 1e140) return norm;
  double largest = 0;
  for (const Variable& parameter : parameters)
    if (parameter.has_grad())
      for (const Scalar g : parameter.grad()) largest = std::max(largest, std::abs(static_cast<double>(g)));
  return largest > 0 && std::isfinite(largest) ? norm_in_units(parameters, largest) : norm;
}

double clip_grad_norm(const Variables& parameters, double max_norm) {
  require(std::isfinite(max_norm) && max_norm > 0,
          "clip_grad_norm: the largest norm must be finite and above 0, got {}", max_norm);
  const double norm = grad_norm(parameters);
  require(std::isfinite(norm), "clip_grad_norm: expected a finite norm of the gradients, got {}", norm);
  const double factor = max_norm / (norm + 1e-6);
  if (factor < 1) {
    for (const Variable& parameter : parameters)
      if (parameter.has_grad())  // in double: beside a norm of 1e39 the factor is no float
        for (Scalar& g : parameter.mutable_grad()) g = static_cast<Scalar>(static_cast<double>(g) * factor);
  }
  return norm;
}

}  // namespace xtg::nn
