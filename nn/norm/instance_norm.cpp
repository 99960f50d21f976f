#include "nn/norm/instance_norm.hpp"

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/norm.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

/// (H, W): what is averaged together, all axes between the first and the last.
Axes places(const Tensor& x) {
  require<ShapeError>(x.dimension() >= 3, "instance_norm: expected x (N, …, C) with axes between them, got {}",
                      to_string(x.shape()));
  Axes axes = all_but_last(x);
  axes.erase(axes.begin());
  return axes;
}

}  // namespace

// 1. The definition.

Variable instance_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps) {
  const Axes set = places(x.value());
  const Variable centred = x - mean(x, set, true);             // (N, …, C) − (N, 1, …, 1, C)
  const Variable variance = mean(square(centred), set, true);  // (N, 1, …, 1, C), biased
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

// 2. Forward.

NormForward instance_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  const Axes set = places(x);
  const Tensor mean = xtg::mean(x, set, true), centred = x - mean;
  const Tensor var = xtg::mean(square(centred), set, true), rstd = rsqrt(var + static_cast<Scalar>(eps));
  return {gamma * (centred * rstd) + beta, mean, var, rstd};
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: for each sample and channel the values
// of its places,
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_c·dy_i,   <·> the mean over the set (H, W).
//
// gamma is constant within the set. dgamma_c = Σ dy·x̂ and dbeta_c = Σ dy run over all samples and places.

NormGradients instance_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                     const Tensor& gamma) {
  const Axes set = places(x);
  const Tensor x_hat = (x - mean) * rstd, dx_hat = gamma * dy;
  const Tensor dx = rstd * (dx_hat - xtg::mean(dx_hat, set, true) - x_hat * xtg::mean(dx_hat * x_hat, set, true));
  return {dx, sum_to(dy * x_hat, gamma.shape()), sum_to(dy, gamma.shape())};
}

// 4. The operation and the layer.

Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps,
                       const std::optional<RunningStatistics>& running, const Epilogue& epilogue) {
  const std::size_t C = channels_of("instance_norm", x.shape()), N = x.shape()[0], R = x.size() / (N * C);
  const Variables inputs = norm_arguments("instance_norm", x, gamma, beta, {C}, epilogue);
  require_eps("instance_norm", eps);
  if (running) require_running_statistics("instance_norm", *running, C);
  require_two_values("instance_norm", R, x);
  const kernels::NormSets sets{N, R, C, C};
  std::optional<MeanAndVariance> batch;  // set by the form that runs, except the derived one
  const Variable y = operation(
      NormNames{"instance_norm", "instance_norm_relu", "instance_norm_add_relu"}.with(epilogue), inputs,
      [=](const Variables& v) {
        return with_epilogue(instance_norm_composed(v[0], v[1], v[2], eps), {epilogue.relu, v[3]});
      },
      [&] {
        NormForward f = instance_norm_forward(x.value(), inputs[1].value(), inputs[2].value(), eps);
        batch = {f.mean, f.var};
        return norm_by_hand(std::move(f), instance_norm_backward, epilogue);
      },
      [&] { return norm_fused(inputs, sets, eps, epilogue, running ? &batch : nullptr); });
  if (running) update_running(*running, batch ? *batch : set_statistics(x.value(), sets), R);
  return y;
}

InstanceNorm::InstanceNorm(std::size_t channels, const InstanceNormOptions& options)
    : TrackingNorm("instance_norm", channels,
                   {options.eps, options.affine, options.momentum, options.track_running_stats}),
      channels_(channels),
      options_(options) {}

Variable InstanceNorm::normalize(const Variable& x, const Variable& gamma, const Variable& beta,
                                 const std::optional<RunningStatistics>& running, const Epilogue& epilogue) {
  return instance_norm(x, gamma, beta, options_.eps, running, epilogue);
}

}  // namespace xtg::nn
