#include "nn/norm/layer_norm.hpp"

#include <algorithm>
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

Variable layer_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes,
                             double eps) {
  Axes last;
  for (std::size_t i = 1; i <= axes; ++i) last.push_back(-static_cast<int>(i));
  const Variable centred = x - mean(x, last, true);             // (N, …, K) − (N, 1), K the normalized axes
  const Variable variance = mean(square(centred), last, true);  // (N, 1), biased
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

namespace {

/// Samples that one thread takes at a time.
std::size_t samples_per_piece(std::size_t values) { return std::max<std::size_t>(1, kernels::kGrain / values); }

double total(const std::vector<double>& sums) {
  double t = 0;
  for (const double s : sums) t += s;
  return t;
}

}  // namespace

// 2. Forward. A sample is a matrix of R rows and P columns, P the number of gammas: R = 1 where each value has its own.

NormForward layer_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t axes, double eps) {
  const Shape samples(x.shape().begin(), x.shape().end() - static_cast<std::ptrdiff_t>(axes));
  const std::size_t N = count(samples), K = x.size() / N, P = gamma.size(), R = K / P;
  NormForward f{Tensor(x.shape()), Tensor(samples), Tensor(samples)};
  const Scalar *g = gamma.data(), *b = beta.data();

  kernels::parallel_ranges(N, samples_per_piece(K), [&](std::size_t first, std::size_t last) {
    std::vector<double> sums(P);
    for (std::size_t n = first; n < last; ++n) {
      const Scalar* in = x.data() + n * K;
      Scalar* y = f.y.data() + n * K;
      column_sums(0, R, P, sums.data(), [=](std::size_t i, std::size_t) { return static_cast<double>(in[i]); });
      const Scalar mu = static_cast<Scalar>(total(sums) / static_cast<double>(K));
      column_sums(0, R, P, sums.data(), [=](std::size_t i, std::size_t) { return (in[i] - mu) * (in[i] - mu); });
      const Scalar r = static_cast<Scalar>(1 / std::sqrt(total(sums) / static_cast<double>(K) + eps));
      for_each_element(0, R, P, [=](std::size_t i, std::size_t p) { y[i] = g[p] * ((in[i] - mu) * r) + b[p]; });
      f.mean.data()[n] = mu;
      f.rstd.data()[n] = r;
    }
  });
  return f;
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: the K values of one sample,
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_p(i)·dy_i,   <·> the mean over the sample, (H, W, C).
//
// gamma varies within the set, so it stays inside the means. dgamma_p = Σ dy·x̂ and dbeta_p = Σ dy run over all samples
// (and over the R places that share a gamma).

NormGradients layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  const std::size_t N = mean.size(), K = x.size() / N, P = gamma.size(), R = K / P;
  NormGradients d{Tensor(x.shape()), Tensor(gamma.shape()), Tensor(gamma.shape())};
  const std::size_t piece = samples_per_piece(K), pieces = (N + piece - 1) / piece;
  std::vector<double> sum_dy(pieces * P, 0.0), sum_dy_x_hat(pieces * P, 0.0);
  const Scalar* g = gamma.data();

  kernels::parallel_ranges(N, piece, [&](std::size_t first, std::size_t last) {
    double *dbeta = sum_dy.data() + first / piece * P, *dgamma = sum_dy_x_hat.data() + first / piece * P;
    std::vector<double> s1(P), s2(P);
    for (std::size_t n = first; n < last; ++n) {
      const Scalar *up = dy.data() + n * K, *in = x.data() + n * K;
      const Scalar mu = mean.data()[n], r = rstd.data()[n];
      Scalar* dx = d.dx.data() + n * K;
      column_sums(0, R, P, s1.data(), [=](std::size_t i, std::size_t) { return up[i]; });
      column_sums(0, R, P, s2.data(), [=](std::size_t i, std::size_t) { return up[i] * ((in[i] - mu) * r); });
      double sum_dx_hat = 0, sum_dx_hat_x_hat = 0;
      for (std::size_t p = 0; p < P; ++p) {
        sum_dx_hat += static_cast<double>(g[p]) * s1[p];
        sum_dx_hat_x_hat += static_cast<double>(g[p]) * s2[p];
        dbeta[p] += s1[p];
        dgamma[p] += s2[p];
      }
      const Scalar m1 = static_cast<Scalar>(sum_dx_hat / static_cast<double>(K));
      const Scalar m2 = static_cast<Scalar>(sum_dx_hat_x_hat / static_cast<double>(K));
      for_each_element(0, R, P, [=](std::size_t i, std::size_t p) {
        const Scalar x_hat = (in[i] - mu) * r, dx_hat = g[p] * up[i];
        dx[i] = r * (dx_hat - m1 - x_hat * m2);
      });
    }
  });
  add_over_samples(sum_dy, d.dbeta);
  add_over_samples(sum_dy_x_hat, d.dgamma);
  return d;
}

// 4. The operation and the layer.

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes, double eps) {
  const Shape& shape = x.shape();
  require<ShapeError>(!shape.empty() && x.size() > 0, "layer_norm: expected x (…, C) without empty axes, got {}",
                      to_string(shape));
  require(axes >= 1 && axes <= shape.size(), "layer_norm: expected 1 to {} axes to normalize over for x {}, got {}",
          shape.size(), to_string(shape), axes);
  const Shape normalized(shape.end() - static_cast<std::ptrdiff_t>(axes), shape.end());
  const Variable& given = gamma.defined() ? gamma : beta;
  const bool by_channel = given.defined() && given.shape().size() == 1;
  const auto [g, b] = norm_arguments("layer_norm", x, gamma, beta, by_channel ? Shape{shape.back()} : normalized);
  if (DerivedGradients::current()) return layer_norm_composed(x, g, b, axes, eps);
  NormForward f = layer_norm_forward(x.value(), g.value(), b.value(), axes, eps);
  return record_analytic(
      "layer_norm", std::move(f.y), {x, g, b},
      [axes, eps](const Variables& v) { return layer_norm_composed(v[0], v[1], v[2], axes, eps); },
      [mean = std::move(f.mean), rstd = std::move(f.rstd)](const Tensor& dy, const Arguments& a) {
        NormGradients d = layer_norm_backward(dy, a[0], mean, rstd, a[1]);
        return analytic_gradients(std::move(d.dx), std::move(d.dgamma), std::move(d.dbeta));
      });
}

LayerNorm::LayerNorm(const Shape& normalized_shape, const NormOptions& options)
    : axes_(normalized_shape.size()),
      affine_shape_(normalized_shape),
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones(affine_shape_)) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros(affine_shape_)) : Variable()) {}

LayerNorm::LayerNorm(std::size_t channels, std::size_t axes, const NormOptions& options)
    : axes_(axes),
      affine_shape_{channels},
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones(affine_shape_)) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros(affine_shape_)) : Variable()) {}

Variable LayerNorm::forward(const Variable& x) {
  const Shape& s = x.shape();
  require<ShapeError>(
      s.size() >= affine_shape_.size() && std::equal(affine_shape_.rbegin(), affine_shape_.rend(), s.rbegin()),
      "layer_norm: expected the last axes of x to be {}, x is {}", to_string(affine_shape_), to_string(s));
  return layer_norm(x, gamma_, beta_, axes_, options_.eps);
}

}  // namespace xtg::nn
