#include "nn/norm/group_norm.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/norm/arguments.hpp"
#include "nn/norm/fused.hpp"
#include "tensor/kernels/columns.hpp"

namespace xtg::nn {

using kernels::for_each_element;
using kernels::Moments;
using kernels::WideMatrix;

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

// 2. Forward. A sample is a matrix of R rows (places) and C columns; its channels' moments are combined by groups.

namespace {

template <class Finish>
NormForward forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t groups, double eps,
                    const Finish& finish) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C), G = groups, D = C / G;
  const WideMatrix matrix(R, C);  // of one sample; c below is a column: a channel, several times over
  NormForward f{Tensor(x.shape()), Tensor(Shape{N, G}), Tensor(Shape{N, G})};
  const auto gammas = matrix.repeated(gamma.data()), betas = matrix.repeated(beta.data());
  const Scalar *in = x.data(), *g = gammas.data(), *b = betas.data();
  Scalar* y = f.y.data();

  kernels::parallel_ranges(N, samples_per_piece(R * C), [&](std::size_t begin, std::size_t end) {
    std::vector<Moments> channels(C);
    std::vector<Scalar> mean(C), rstd(C), mu(matrix.columns), r(matrix.columns);  // of a channel's group, of a column's
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t first = n * matrix.rows, last = first + matrix.rows;
      column_moments(in, first, last, matrix, channels.data());
      for (std::size_t k = 0; k < G; ++k) {
        const Moments group = kernels::of_equal(channels.data() + k * D, D);
        f.mean.data()[n * G + k] = static_cast<Scalar>(group.mean);
        f.rstd.data()[n * G + k] = static_cast<Scalar>(1 / std::sqrt(group.squares / group.count + eps));
        std::fill_n(mean.data() + k * D, D, f.mean.data()[n * G + k]);
        std::fill_n(rstd.data() + k * D, D, f.rstd.data()[n * G + k]);
      }
      matrix.repeat(mean.data(), mu.data());
      matrix.repeat(rstd.data(), r.data());
      for_each_element(first, last, matrix.columns, [=, mu = mu.data(), r = r.data()](std::size_t i, std::size_t c) {
        const Scalar x_hat = (in[i] - mu[c]) * r[c];
        y[i] = finish(g[c] * x_hat + b[c], i);
      });
    }
  });
  return f;
}

}  // namespace

NormForward group_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t groups,
                               double eps) {
  return forward(x, gamma, beta, groups, eps, KeepNorm{});
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

namespace {

template <class Upstream>
NormGradients backward(Upstream d_i, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma) {
  const std::size_t N = x.shape()[0], C = gamma.size(), R = x.size() / (N * C), G = mean.shape()[1], D = C / G;
  const WideMatrix matrix(R, C);
  const double m = static_cast<double>(R * D);  // values per statistic
  NormGradients d{Tensor(x.shape()), Tensor(Shape{C}), Tensor(Shape{C})};
  std::vector<double> sum_dy(N * C), sum_dy_x_hat(N * C);
  const auto gammas = matrix.repeated(gamma.data());
  const Scalar *in = x.data(), *g = gammas.data();
  Scalar* dx = d.dx.data();
  d_i.widen(matrix);

  kernels::parallel_ranges(N, samples_per_piece(R * C), [&](std::size_t begin, std::size_t end) {
    std::vector<Scalar> by_channel(4 * C), by_column(4 * matrix.columns);  // of its group: mean, rstd, <dx̂>, <dx̂·x̂>
    std::vector<double> sums(2 * matrix.columns);
    Scalar *mu = by_column.data(), *r = mu + matrix.columns, *m1 = r + matrix.columns, *m2 = m1 + matrix.columns;
    double *s1 = sums.data(), *s2 = s1 + matrix.columns;
    const auto spread = [&](std::size_t which, std::size_t k, Scalar value) {
      std::fill_n(by_channel.data() + which * C + k * D, D, value);
    };
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t first = n * matrix.rows, last = first + matrix.rows;
      for (std::size_t k = 0; k < G; ++k) {
        spread(0, k, mean.data()[n * G + k]);
        spread(1, k, rstd.data()[n * G + k]);
      }
      matrix.repeat(by_channel.data(), mu);
      matrix.repeat(by_channel.data() + C, r);
      kernels::column_sums<Scalar>(first, last, matrix.columns, s1, s2,
                                   [=, &d_i](std::size_t i, std::size_t c, Scalar& sum, Scalar& sum_x_hat) {
                                     const Scalar x_hat = (in[i] - mu[c]) * r[c], up = d_i.first(i, c, x_hat);
                                     sum += up;
                                     sum_x_hat += up * x_hat;
                                   });
      matrix.fold(s1);
      matrix.fold(s2);
      std::copy_n(s1, C, sum_dy.data() + n * C);
      std::copy_n(s2, C, sum_dy_x_hat.data() + n * C);
      for (std::size_t k = 0; k < G; ++k) {
        double sum_dx_hat = 0, sum_dx_hat_x_hat = 0;
        for (std::size_t c = k * D; c < (k + 1) * D; ++c) {
          sum_dx_hat += static_cast<double>(g[c]) * s1[c];
          sum_dx_hat_x_hat += static_cast<double>(g[c]) * s2[c];
        }
        spread(2, k, static_cast<Scalar>(sum_dx_hat / m));
        spread(3, k, static_cast<Scalar>(sum_dx_hat_x_hat / m));
      }
      matrix.repeat(by_channel.data() + 2 * C, m1);
      matrix.repeat(by_channel.data() + 3 * C, m2);
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

NormGradients group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  return backward(OfNorm{dy.data()}, x, mean, rstd, gamma);
}

// 4. The operation and the layer.

Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups, double eps,
                    const NormTail& tail) {
  const std::size_t C = channels_of("group_norm", x);
  require(groups >= 1 && C % groups == 0, "group_norm: {} channels are not divisible into {} groups, x is {}", C,
          groups, to_string(x.shape()));
  const auto affine = norm_arguments("group_norm", x, gamma, beta, {C});
  const Variable &g = affine.first, &b = affine.second;  // not [g, b]: clang 14 captures no structured bindings
  require_tail("group_norm", x, tail);
  const auto composed = [groups, eps](const Variables& v) {
    return group_norm_composed(v[0], v[1], v[2], groups, eps);
  };
  if (DerivedGradients::current()) return with_tail(composed({x, g, b}), tail.relu, tail.residual);
  return record_norm(
      {"group_norm", "group_norm_relu", "group_norm_add_relu"}, x, g, b, tail,
      [&](auto finish) { return forward(x.value(), g.value(), b.value(), groups, eps, finish); }, composed,
      [](auto upstream, const auto&... saved) { return backward(std::move(upstream), saved...); },
      [](const NormForward&) {});
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

Variable GroupNorm::forward(const Variable& x, const NormTail& tail) {
  require<ShapeError>(channels_of("group_norm", x) == channels_, "group_norm: expected {} channels, x is {}", channels_,
                      to_string(x.shape()));
  return group_norm(x, gamma_, beta_, groups_, options_.eps, tail);
}

}  // namespace xtg::nn
