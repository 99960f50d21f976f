#include "nn/norm/group_norm.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/norm/arguments.hpp"
#include "tensor/kernels/columns.hpp"

namespace xtg::nn {

using kernels::column_sums;
using kernels::for_each_element;

// 1. The definition.

Variable group_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                             double eps) {
  const std::size_t N = x.shape()[0], C = x.shape().back(), R = x.size() / (N * C);
  const Variable grouped = reshape(x, Shape{N, R, groups, C / groups});  // places, groups, channels of a group
  const Variable centred = grouped - mean(grouped, {1, 3}, true);        // (N, R, G, C/G) − (N, 1, G, 1)
  const Variable variance = mean(square(centred), {1, 3}, true);         // (N, 1, G, 1), biased
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * reshape(x_hat, x.shape()) + beta;
}

// 2. Forward. A sample is a matrix of R rows (places) and C columns; its channels' sums are combined by groups.

NormForward group_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t groups,
                               double eps) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C), G = groups, D = C / G;
  const double m = static_cast<double>(R * D);  // values per statistic
  NormForward f{Tensor(x.shape()), Tensor(Shape{N, G}), Tensor(Shape{N, G})};
  const Scalar *g = gamma.data(), *b = beta.data();

  kernels::parallel_for(N, [&](std::size_t n) {
    const Scalar* in = x.data() + n * R * C;
    Scalar* y = f.y.data() + n * R * C;
    std::vector<double> sums(C);
    std::vector<Scalar> statistics(2 * C);  // mean and rstd of each channel's group
    Scalar *mu = statistics.data(), *r = mu + C;

    column_sums(0, R, C, sums.data(), [=](std::size_t i, std::size_t) { return static_cast<double>(in[i]); });
    for (std::size_t k = 0; k < G; ++k) {
      double total = 0;
      for (std::size_t c = k * D; c < (k + 1) * D; ++c) total += sums[c];
      f.mean.data()[n * G + k] = static_cast<Scalar>(total / m);
      std::fill(mu + k * D, mu + (k + 1) * D, f.mean.data()[n * G + k]);
    }
    column_sums(0, R, C, sums.data(), [=](std::size_t i, std::size_t c) { return (in[i] - mu[c]) * (in[i] - mu[c]); });
    for (std::size_t k = 0; k < G; ++k) {
      double total = 0;
      for (std::size_t c = k * D; c < (k + 1) * D; ++c) total += sums[c];
      f.rstd.data()[n * G + k] = static_cast<Scalar>(1 / std::sqrt(total / m + eps));
      std::fill(r + k * D, r + (k + 1) * D, f.rstd.data()[n * G + k]);
    }
    for_each_element(0, R, C, [=](std::size_t i, std::size_t c) { y[i] = g[c] * ((in[i] - mu[c]) * r[c]) + b[c]; });
  });
  return f;
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: for each sample n and group k the
// m = R·C/G values of its places and channels,
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_c(i)·dy_i,   <·> the mean over the set (H, W, C/G).
//
// gamma varies within the set, so it stays inside the means. dgamma_c = Σ dy·x̂ and dbeta_c = Σ dy run over all samples
// and places of channel c: the parameters' sums are not over the set that is normalized. So: sums of dy and dy·x̂ for
// each sample and channel first; weighted by gamma and added up over a group they give the means, added up over the
// samples they give the parameters' gradients.

NormGradients group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C), G = mean.shape()[1], D = C / G;
  const double m = static_cast<double>(R * D);
  NormGradients d{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  std::vector<double> sum_dy(N * C), sum_dy_x_hat(N * C);
  const Scalar* g = gamma.data();

  kernels::parallel_for(N, [&](std::size_t n) {
    const Scalar *up = dy.data() + n * R * C, *in = x.data() + n * R * C;
    Scalar* dx = d.dx.data() + n * R * C;
    std::vector<Scalar> by_channel(4 * C);  // each channel's group: mean, rstd, <dx̂>, <dx̂·x̂>
    Scalar *mu = by_channel.data(), *r = mu + C, *m1 = r + C, *m2 = m1 + C;
    for (std::size_t c = 0; c < C; ++c) {
      mu[c] = mean.data()[n * G + c / D];
      r[c] = rstd.data()[n * G + c / D];
    }
    double *s1 = sum_dy.data() + n * C, *s2 = sum_dy_x_hat.data() + n * C;
    column_sums(0, R, C, s1, [=](std::size_t i, std::size_t) { return up[i]; });
    column_sums(0, R, C, s2, [=](std::size_t i, std::size_t c) { return up[i] * ((in[i] - mu[c]) * r[c]); });
    for (std::size_t k = 0; k < G; ++k) {
      double sum_dx_hat = 0, sum_dx_hat_x_hat = 0;
      for (std::size_t c = k * D; c < (k + 1) * D; ++c) {
        sum_dx_hat += static_cast<double>(g[c]) * s1[c];
        sum_dx_hat_x_hat += static_cast<double>(g[c]) * s2[c];
      }
      std::fill(m1 + k * D, m1 + (k + 1) * D, static_cast<Scalar>(sum_dx_hat / m));
      std::fill(m2 + k * D, m2 + (k + 1) * D, static_cast<Scalar>(sum_dx_hat_x_hat / m));
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

Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups, double eps) {
  const std::size_t C = channels_of("group_norm", x);
  require(groups >= 1 && C % groups == 0, "group_norm: {} channels are not divisible into {} groups, x is {}", C,
          groups, to_string(x.shape()));
  const auto [g, b] = norm_arguments("group_norm", x, gamma, beta, {C});
  if (DerivedGradients::current()) return group_norm_composed(x, g, b, groups, eps);
  NormForward f = group_norm_forward(x.value(), g.value(), b.value(), groups, eps);
  return record_analytic(
      "group_norm", std::move(f.y), {x, g, b},
      [groups, eps](const Variables& v) { return group_norm_composed(v[0], v[1], v[2], groups, eps); },
      [mean = std::move(f.mean), rstd = std::move(f.rstd)](const Tensor& dy, const Arguments& a) {
        NormGradients d = group_norm_backward(dy, a[0], mean, rstd, a[1]);
        return analytic_gradients(std::move(d.dx), std::move(d.dgamma), std::move(d.dbeta));
      });
}

GroupNorm::GroupNorm(std::size_t groups, std::size_t channels, const NormOptions& options)
    : groups_(groups),
      channels_(channels),
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones({channels})) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros({channels})) : Variable()) {
  require(groups >= 1 && channels % groups == 0, "group_norm: {} channels are not divisible into {} groups", channels,
          groups);
}

Variable GroupNorm::forward(const Variable& x) {
  require<ShapeError>(channels_of("group_norm", x) == channels_, "group_norm: expected {} channels, x is {}", channels_,
                      to_string(x.shape()));
  return group_norm(x, gamma_, beta_, groups_, options_.eps);
}

}  // namespace xtg::nn
