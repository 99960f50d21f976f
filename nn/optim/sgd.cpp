#include "nn/optim/sgd.hpp"

#include <cmath>

#include "tensor/create.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

/// One pass over one parameter p with gradient g and velocity v, n numbers each.
void update(Scalar* p, const Scalar* g, Scalar* v, std::size_t n, Scalar lr, const SgdOptions& options) {
  const auto momentum = static_cast<Scalar>(options.momentum), decay = static_cast<Scalar>(options.weight_decay);
  const bool nesterov = options.nesterov;
  for (std::size_t i = 0; i < n; ++i) {
    const Scalar gradient = g[i] + decay * p[i];
    v[i] = momentum * v[i] + gradient;
    p[i] -= lr * (nesterov ? gradient + momentum * v[i] : v[i]);
  }
}

}  // namespace

Sgd::Sgd(Variables parameters, const SgdOptions& options)
    : parameters_(std::move(parameters)), options_(options), velocities_(parameters_.size(), zeros({0})) {
  const auto valid = [](double value) { return std::isfinite(value) && value >= 0; };
  require(valid(options.momentum), "sgd: momentum must be finite and at least 0, got {}", options.momentum);
  require(valid(options.weight_decay), "sgd: weight decay must be finite and at least 0, got {}", options.weight_decay);
  require(!options.nesterov || options.momentum > 0, "sgd: Nesterov's method needs a momentum above 0");
}

void Sgd::step(double lr) {
  require(std::isfinite(lr) && lr >= 0, "sgd: the learning rate must be finite and at least 0, got {}", lr);
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    if (!parameters_[k].has_grad()) continue;
    const Tensor& gradient = parameters_[k].grad();
    Tensor& parameter = parameters_[k].mutable_value();
    Tensor& velocity = velocities_[k];
    if (velocity.shape() != parameter.shape()) velocity = zeros_like(parameter);  // the first step: v = 0 + g
    update(parameter.data(), gradient.data(), velocity.data(), parameter.size(), static_cast<Scalar>(lr), options_);
  }
}

void Sgd::zero_grad() {
  for (Variable& parameter : parameters_) parameter.zero_grad();
}

void Sgd::set_velocities(std::vector<Tensor> velocities) {
  require<ShapeError>(velocities.size() == parameters_.size(), "sgd: expected {} velocities, got {}",
                      parameters_.size(), velocities.size());
  for (std::size_t k = 0; k < velocities.size(); ++k) {
    const bool before_first_step = velocities[k].dimension() == 1 && velocities[k].size() == 0;
    require<ShapeError>(before_first_step || velocities[k].shape() == parameters_[k].shape(),
                        "sgd: expected velocity {} of shape {}, or (0) before the first step, got {}", k,
                        to_string(parameters_[k].shape()), to_string(velocities[k].shape()));
  }
  velocities_ = std::move(velocities);
}

}  // namespace xtg::nn
