#include "nn/norm/batch_norm.hpp"

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/arguments.hpp"
#include "tensor/create.hpp"
#include "tensor/kernels/columns.hpp"

namespace xtg::nn {

using kernels::parallel_column_sums;
using kernels::parallel_for_each_element;

// 1. The definition. Everything else in this file is this function again, by hand.

Variable batch_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps) {
  Axes all_but_last(x.shape().size() - 1);
  for (std::size_t i = 0; i < all_but_last.size(); ++i) all_but_last[i] = static_cast<int>(i);
  const Variable centred = x - mean(x, all_but_last, true);             // (…, C) − (1, …, 1, C)
  const Variable variance = mean(square(centred), all_but_last, true);  // (1, …, 1, C), biased: divided by M
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

// 2. Forward. x is a matrix of M rows (one for each image and place) and C columns; the statistics are its columns'.

NormForward batch_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  const std::size_t C = gamma.size(), M = x.size() / C;
  NormForward f{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  const Scalar *in = x.data(), *g = gamma.data(), *b = beta.data();
  Scalar *y = f.y.data(), *mean = f.mean.data(), *rstd = f.rstd.data();

  const auto sum = parallel_column_sums(M, C, [=](std::size_t i, std::size_t) { return static_cast<double>(in[i]); });
  for (std::size_t c = 0; c < C; ++c) mean[c] = static_cast<Scalar>(sum[c] / static_cast<double>(M));

  const auto sum_of_squares = parallel_column_sums(M, C, [=](std::size_t i, std::size_t c) {
    const Scalar centred = in[i] - mean[c];  // about the mean: E[x²] − E[x]² would cancel
    return centred * centred;
  });
  for (std::size_t c = 0; c < C; ++c)
    rstd[c] = static_cast<Scalar>(1 / std::sqrt(sum_of_squares[c] / static_cast<double>(M) + eps));

  parallel_for_each_element(M, C, [=](std::size_t i, std::size_t c) {
    const Scalar x_hat = (in[i] - mean[c]) * rstd[c];
    y[i] = g[c] * x_hat + b[c];
  });
  return f;
}

// 3. Backward. One channel at a time, with M values x_i, upstream gradients d_i = dy_i, and <·> for the mean over them:
//
//   μ = <x>,  v = <(x − μ)²>,  r = (v + eps)^(−1/2),  x̂_i = (x_i − μ)·r,  y_i = gamma·x̂_i + beta.
//
//   dbeta = Σ d_i   and   dgamma = Σ d_i·x̂_i,   since y_i depends on them directly. For x, write dx̂_i = gamma·d_i.
//   x_i reaches the loss in three ways: through its own x̂_i, through μ, and through v.
//
//   through x̂_i, with μ and r held:     dx̂_i · r
//   dv = Σ dx̂_i (x_i − μ) · (−1/2) (v + eps)^(−3/2) = −(r²/2) Σ dx̂_i·x̂_i,   and ∂v/∂x_i = 2 (x_i − μ)/M = 2 x̂_i/(M r):
//   through v:                          dv · 2 x̂_i/(M r) = −r · x̂_i · <dx̂·x̂>
//   dμ = −r Σ dx̂_i + dv · ∂v/∂μ,   where ∂v/∂μ = −2 <x − μ> = 0,   and ∂μ/∂x_i = 1/M:
//   through μ:                          −r · <dx̂>
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ).
//
// The layer takes from the gradient its part along the vector of ones and (but for eps) along x̂: the two directions in
// which a change of x does not change y. gamma is one number per channel, so it could be pulled out of the means; in
// layer and group norm it varies within the set, and could not.

NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  const std::size_t C = gamma.size(), M = x.size() / C;
  NormGradients d{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  const Scalar *up = dy.data(), *in = x.data(), *mu = mean.data(), *r = rstd.data(), *g = gamma.data();
  Scalar* dx = d.dx.data();

  const auto sum_dy = parallel_column_sums(M, C, [=](std::size_t i, std::size_t) { return up[i]; });
  const auto sum_dy_x_hat =
      parallel_column_sums(M, C, [=](std::size_t i, std::size_t c) { return up[i] * ((in[i] - mu[c]) * r[c]); });

  std::vector<Scalar> mean_dx_hat(C), mean_dx_hat_x_hat(C);  // <dx̂> and <dx̂·x̂>
  for (std::size_t c = 0; c < C; ++c) {
    d.dbeta.data()[c] = static_cast<Scalar>(sum_dy[c]);
    d.dgamma.data()[c] = static_cast<Scalar>(sum_dy_x_hat[c]);
    mean_dx_hat[c] = static_cast<Scalar>(static_cast<double>(g[c]) * sum_dy[c] / static_cast<double>(M));
    mean_dx_hat_x_hat[c] = static_cast<Scalar>(static_cast<double>(g[c]) * sum_dy_x_hat[c] / static_cast<double>(M));
  }
  const Scalar *m1 = mean_dx_hat.data(), *m2 = mean_dx_hat_x_hat.data();
  parallel_for_each_element(M, C, [=](std::size_t i, std::size_t c) {
    const Scalar x_hat = (in[i] - mu[c]) * r[c], dx_hat = g[c] * up[i];
    dx[i] = r[c] * (dx_hat - m1[c] - x_hat * m2[c]);
  });
  return d;
}

