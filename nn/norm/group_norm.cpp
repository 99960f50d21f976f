#include "nn/norm/group_norm.hpp"

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/norm.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace xtg::nn {
namespace {

/// (N, R, G, C/G) for x (N, …, C): samples, places (positions in the image), groups, channels of a group.
Shape grouped(const Shape& x, std::size_t groups) {
  const std::size_t C = channels_of("group_norm", x), N = x[0], R = count(x) / (N * C);
  require_size("group_norm", "groups", groups);
  require(groups >= 1 && C % groups == 0, "group_norm: {} channels are not divisible into {} groups, x is {}", C,
          groups, to_string(x));
  return {N, R, groups, C / groups};
}

const Axes kSet = {1, 3};  // averaged together: all places and channels of a group

}  // namespace

// 1. The definition.

Variable group_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                             double eps) {
  const Variable z = reshape(x, grouped(x.shape(), groups));
  const Variable centred = z - mean(z, kSet, true);             // (N, R, G, C/G) − (N, 1, G, 1)
  const Variable variance = mean(square(centred), kSet, true);  // (N, 1, G, 1), biased
  const Variable x_hat = centred * rsqrt(variance + static_cast<Scalar>(eps));
  return gamma * reshape(x_hat, x.shape()) + beta;
}

// 2. Forward.

NormForward group_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t groups,
                               double eps) {
  const Tensor z = reshape(x, grouped(x.shape(), groups));
  const Tensor mean = xtg::mean(z, kSet, true), centred = z - mean;
  const Tensor var = xtg::mean(square(centred), kSet, true), rstd = rsqrt(var + static_cast<Scalar>(eps));
  return {gamma * reshape(centred * rstd, x.shape()) + beta, mean, var, rstd};
}

// 3. Backward. The derivation is batch norm's (batch_norm.cpp) with another set: the values of one sample in one group
// of channels,
//
//   dx_i = r · ( dx̂_i − <dx̂> − x̂_i·<dx̂·x̂> ),   dx̂_i = gamma_c(i)·dy_i,   <·> the mean over the set.
//
// c(i) is the channel of x_i. gamma varies within the set, so it stays inside the means. dgamma_c = Σ dy·x̂ and dbeta_c
// = Σ dy run over all samples and places of channel c, not over the set: all samples share gamma_c.

NormGradients group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma) {
  require<ShapeError>(mean.dimension() == 4, "group_norm: expected statistics (N, 1, G, 1), got {}",
                      to_string(mean.shape()));
  const Shape view = grouped(x.shape(), mean.shape()[2]);
  const Tensor x_hat = (reshape(x, view) - mean) * rstd, dx_hat = reshape(gamma * dy, view);
  const Tensor dx = rstd * (dx_hat - xtg::mean(dx_hat, kSet, true) - x_hat * xtg::mean(dx_hat * x_hat, kSet, true));
  return {reshape(dx, x.shape()), sum_to(dy * reshape(x_hat, x.shape()), gamma.shape()), sum_to(dy, gamma.shape())};
}

// 4. The operation and the layer.

Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups, double eps,
                    const Epilogue& epilogue) {
  const Shape view = grouped(x.shape(), groups);
  const std::size_t N = view[0], R = view[1], C = x.shape().back();
  require_eps("group_norm", eps);
  const Variables inputs = norm_arguments("group_norm", x, gamma, beta, {C}, epilogue);
  return operation(
      NormNames{"group_norm", "group_norm_relu", "group_norm_add_relu"}.with(epilogue), inputs,
      [=](const Variables& v) {
        return with_epilogue(group_norm_composed(v[0], v[1], v[2], groups, eps), {epilogue.relu, v[3]});
      },
      [&] {
        return norm_by_hand(group_norm_forward(x.value(), inputs[1].value(), inputs[2].value(), groups, eps),
                            group_norm_backward, epilogue);
      },
      [&] {
        return norm_fused(inputs, {N, R, C, groups}, eps, epilogue);
      });
}

GroupNorm::GroupNorm(std::size_t groups, std::size_t channels, const NormOptions& options)
    : groups_(require_size("group_norm", "groups", groups)),
      channels_(require_size("group_norm", "channels", channels)),
      options_(options),
      gamma_(options.affine ? add_parameter("weight", ones({channels})) : Variable()),
      beta_(options.affine ? add_parameter("bias", zeros({channels})) : Variable()) {
  require(groups >= 1 && channels % groups == 0, "group_norm: {} channels are not divisible into {} groups", channels,
          groups);
}

Variable GroupNorm::forward(const Variable& x, const Epilogue& epilogue) {
  require<ShapeError>(channels_of("group_norm", x.shape()) == channels_, "group_norm: expected {} channels, x is {}",
                      channels_, to_string(x.shape()));
  return group_norm(x, gamma_, beta_, groups_, options_.eps, epilogue);
}

}  // namespace xtg::nn
