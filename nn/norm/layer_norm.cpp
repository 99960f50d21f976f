#include "nn/norm/layer_norm.hpp"

#include <algorithm>
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

Variable layer_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes,
                             double eps) {
  Axes last;
  for (std::size_t i = 1; i <= axes; ++i) last.push_back(-static_cast<int>(i));
  const Variable centred = x - mean(x, last, true);             // (N, …, K) − (N, 1), K the normalized axes
  const Variable variance = mean(square(centred), last, true);  // (N, 1), biased
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

// 2. Forward. A sample is a matrix of R rows and P columns, P the number of gammas: R = 1 where each value has its own.

namespace {

template <class Finish>
NormForward forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t axes, double eps,
                    const Finish& finish) {
  const Shape samples(x.shape().begin(), x.shape().end() - static_cast<std::ptrdiff_t>(axes));
  const std::size_t N = count(samples), K = x.size() / N, P = gamma.size(), R = K / P;
  const WideMatrix matrix(R, P);  // of one sample; c below is a column: a gamma, several times over
  NormForward f{Tensor(x.shape()), Tensor(samples), Tensor(samples)};
  const auto gammas = matrix.repeated(gamma.data()), betas = matrix.repeated(beta.data());
  const Scalar *in = x.data(), *g = gammas.data(), *b = betas.data();
  Scalar* y = f.y.data();

  kernels::parallel_ranges(N, samples_per_piece(K), [&](std::size_t begin, std::size_t end) {
    std::vector<Moments> columns(P);
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t first = n * matrix.rows, last = first + matrix.rows;
      column_moments(in, first, last, matrix, columns.data());
      const Moments all = kernels::of_equal(columns.data(), P);
      const Scalar mu = static_cast<Scalar>(all.mean),
                   r = static_cast<Scalar>(1 / std::sqrt(all.squares / all.count + eps));
      for_each_element(first, last, matrix.columns, [=](std::size_t i, std::size_t c) {
        const Scalar x_hat = (in[i] - mu) * r;
        y[i] = finish(g[c] * x_hat + b[c], i);
      });
      f.mean.data()[n] = mu;
      f.rstd.data()[n] = r;
    }
  });
  return f;
}

}  // namespace

NormForward layer_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t axes, double eps) {
  return forward(x, gamma, beta, axes, eps, KeepNorm{});
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: the K values of one sample,
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_p(i)·dy_i,   <·> the mean over the sample, (H, W, C).
//
// gamma varies within the set, so it stays inside the means. dgamma_p = Σ dy·x̂ and dbeta_p = Σ dy run over all samples
// (and over the R places that share a gamma).

namespace {

template <class Upstream>
NormGradients backward(Upstream d_i, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma) {
  const std::size_t N = mean.size(), K = x.size() / N, P = gamma.size(), R = K / P;
  const WideMatrix matrix(R, P);
  NormGradients d{Tensor(x.shape()), Tensor(gamma.shape()), Tensor(gamma.shape())};
  const std::size_t piece = samples_per_piece(K), pieces = (N + piece - 1) / piece;
  std::vector<double> sum_dy(pieces * P, 0.0), sum_dy_x_hat(pieces * P, 0.0);
  const auto gammas = matrix.repeated(gamma.data());
  const Scalar *in = x.data(), *g = gammas.data();
  Scalar* dx = d.dx.data();
  d_i.widen(matrix);

  kernels::parallel_ranges(N, piece, [&](std::size_t begin, std::size_t end) {
    double *dbeta = sum_dy.data() + begin / piece * P, *dgamma = sum_dy_x_hat.data() + begin / piece * P;
    std::vector<double> s1(matrix.columns), s2(matrix.columns);
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t first = n * matrix.rows, last = first + matrix.rows;
      const Scalar mu = mean.data()[n], r = rstd.data()[n];
      kernels::column_sums<Scalar>(first, last, matrix.columns, s1.data(), s2.data(),
                                   [&](std::size_t i, std::size_t c, Scalar& sum, Scalar& sum_x_hat) {
                                     const Scalar x_hat = (in[i] - mu) * r, up = d_i.first(i, c, x_hat);
                                     sum += up;
                                     sum_x_hat += up * x_hat;
                                   });
      matrix.fold(s1.data());
      matrix.fold(s2.data());
      double sum_dx_hat = 0, sum_dx_hat_x_hat = 0;
      for (std::size_t p = 0; p < P; ++p) {
        sum_dx_hat += static_cast<double>(g[p]) * s1[p];
        sum_dx_hat_x_hat += static_cast<double>(g[p]) * s2[p];
        dbeta[p] += s1[p];
        dgamma[p] += s2[p];
      }
      const Scalar m1 = static_cast<Scalar>(sum_dx_hat / static_cast<double>(K));
      const Scalar m2 = static_cast<Scalar>(sum_dx_hat_x_hat / static_cast<double>(K));
      for_each_element(first, last, matrix.columns, [=, &d_i](std::size_t i, std::size_t c) {
        const Scalar x_hat = (in[i] - mu) * r, dx_hat = g[c] * d_i.again(i, c, x_hat);
        dx[i] = r * (dx_hat - m1 - x_hat * m2);
      });
    }
  });
  add_over_samples(sum_dy, d.dbeta);
  add_over_samples(sum_dy_x_hat, d.dgamma);
  return d;
}

}  // namespace

NormGradients layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  return backward(OfNorm{dy.data()}, x, mean, rstd, gamma);
}

// 4. The operation and the layer.

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes, double eps,
                    const NormTail& tail) {
  const Shape& shape = x.shape();
  require<ShapeError>(!shape.empty() && x.size() > 0, "layer_norm: expected x (…, C) without empty axes, got {}",
                      to_string(shape));
  require(axes >= 1 && axes <= shape.size(), "layer_norm: expected 1 to {} axes to normalize over for x {}, got {}",
          shape.size(), to_string(shape), axes);
  const Shape normalized(shape.end() - static_cast<std::ptrdiff_t>(axes), shape.end());
  const Variable& given = gamma.defined() ? gamma : beta;
  const bool by_channel = given.defined() && given.shape().size() == 1;
  const auto affine = norm_arguments("layer_norm", x, gamma, beta, by_channel ? Shape{shape.back()} : normalized);
  const Variable &g = affine.first, &b = affine.second;  // not [g, b]: clang 14 captures no structured bindings
  require_tail("layer_norm", x, tail);
  const auto composed = [axes, eps](const Variables& v) { return layer_norm_composed(v[0], v[1], v[2], axes, eps); };
  if (DerivedGradients::current()) return with_tail(composed({x, g, b}), tail.relu, tail.residual);
  return record_norm(
      {"layer_norm", "layer_norm_relu", "layer_norm_add_relu"}, x, g, b, tail,
      [&](auto finish) { return forward(x.value(), g.value(), b.value(), axes, eps, finish); }, composed,
      [](auto upstream, const auto&... saved) { return backward(std::move(upstream), saved...); },
      [](const NormForward&) {});
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

Variable LayerNorm::forward(const Variable& x, const NormTail& tail) {
  const Shape& s = x.shape();
  require<ShapeError>(
      s.size() >= affine_shape_.size() && std::equal(affine_shape_.rbegin(), affine_shape_.rend(), s.rbegin()),
      "layer_norm: expected the last axes of x to be {}, x is {}", to_string(affine_shape_), to_string(s));
  return layer_norm(x, gamma_, beta_, axes_, options_.eps, tail);
}

}  // namespace xtg::nn
