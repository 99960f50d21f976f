#include "nn/norm/instance_norm.hpp"

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/arguments.hpp"
#include "nn/norm/fused.hpp"
#include "tensor/kernels/columns.hpp"

namespace xtg::nn {

using kernels::for_each_element;
using kernels::Moments;
using kernels::WideMatrix;

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

namespace {

template <class Finish>
NormForward forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps, const Finish& finish) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C);
  const WideMatrix matrix(R, C);  // of one sample; c below is a column: a channel, several times over
  NormForward f{Tensor(x.shape()), Tensor(Shape{N, C}), Tensor(Shape{N, C})};
  const auto gammas = matrix.repeated(gamma.data()), betas = matrix.repeated(beta.data());
  const Scalar *in = x.data(), *g = gammas.data(), *b = betas.data();
  Scalar* y = f.y.data();

  kernels::parallel_ranges(N, samples_per_piece(R * C), [&](std::size_t begin, std::size_t end) {
    std::vector<Moments> moments(C);
    std::vector<Scalar> mu(matrix.columns), r(matrix.columns);
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t first = n * matrix.rows, last = first + matrix.rows;
      Scalar *mean = f.mean.data() + n * C, *rstd = f.rstd.data() + n * C;
      column_moments(in, first, last, matrix, moments.data());
      for (std::size_t c = 0; c < C; ++c) {
        mean[c] = static_cast<Scalar>(moments[c].mean);
        rstd[c] = static_cast<Scalar>(1 / std::sqrt(moments[c].squares / moments[c].count + eps));
      }
      matrix.repeat(mean, mu.data());
      matrix.repeat(rstd, r.data());
      for_each_element(first, last, matrix.columns, [=, mu = mu.data(), r = r.data()](std::size_t i, std::size_t c) {
        const Scalar x_hat = (in[i] - mu[c]) * r[c];
        y[i] = finish(g[c] * x_hat + b[c], i);
      });
    }
  });
  return f;
}

}  // namespace

NormForward instance_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  return forward(x, gamma, beta, eps, KeepNorm{});
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: for each sample n and channel c the R
// values of its places,
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_c·dy_i,   <·> the mean over the set (H, W).
//
// gamma is one number in the set. dgamma_c = Σ dy·x̂ and dbeta_c = Σ dy run over the samples too.

namespace {

template <class Upstream>
NormGradients backward(Upstream d_i, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C);
  const WideMatrix matrix(R, C);
  const double m = static_cast<double>(R);  // values per statistic
  NormGradients d{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  std::vector<double> sum_dy(N * C), sum_dy_x_hat(N * C);
  const auto gammas = matrix.repeated(gamma.data());
  const Scalar *in = x.data(), *g = gammas.data();
  Scalar* dx = d.dx.data();
  d_i.widen(matrix);

  kernels::parallel_ranges(N, samples_per_piece(R * C), [&](std::size_t begin, std::size_t end) {
    std::vector<Scalar> by_channel(2 * C), by_column(4 * matrix.columns);  // mean, rstd, <dx̂>, <dx̂·x̂>
    std::vector<double> sums(2 * matrix.columns);
    Scalar *mu = by_column.data(), *r = mu + matrix.columns, *m1 = r + matrix.columns, *m2 = m1 + matrix.columns;
    double *s1 = sums.data(), *s2 = s1 + matrix.columns;
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t first = n * matrix.rows, last = first + matrix.rows;
      matrix.repeat(mean.data() + n * C, mu);
      matrix.repeat(rstd.data() + n * C, r);
      kernels::column_sums<Scalar>(first, last, matrix.columns, s1, s2,
                                   [=, &d_i](std::size_t i, std::size_t c, Scalar& sum, Scalar& sum_x_hat) {
                                     const Scalar x_hat = (in[i] - mu[c]) * r[c], up = d_i.first(i, c, x_hat);
                                     sum += up;
                                     sum_x_hat += up * x_hat;
                                   });
      matrix.fold(s1);
      matrix.fold(s2);
      for (std::size_t c = 0; c < C; ++c) {
        sum_dy[n * C + c] = s1[c];
        sum_dy_x_hat[n * C + c] = s2[c];
        by_channel[c] = static_cast<Scalar>(static_cast<double>(g[c]) * s1[c] / m);
        by_channel[C + c] = static_cast<Scalar>(static_cast<double>(g[c]) * s2[c] / m);
      }
      matrix.repeat(by_channel.data(), m1);
      matrix.repeat(by_channel.data() + C, m2);
      for_each_element(first, last, matrix.columns, [=, &d_i](std::size_t i, std::size_t c) {
        const Scalar x_hat = (in[i] - mu[c]) * r[c], dx_hat = g[c] * d_i.again(i, c, x_hat);
        dx[i] = r[c] * (dx_hat - m1[c] - x_hat * m2[c]);
      });
    }
  });
  add_over_samples(sum_dy, d.dbeta);
  add_over_samples(sum_dy_x_hat, d.dgamma);
  return d;
}

}  // namespace

NormGradients instance_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                     const Tensor& gamma) {
  return backward(OfNorm{dy.data()}, x, mean, rstd, gamma);
}

// 4. The operation and the layer.

Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps,
                       std::optional<RunningStatistics> running, const NormTail& tail) {
  const std::size_t C = channels_of("instance_norm", x), values = x.size() / (x.shape()[0] * C);
  const auto affine = norm_arguments("instance_norm", x, gamma, beta, {C});
  const Variable &g = affine.first, &b = affine.second;  // not [g, b]: clang 14 captures no structured bindings
  if (running) require_running_statistics("instance_norm", running->mean, running->var, C);
  require_two_values("instance_norm", values, x.shape());
  require_tail("instance_norm", x, tail);
  const auto update = [&](const NormForward& f) {
    if (running) update_running(*running, f, values, eps);
  };
  const auto composed = [eps](const Variables& v) { return instance_norm_composed(v[0], v[1], v[2], eps); };
  if (DerivedGradients::current()) {
    if (running) update(instance_norm_forward(x.value(), g.value(), b.value(), eps));
    return with_tail(composed({x, g, b}), tail.relu, tail.residual);
  }
  return record_norm(
      {"instance_norm", "instance_norm_relu", "instance_norm_add_relu"}, x, g, b, tail,
      [&](auto finish) { return forward(x.value(), g.value(), b.value(), eps, finish); }, composed,
      [](auto upstream, const auto&... saved) { return backward(std::move(upstream), saved...); }, update);
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

Variable InstanceNorm::forward(const Variable& x, const NormTail& tail) {
  require<ShapeError>(channels_of("instance_norm", x) == channels_, "instance_norm: expected {} channels, x is {}",
                      channels_, to_string(x.shape()));
  if (!options_.track_running_stats) return instance_norm(x, gamma_, beta_, options_.eps, std::nullopt, tail);
  if (!is_training()) return batch_norm_eval(x, gamma_, beta_, *running_mean_, *running_var_, options_.eps, tail);
  const double momentum = options_.momentum.value_or(1 / static_cast<double>(*num_batches_tracked_ + 1));
  const Variable y =
      instance_norm(x, gamma_, beta_, options_.eps, RunningStatistics{*running_mean_, *running_var_, momentum}, tail);
  ++*num_batches_tracked_;
  return y;
}

}  // namespace xtg::nn