// 4. The operation and the layer.

namespace {

/// The definition in evaluation mode: a scale and a shift per channel, nothing depends on the batch.
Variable batch_norm_eval_composed(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                                  const Tensor& rstd) {
  return gamma * ((x - Variable(mean)) * Variable(rstd)) + beta;
}

}  // namespace

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps,
                    std::optional<RunningStatistics> running) {
  const std::size_t C = channels_of("batch_norm", x), values = x.size() / C;
  const auto [g, b] = norm_arguments("batch_norm", x, gamma, beta, {C});
  if (running) require_running_statistics("batch_norm", running->mean, running->var, C);
  require_two_values("batch_norm", values, x.shape());
  if (DerivedGradients::current()) {
    if (running) update_running(*running, batch_norm_forward(x.value(), g.value(), b.value(), eps), values, eps);
    return batch_norm_composed(x, g, b, eps);
  }
  NormForward f = batch_norm_forward(x.value(), g.value(), b.value(), eps);
  if (running) update_running(*running, f, values, eps);
  return record_analytic(
      "batch_norm", std::move(f.y), {x, g, b},
      [eps](const Variables& v) { return batch_norm_composed(v[0], v[1], v[2], eps); },
      [mean = std::move(f.mean), rstd = std::move(f.rstd)](const Tensor& dy, const Arguments& a) {
        NormGradients d = batch_norm_backward(dy, a[0], mean, rstd, a[1]);
        return analytic_gradients(std::move(d.dx), std::move(d.dgamma), std::move(d.dbeta));
      });
}

Variable batch_norm_eval(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                         const Tensor& var, double eps) {
  const std::size_t C = channels_of("batch_norm", x), M = x.size() / C;
  const auto [g, b] = norm_arguments("batch_norm", x, gamma, beta, {C});
  require_running_statistics("batch_norm", mean, var, C);
  Tensor rstd(Shape{C});
  for (std::size_t c = 0; c < C; ++c)
    rstd.data()[c] = static_cast<Scalar>(1 / std::sqrt(static_cast<double>(var.data()[c]) + eps));
  if (DerivedGradients::current()) return batch_norm_eval_composed(x, g, b, mean, rstd);

  Tensor y(x.shape());
  const Scalar *in = x.value().data(), *mu = mean.data(), *r = rstd.data(), *pg = g.value().data(),
               *pb = b.value().data();
  Scalar* out = y.data();
  parallel_for_each_element(M, C,
                            [=](std::size_t i, std::size_t c) { out[i] = pg[c] * ((in[i] - mu[c]) * r[c]) + pb[c]; });
  return record_analytic(
      "batch_norm_eval", std::move(y), {x, g, b},
      [mean, rstd](const Variables& v) { return batch_norm_eval_composed(v[0], v[1], v[2], mean, rstd); },
      [mean, rstd](const Tensor& dy, const Arguments& a) {
        // The statistics are constants, so only the direct way is left: dx = gamma·r·dy.
        NormGradients d = batch_norm_backward(dy, a[0], mean, rstd, a[1]);  // dgamma and dbeta are the same sums
        const Scalar *up = dy.data(), *g = a[1].data(), *r = rstd.data();
        Scalar* dx = d.dx.data();
        parallel_for_each_element(dy.size() / rstd.size(), rstd.size(),
                                  [=](std::size_t i, std::size_t c) { dx[i] = g[c] * r[c] * up[i]; });
        return analytic_gradients(std::move(d.dx), std::move(d.dgamma), std::move(d.dbeta));
      });
}

BatchNorm::BatchNorm(std::size_t channels, const BatchNormOptions& options)
    : channels_(channels),
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones({channels})) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros({channels})) : Variable()) {
  if (!options.track_running_stats) return;
  running_mean_ = &add_buffer("running_mean", zeros({channels}));
  running_var_ = &add_buffer("running_var", ones({channels}));
  num_batches_tracked_ = &add_counter("num_batches_tracked");
}

Variable BatchNorm::forward(const Variable& x) {
  require<ShapeError>(channels_of("batch_norm", x) == channels_, "batch_norm: expected {} channels, x is {}", channels_,
                      to_string(x.shape()));
  if (!options_.track_running_stats) return batch_norm(x, gamma_, beta_, options_.eps);
  if (!is_training()) return batch_norm_eval(x, gamma_, beta_, *running_mean_, *running_var_, options_.eps);
  const double momentum = options_.momentum.value_or(1 / static_cast<double>(*num_batches_tracked_ + 1));
  const Variable y =
      batch_norm(x, gamma_, beta_, options_.eps, RunningStatistics{*running_mean_, *running_var_, momentum});
  ++*num_batches_tracked_;
  return y;
}

}  // namespace xtg::nn
