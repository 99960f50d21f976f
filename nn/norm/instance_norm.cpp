#include "nn/norm/instance_norm.hpp"

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/arguments.hpp"
#include "tensor/kernels/columns.hpp"

namespace xtg::nn {

using kernels::column_sums;
using kernels::for_each_element;

// 1. The definition.

Variable instance_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps) {
  Axes places;  // all axes between the first and the last
  for (int i = 1; i + 1 < static_cast<int>(x.shape().size()); ++i) places.push_back(i);
  const Variable centred = x - mean(x, places, true);             // (N, …, C) − (N, 1, …, 1, C)
  const Variable variance = mean(square(centred), places, true);  // (N, 1, …, 1, C), biased
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

// 2. Forward. A sample is a matrix of R rows (places) and C columns; the statistics are its columns'.

NormForward instance_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C);
  NormForward f{Tensor(x.shape()), Tensor(Shape{N, C}), Tensor(Shape{N, C})};
  const Scalar *g = gamma.data(), *b = beta.data();

  kernels::parallel_for(N, [&](std::size_t n) {
    const Scalar* in = x.data() + n * R * C;
    Scalar *y = f.y.data() + n * R * C, *mu = f.mean.data() + n * C, *r = f.rstd.data() + n * C;
    std::vector<double> sums(C);

    column_sums(0, R, C, sums.data(), [=](std::size_t i, std::size_t) { return static_cast<double>(in[i]); });
    for (std::size_t c = 0; c < C; ++c) mu[c] = static_cast<Scalar>(sums[c] / static_cast<double>(R));
    column_sums(0, R, C, sums.data(), [=](std::size_t i, std::size_t c) { return (in[i] - mu[c]) * (in[i] - mu[c]); });
    for (std::size_t c = 0; c < C; ++c)
      r[c] = static_cast<Scalar>(1 / std::sqrt(sums[c] / static_cast<double>(R) + eps));

    for_each_element(0, R, C, [=](std::size_t i, std::size_t c) { y[i] = g[c] * ((in[i] - mu[c]) * r[c]) + b[c]; });
  });
  return f;
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: for each sample n and channel c the R
// values of its places,
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_c·dy_i,   <·> the mean over the set (H, W).
//
// gamma is one number in the set. dgamma_c = Σ dy·x̂ and dbeta_c = Σ dy run over the samples too.

NormGradients instance_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                     const Tensor& gamma) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C);
  NormGradients d{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  std::vector<double> sum_dy(N * C), sum_dy_x_hat(N * C);
  const Scalar* g = gamma.data();

  kernels::parallel_for(N, [&](std::size_t n) {
    const Scalar *up = dy.data() + n * R * C, *in = x.data() + n * R * C;
    const Scalar *mu = mean.data() + n * C, *r = rstd.data() + n * C;
    Scalar* dx = d.dx.data() + n * R * C;
    double *s1 = sum_dy.data() + n * C, *s2 = sum_dy_x_hat.data() + n * C;
    column_sums(0, R, C, s1, [=](std::size_t i, std::size_t) { return up[i]; });
    column_sums(0, R, C, s2, [=](std::size_t i, std::size_t c) { return up[i] * ((in[i] - mu[c]) * r[c]); });

    std::vector<Scalar> means(2 * C);  // <dx̂> and <dx̂·x̂>
    Scalar *m1 = means.data(), *m2 = m1 + C;
    for (std::size_t c = 0; c < C; ++c) {
      m1[c] = static_cast<Scalar>(static_cast<double>(g[c]) * s1[c] / static_cast<double>(R));
      m2[c] = static_cast<Scalar>(static_cast<double>(g[c]) * s2[c] / static_cast<double>(R));
    }
    for_each_element(0, R, C, [=](std::size_t i, std::size_t c) {
      const Scalar x_hat = (in[i] - mu[c]) * r[c], dx_hat = g[c] * up[i];
      dx[i] = r[c] * (dx_hat - m1[c] - x_hat * m2[c]);
    });
  });
  add_over_samples(sum_dy, d.dbeta);
  add_over_samples(sum_dy_x_hat, d.dgamma);
  return d;
}

// 4. The operation and the layer.

Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps,
                       std::optional<RunningStatistics> running) {
  const std::size_t C = channels_of("instance_norm", x), values = x.size() / (x.shape()[0] * C);
  const auto [g, b] = norm_arguments("instance_norm", x, gamma, beta, {C});
  if (running) require_running_statistics("instance_norm", running->mean, running->var, C);
  require_two_values("instance_norm", values, x.shape());
  if (DerivedGradients::current()) {
    if (running) update_running(*running, instance_norm_forward(x.value(), g.value(), b.value(), eps), values, eps);
    return instance_norm_composed(x, g, b, eps);
  }
  NormForward f = instance_norm_forward(x.value(), g.value(), b.value(), eps);
  if (running) update_running(*running, f, values, eps);
  return record_analytic(
      "instance_norm", std::move(f.y), {x, g, b},
      [eps](const Variables& v) { return instance_norm_composed(v[0], v[1], v[2], eps); },
      [mean = std::move(f.mean), rstd = std::move(f.rstd)](const Tensor& dy, const Arguments& a) {
        NormGradients d = instance_norm_backward(dy, a[0], mean, rstd, a[1]);
        return analytic_gradients(std::move(d.dx), std::move(d.dgamma), std::move(d.dbeta));
      });
}

InstanceNorm::InstanceNorm(std::size_t channels, const InstanceNormOptions& options)
    : channels_(channels),
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones({channels})) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros({channels})) : Variable()) {
  if (!options.track_running_stats) return;
  running_mean_ = &add_buffer("running_mean", zeros({channels}));
  running_var_ = &add_buffer("running_var", ones({channels}));
  num_batches_tracked_ = &add_counter("num_batches_tracked");
}

Variable InstanceNorm::forward(const Variable& x) {
  require<ShapeError>(channels_of("instance_norm", x) == channels_, "instance_norm: expected {} channels, x is {}",
                      channels_, to_string(x.shape()));
  if (!options_.track_running_stats) return instance_norm(x, gamma_, beta_, options_.eps);
  if (!is_training()) return batch_norm_eval(x, gamma_, beta_, *running_mean_, *running_var_, options_.eps);
  const double momentum = options_.momentum.value_or(1 / static_cast<double>(*num_batches_tracked_ + 1));
  const Variable y =
      instance_norm(x, gamma_, beta_, options_.eps, RunningStatistics{*running_mean_, *running_var_, momentum});
  ++*num_batches_tracked_;
  return y;
}

}  // namespace xtg::nn
