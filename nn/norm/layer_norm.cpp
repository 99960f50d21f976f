#include "nn/norm/layer_norm.hpp"

#include <algorithm>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/norm.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

Shape last_sizes(const Shape& shape, std::size_t axes) {
  return Shape(shape.end() - static_cast<std::ptrdiff_t>(axes), shape.end());
}

void require_axes(const Shape& x, std::size_t axes) {
  require(axes >= 1 && axes <= x.size(), "layer_norm: expected 1 to {} axes to normalize over for x {}, got {}",
          x.size(), to_string(x), as_written(axes));
}

/// (H, W, C): what is averaged together, the last `axes` axes of x.
Axes last(const Shape& x, std::size_t axes) {
  require_axes(x, axes);
  Axes set;
  for (std::size_t i = 1; i <= axes; ++i) set.push_back(-static_cast<int>(i));
  return set;
}

/// The shape of gamma and beta: that of the last `axes` axes, or (C) if `given` has one axis.
Shape affine_shape(const Variable& x, const Variable& given, std::size_t axes) {
  const Shape& shape = x.shape();
  require<ShapeError>(!shape.empty() && x.size() > 0, "layer_norm: expected x (…, C) without empty axes, got {}",
                      to_string(shape));
  require_axes(shape, axes);
  return last_sizes(shape, given.defined() && given.shape().size() == 1 ? 1 : axes);
}

}  // namespace

// 1. The definition.

Variable layer_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes,
                             double eps) {
  const Axes set = last(x.shape(), axes);
  const Variable centred = x - mean(x, set, true);             // (N, H, W, C) − (N, 1, 1, 1)
  const Variable variance = mean(square(centred), set, true);  // (N, 1, 1, 1), biased
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * x_hat + beta;
}

// 2. Forward.

NormForward layer_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t axes, double eps) {
  const Axes set = last(x.shape(), axes);
  const Tensor mean = xtg::mean(x, set, true), centred = x - mean;
  const Tensor var = xtg::mean(square(centred), set, true), rstd = rsqrt(var + static_cast<Scalar>(eps));
  return {gamma * (centred * rstd) + beta, mean, var, rstd};
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: the last axes, here (H, W, C),
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_i·dy_i,   <·> the mean over the set.
//
// gamma varies within the set, so it stays inside the means. dgamma = Σ dy·x̂ and dbeta = Σ dy run over all samples, and
// over the places that share a gamma.

NormGradients layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  const Axes set = axes_of_size_1(mean);  // perhaps with others of size 1: averaging over them changes nothing
  const Tensor x_hat = (x - mean) * rstd, dx_hat = gamma * dy;
  const Tensor dx = rstd * (dx_hat - xtg::mean(dx_hat, set, true) - x_hat * xtg::mean(dx_hat * x_hat, set, true));
  return {dx, sum_to(dy * x_hat, gamma.shape()), sum_to(dy, gamma.shape())};
}

// 4. The operation and the layer.

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes, double eps,
                    const Epilogue& epilogue) {
  const Shape affine = affine_shape(x, gamma.defined() ? gamma : beta, axes);
  const Variables inputs = norm_arguments("layer_norm", x, gamma, beta, affine, epilogue);
  require_eps("layer_norm", eps);
  const std::size_t values = count(last_sizes(x.shape(), axes)), parameters = count(affine);
  return operation(
      NormNames{"layer_norm", "layer_norm_relu", "layer_norm_add_relu"}.with(epilogue), inputs,
      [=](const Variables& v) {
        return with_epilogue(layer_norm_composed(v[0], v[1], v[2], axes, eps), {epilogue.relu, v[3]});
      },
      [&] {
        return norm_by_hand(layer_norm_forward(x.value(), inputs[1].value(), inputs[2].value(), axes, eps),
                            layer_norm_backward, epilogue);
      },
      [&] {
        return norm_fused(inputs, {x.size() / values, values / parameters, parameters, 1}, eps, epilogue);
      });
}

LayerNorm::LayerNorm(std::size_t axes, const Shape& affine_shape, const NormOptions& options)
    : axes_(require_size("layer_norm", "axes", axes)),
      affine_shape_(affine_shape),
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones(affine_shape)) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros(affine_shape)) : Variable()) {}

Variable LayerNorm::forward(const Variable& x, const Epilogue& epilogue) {
  const Shape& s = x.shape();
  require<ShapeError>(
      s.size() >= affine_shape_.size() && std::equal(affine_shape_.rbegin(), affine_shape_.rend(), s.rbegin()),
      "layer_norm: expected the last axes of x to be {}, x is {}", to_string(affine_shape_), to_string(s));
  return layer_norm(x, gamma_, beta_, axes_, options_.eps, epilogue);
}

}  // namespace xtg::nn
