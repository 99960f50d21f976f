#include "nn/norm/batch_norm.hpp"

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/arguments.hpp"
#include "nn/norm/fused.hpp"
#include "tensor/create.hpp"
#include "tensor/kernels/columns.hpp"

namespace xtg::nn {

using kernels::Moments;
using kernels::parallel_for_each_element;
using kernels::WideMatrix;

// 1. The definition. Everything else in this file is this function again, by hand.

Variable batch_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps) {
  Axes all_but_last(x.shape().size() - 1);
  for (std::size_t i = 0; i < all_but_last.size(); ++i) all_but_last[i] = static_cast<int>(i);
  const Variable centred = x - mean(x, all_but_last, true);             // (…, C) − (1, …, 1, C)
  const Variable variance = mean(square(centred), all_but_last, true);  // (1, …, 1, C), biased: divided by M
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

// 2. Forward. x is a matrix of M rows (one for each image and place) and C columns; the statistics are its columns',
// found piece by piece. `finish` is what follows the norm: nothing here, relu in the fused forms (fused.hpp).

namespace {

template <class Finish>
NormForward forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps, const Finish& finish) {
  const std::size_t C = gamma.size();
  const WideMatrix matrix(x.size() / C, C);  // c below is a column: a channel, several times over
  NormForward f{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  const Scalar* in = x.data();

  const auto pieces = kernels::by_pieces<Moments>(
      matrix, C, [&](std::size_t first, std::size_t last, Moments* m) { column_moments(in, first, last, matrix, m); });
  std::vector<Moments> total(C);
  for (std::size_t i = 0; i < pieces.size(); ++i) total[i % C].add(pieces[i]);
  for (std::size_t c = 0; c < C; ++c) {
    f.mean.data()[c] = static_cast<Scalar>(total[c].mean);
    f.rstd.data()[c] = static_cast<Scalar>(1 / std::sqrt(total[c].squares / total[c].count + eps));
  }

  const auto means = matrix.repeated(f.mean.data()), rstds = matrix.repeated(f.rstd.data());
  const auto gammas = matrix.repeated(gamma.data()), betas = matrix.repeated(beta.data());
  const Scalar *mu = means.data(), *r = rstds.data(), *g = gammas.data(), *b = betas.data();
  Scalar* y = f.y.data();
  parallel_for_each_element(matrix.rows, matrix.columns, [=](std::size_t i, std::size_t c) {
    const Scalar x_hat = (in[i] - mu[c]) * r[c];
    y[i] = finish(g[c] * x_hat + b[c], i);
  });
  return f;
}

}  // namespace

NormForward batch_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  return forward(x, gamma, beta, eps, KeepNorm{});
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

namespace {

template <class Upstream>
NormGradients backward(Upstream d_i, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma) {
  const std::size_t C = gamma.size(), M = x.size() / C;
  const WideMatrix matrix(M, C);
  NormGradients d{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  const auto means = matrix.repeated(mean.data()), rstds = matrix.repeated(rstd.data());
  const auto gammas = matrix.repeated(gamma.data());
  const Scalar *in = x.data(), *mu = means.data(), *r = rstds.data(), *g = gammas.data();
  d_i.widen(matrix);

  const std::size_t width = 2 * matrix.columns;
  auto pieces = kernels::by_pieces<double>(matrix, width, [&](std::size_t first, std::size_t last, double* sums) {
    kernels::column_sums<Scalar>(first, last, matrix.columns, sums, sums + matrix.columns,
                                 [&](std::size_t i, std::size_t c, Scalar& sum_dy, Scalar& sum_dy_x_hat) {
                                   const Scalar x_hat = (in[i] - mu[c]) * r[c], up = d_i.first(i, c, x_hat);
                                   sum_dy += up;
                                   sum_dy_x_hat += up * x_hat;
                                 });
  });
  for (std::size_t i = width; i < pieces.size(); ++i) pieces[i % width] += pieces[i];
  double *const sum_dy = pieces.data(), *const sum_dy_x_hat = sum_dy + matrix.columns;
  matrix.fold(sum_dy);
  matrix.fold(sum_dy_x_hat);

  std::vector<Scalar> mean_dx_hat(C), mean_dx_hat_x_hat(C);  // <dx̂> and <dx̂·x̂>
  for (std::size_t c = 0; c < C; ++c) {
    d.dbeta.data()[c] = static_cast<Scalar>(sum_dy[c]);
    d.dgamma.data()[c] = static_cast<Scalar>(sum_dy_x_hat[c]);
    mean_dx_hat[c] = static_cast<Scalar>(static_cast<double>(g[c]) * sum_dy[c] / static_cast<double>(M));
    mean_dx_hat_x_hat[c] = static_cast<Scalar>(static_cast<double>(g[c]) * sum_dy_x_hat[c] / static_cast<double>(M));
  }
  const auto m1s = matrix.repeated(mean_dx_hat.data()), m2s = matrix.repeated(mean_dx_hat_x_hat.data());
  const Scalar *m1 = m1s.data(), *m2 = m2s.data();
  Scalar* dx = d.dx.data();
  parallel_for_each_element(matrix.rows, matrix.columns, [=, &d_i](std::size_t i, std::size_t c) {
    const Scalar x_hat = (in[i] - mu[c]) * r[c], dx_hat = g[c] * d_i.again(i, c, x_hat);
    dx[i] = r[c] * (dx_hat - m1[c] - x_hat * m2[c]);
  });
  return d;
}

}  // namespace

NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  return backward(OfNorm{dy.data()}, x, mean, rstd, gamma);
}

// 4. The operation and the layer.

namespace {

/// The definition in evaluation mode: a scale and a shift per channel, nothing depends on the batch.
Variable batch_norm_eval_composed(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                                  const Tensor& rstd) {
  return gamma * ((x - Variable(mean)) * Variable(rstd)) + beta;
}

/// Its forward by hand.
template <class Finish>
Tensor scaled(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean, const Tensor& rstd,
              const Finish& finish) {
  const WideMatrix matrix(x.size() / gamma.size(), gamma.size());
  const auto means = matrix.repeated(mean.data()), rstds = matrix.repeated(rstd.data());
  const auto gammas = matrix.repeated(gamma.data()), betas = matrix.repeated(beta.data());
  const Scalar *in = x.data(), *mu = means.data(), *r = rstds.data(), *g = gammas.data(), *b = betas.data();
  Tensor y(x.shape());
  Scalar* out = y.data();
  parallel_for_each_element(matrix.rows, matrix.columns, [=](std::size_t i, std::size_t c) {
    const Scalar x_hat = (in[i] - mu[c]) * r[c];
    out[i] = finish(g[c] * x_hat + b[c], i);
  });
  return y;
}

/// Its backward by hand. dgamma and dbeta are the same sums as in training; but the statistics are constants, so that
/// only the direct way to x is left: dx = gamma·rstd·dy.
template <class Upstream>
NormGradients eval_backward(Upstream d_i, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                            const Tensor& gamma) {
  NormGradients d = backward(d_i, x, mean, rstd, gamma);
  const WideMatrix matrix(x.size() / gamma.size(), gamma.size());
  const auto means = matrix.repeated(mean.data()), rstds = matrix.repeated(rstd.data());
  const auto gammas = matrix.repeated(gamma.data());
  const Scalar *in = x.data(), *mu = means.data(), *r = rstds.data(), *g = gammas.data();
  d_i.widen(matrix);
  Scalar* dx = d.dx.data();
  parallel_for_each_element(matrix.rows, matrix.columns, [=, &d_i](std::size_t i, std::size_t c) {
    dx[i] = g[c] * r[c] * d_i.again(i, c, (in[i] - mu[c]) * r[c]);
  });
  return d;
}

}  // namespace

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps,
                    std::optional<RunningStatistics> running, const NormTail& tail) {
  const std::size_t C = channels_of("batch_norm", x), values = x.size() / C;
  const auto affine = norm_arguments("batch_norm", x, gamma, beta, {C});
  const Variable &g = affine.first, &b = affine.second;  // not [g, b]: clang 14 captures no structured bindings
  if (running) require_running_statistics("batch_norm", running->mean, running->var, C);
  require_two_values("batch_norm", values, x.shape());
  require_tail("batch_norm", x, tail);
  const auto update = [&](const NormForward& f) {
    if (running) update_running(*running, f, values, eps);
  };
  const auto composed = [eps](const Variables& v) { return batch_norm_composed(v[0], v[1], v[2], eps); };
  if (DerivedGradients::current()) {
    if (running) update(batch_norm_forward(x.value(), g.value(), b.value(), eps));
    return with_tail(composed({x, g, b}), tail.relu, tail.residual);
  }
  return record_norm(
      {"batch_norm", "batch_norm_relu", "batch_norm_add_relu"}, x, g, b, tail,
      [&](auto finish) { return forward(x.value(), g.value(), b.value(), eps, finish); }, composed,
      [](auto upstream, const auto&... saved) { return backward(std::move(upstream), saved...); }, update);
}

