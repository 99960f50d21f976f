#pragma once

#include "assignment/batch_norm.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/conv2d.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

inline Shape grouped_shape(const Shape& s, std::size_t groups) { return {s[0], s[1] * s[2], groups, s[3] / groups}; }

inline Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                           double eps) {
  const Variable grouped = reshape(x, grouped_shape(x.shape(), groups));
  const Variable centred = grouped - mean(grouped, {1, 3}, true);
  const Variable variance = mean(square(centred), {1, 3}, true);
  const Variable x_hat = centred * rsqrt(variance + Scalar(eps));
  return gamma * reshape(x_hat, x.shape()) + beta;
}

inline BatchNormGradients group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& gamma,
                                              std::size_t groups, double eps) {
  const Shape shape = grouped_shape(x.shape(), groups);
  const auto over_set = [](const Tensor& t) { return mean(t, {1, 3}, true); };
  const Tensor grouped = reshape(x, shape);
  const Tensor centred = grouped - over_set(grouped);
  const Tensor rstd = rsqrt(over_set(square(centred)) + Scalar(eps));
  const Tensor x_hat = centred * rstd;
  const Tensor d = reshape(gamma * dy, shape);
  const Tensor by_mean = over_set(d), by_variance = x_hat * over_set(d * x_hat);
  const Tensor dx = rstd * (d - by_mean - by_variance);
  return {reshape(dx, x.shape()), sum(dy * reshape(x_hat, x.shape()), {0, 1, 2}), sum(dy, {0, 1, 2})};
}

inline std::unique_ptr<nn::Module> choose_norm(nn::NormKind kind, std::size_t channels, std::size_t groups) {
  switch (kind) {
    case nn::NormKind::Batch:
      return std::make_unique<nn::BatchNorm>(channels);
    case nn::NormKind::Layer:
      return std::make_unique<nn::LayerNorm>(channels, 3);
    case nn::NormKind::Instance:
      return std::make_unique<nn::InstanceNorm>(channels);
    case nn::NormKind::Group:
      return std::make_unique<nn::GroupNorm>(groups, channels);
    case nn::NormKind::None:
      break;
  }
  return nullptr;
}

class Bottleneck : public nn::Module {
 public:
  Bottleneck(std::size_t in, std::size_t width, std::size_t stride, nn::NormKind kind, std::size_t groups,
             Generator& generator) {
    const auto conv = [&](const char* name, std::size_t from, std::size_t to, std::size_t kernel, std::size_t step) {
      const nn::Conv2dOptions options{step, kernel / 2, false};
      return &add_module(name, std::make_unique<nn::Conv2d>(from, to, kernel, options, generator));
    };
    const auto norm = [&](const char* name, std::size_t channels) {
      return &add_module(name, choose_norm(kind, channels, groups));
    };
    conv1_ = conv("conv1", in, width, 1, 1);
    norm1_ = norm("norm1", width);
    conv2_ = conv("conv2", width, width, 3, stride);
    norm2_ = norm("norm2", width);
    conv3_ = conv("conv3", width, 4 * width, 1, 1);
    norm3_ = norm("norm3", 4 * width);
    if (stride == 1 && in == 4 * width) return;
    shortcut_conv_ = conv("shortcut_conv", in, 4 * width, 1, stride);
    shortcut_norm_ = norm("shortcut_norm", 4 * width);
  }

  Variable forward(const Variable& x) override {
    Variable h = relu((*norm1_)((*conv1_)(x)));
    h = relu((*norm2_)((*conv2_)(h)));
    h = (*norm3_)((*conv3_)(h));
    const Variable shortcut = shortcut_conv_ == nullptr ? x : (*shortcut_norm_)((*shortcut_conv_)(x));
    return relu(h + shortcut);
  }

 private:
  nn::Module *conv1_, *norm1_, *conv2_, *norm2_, *conv3_, *norm3_;
  nn::Module *shortcut_conv_ = nullptr, *shortcut_norm_ = nullptr;
};

class Stem : public nn::Module {
 public:
  Stem(std::size_t channels, nn::NormKind kind, std::size_t groups, Generator& generator)
      : conv_(add_module("conv",
                         std::make_unique<nn::Conv2d>(3, channels, 7, nn::Conv2dOptions{2, 3, false}, generator))),
        norm_(add_module("norm", choose_norm(kind, channels, groups))) {}

  Variable forward(const Variable& x) override { return max_pool2d(relu(norm_(conv_(x))), 3, 2, 1); }

 private:
  nn::Module &conv_, &norm_;
};

}  // namespace student
