#include "nn/norm/batch_norm.hpp"

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/norm.hpp"
#include "tensor/reduce.hpp"

namespace xtg::nn {

// 1. The definition. Parts 2 and 3 are this function again, by hand.

Variable batch_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps) {
  const Axes set = all_but_last(x.value());                    // (N, H, W): what is averaged together
  const Variable centred = x - mean(x, set, true);             // (…, C) − (1, …, 1, C)
  const Variable variance = mean(square(centred), set, true);  // (1, …, 1, C), biased: divided by M
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

// 2. Forward.

NormForward batch_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  const Axes set = all_but_last(x);
  const Tensor mean = xtg::mean(x, set, true), centred = x - mean;
  const Tensor var = xtg::mean(square(centred), set, true), rstd = rsqrt(var + static_cast<Scalar>(eps));
  return {gamma * (centred * rstd) + beta, mean, var, rstd};
}

// 3. Backward. One channel at a time: M values x_i, upstream gradients dy_i, <·> the mean over them, d… = ∂loss/∂…:
//
//   μ = <x>,  v = <(x − μ)²>,  r = (v + eps)^(−1/2),  x̂_i = (x_i − μ)·r,  y_i = gamma·x̂_i + beta.
//
//   dbeta = Σ dy_i   and   dgamma = Σ dy_i·x̂_i,   since y_i depends on them directly. For x, write dx̂_i = gamma·dy_i.
//   x_i affects the loss along three paths: through its own x̂_i, through μ, and through v.
//
//   through x̂_i, with μ and v held:     dx̂_i · r
//   dv = Σ dx̂_i (x_i − μ) · (−1/2) (v + eps)^(−3/2) = −(r²/2) Σ dx̂_i·x̂_i,   and ∂v/∂x_i = 2 (x_i − μ)/M = 2 x̂_i/(M r):
//   through v:                          dv · 2 x̂_i/(M r) = −r · x̂_i · <dx̂·x̂>
//   dμ = −r Σ dx̂_i + dv · ∂v/∂μ,   where ∂v/∂μ = −2 <x − μ> = 0,   and ∂μ/∂x_i = 1/M:
//   through μ:                          −r · <dx̂>
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ).
//
// The backward removes from dx̂ its part along the vector of ones and (but for eps) along x̂: the two directions in
// which a change of x does not change y. gamma is one number per channel, so it could be pulled out of the means; in
// layer and group norm it varies within the set, and could not.

NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  const Axes set = all_but_last(x);
  const Tensor x_hat = (x - mean) * rstd, dx_hat = gamma * dy;
  const Tensor dx = rstd * (dx_hat - xtg::mean(dx_hat, set, true) - x_hat * xtg::mean(dx_hat * x_hat, set, true));
  return {dx, sum_to(dy * x_hat, gamma.shape()), sum_to(dy, gamma.shape())};
}

// 4. The operation and the layer.

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps,
                    const std::optional<RunningStatistics>& running, const Epilogue& epilogue) {
  const std::size_t C = channels_of("batch_norm", x.shape()), M = x.size() / C;
  const Variables inputs = norm_arguments("batch_norm", x, gamma, beta, {C}, epilogue);
  require_eps("batch_norm", eps);
  if (running) require_running_statistics("batch_norm", *running, C);
  require_two_values("batch_norm", M, x);
  const kernels::NormSets sets{1, M, C, C};
  std::optional<MeanAndVariance> batch;  // set by the form that runs, except the derived one
  const Variable y = operation(
      NormNames{"batch_norm", "batch_norm_relu", "batch_norm_add_relu"}.with(epilogue), inputs,
      [=](const Variables& v) {
        return with_epilogue(batch_norm_composed(v[0], v[1], v[2], eps), {epilogue.relu, v[3]});
      },
      [&] {
        NormForward f = batch_norm_forward(x.value(), inputs[1].value(), inputs[2].value(), eps);
        batch = {f.mean, f.var};
        return norm_by_hand(std::move(f), batch_norm_backward, epilogue);
      },
      [&] { return norm_fused(inputs, sets, eps, epilogue, running ? &batch : nullptr); });
  if (running) update_running(*running, batch ? *batch : set_statistics(x.value(), sets), M);
  return y;
}

// In evaluation the statistics are constants, so only the path through x̂_i remains. dgamma and dbeta are as in
// training.

NormGradients batch_norm_eval_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                       const Tensor& gamma) {
  const Tensor x_hat = (x - mean) * rstd;
  return {rstd * (gamma * dy), sum_to(dy * x_hat, gamma.shape()), sum_to(dy, gamma.shape())};
}

Variable batch_norm_eval(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                         const Tensor& var, double eps, const Epilogue& epilogue) {
  const std::size_t C = channels_of("batch_norm", x.shape());
  const Variables inputs = norm_arguments("batch_norm", x, gamma, beta, {C}, epilogue);
  require_eps("batch_norm", eps);
  require_running_statistics("batch_norm", mean, var, C);
  const Tensor rstd = rsqrt(var + static_cast<Scalar>(eps));  // (C)
  return operation(
      NormNames{"batch_norm_eval", "batch_norm_eval_relu", "batch_norm_eval_add_relu"}.with(epilogue), inputs,
      [=](const Variables& v) {
        return with_epilogue(v[1] * ((v[0] - Variable(mean)) * Variable(rstd)) + v[2], {epilogue.relu, v[3]});
      },
      [&] {
        const Tensor y = inputs[1].value() * ((x.value() - mean) * rstd) + inputs[2].value();
        return norm_by_hand({y, mean, var, rstd}, batch_norm_eval_backward, epilogue);
      },
      [&] {
        return norm_fused_with({mean, var}, inputs, eps, epilogue);
      });
}

BatchNorm::BatchNorm(std::size_t channels, const BatchNormOptions& options)
    : TrackingNorm("batch_norm", channels,
                   {options.eps, options.affine, options.momentum, options.track_running_stats}),
      channels_(channels),
      options_(options) {}

Variable BatchNorm::normalize(const Variable& x, const Variable& gamma, const Variable& beta,
                              const std::optional<RunningStatistics>& running, const Epilogue& epilogue) {
  return batch_norm(x, gamma, beta, options_.eps, running, epilogue);
}

}  // namespace xtg::nn