Variable batch_norm_eval(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                         const Tensor& var, double eps, const NormTail& tail) {
  const std::size_t C = channels_of("batch_norm", x);
  const auto affine = norm_arguments("batch_norm", x, gamma, beta, {C});
  const Variable &g = affine.first, &b = affine.second;  // not [g, b]: clang 14 captures no structured bindings
  require_running_statistics("batch_norm", mean, var, C);
  require_tail("batch_norm", x, tail);
  Tensor rstd(Shape{C});
  for (std::size_t c = 0; c < C; ++c)
    rstd.data()[c] = static_cast<Scalar>(1 / std::sqrt(static_cast<double>(var.data()[c]) + eps));
  const auto composed = [mean, rstd](const Variables& v) {
    return batch_norm_eval_composed(v[0], v[1], v[2], mean, rstd);
  };
  if (DerivedGradients::current()) return with_tail(composed({x, g, b}), tail.relu, tail.residual);
  return record_norm(
      {"batch_norm_eval", "batch_norm_eval_relu", "batch_norm_eval_add_relu"}, x, g, b, tail,
      [&](auto finish) {
        return NormForward{scaled(x.value(), g.value(), b.value(), mean, rstd, finish), mean, rstd};
      },
      composed,
      [](auto upstream, const Tensor& at, const Tensor& m, const Tensor& r, const Tensor& a) {
        return eval_backward(std::move(upstream), at, m, r, a);
      },
      [](const NormForward&) {});
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

Variable BatchNorm::forward(const Variable& x, const NormTail& tail) {
  require<ShapeError>(channels_of("batch_norm", x) == channels_, "batch_norm: expected {} channels, x is {}", channels_,
                      to_string(x.shape()));
  if (!options_.track_running_stats) return batch_norm(x, gamma_, beta_, options_.eps, std::nullopt, tail);
  if (!is_training()) return batch_norm_eval(x, gamma_, beta_, *running_mean_, *running_var_, options_.eps, tail);
  const double momentum = options_.momentum.value_or(1 / static_cast<double>(*num_batches_tracked_ + 1));
  const Variable y =
      batch_norm(x, gamma_, beta_, options_.eps, RunningStatistics{*running_mean_, *running_var_, momentum}, tail);
  ++*num_batches_tracked_;
  return y;
}

}  // namespace xtg::nn
