#pragma once

// Group norm by transposing each set into a row; the backward without the tape's help but with sums; norms by
// functions.
#include <cmath>
#include <map>

#include "assignment/batch_norm.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/conv2d.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/create.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

inline Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                           double eps) {
  const Shape s = x.shape();
  const std::size_t D = s[3] / groups;
  const Variable split = transpose(reshape(x, Shape{s[0], s[1], s[2], groups, D}), {0, 3, 1, 2, 4});
  const Variable rows = reshape(split, Shape{s[0] * groups, s[1] * s[2] * D});
  const Variable mu = mean(rows, {-1}, true);
  const Variable var = mean((rows - mu) * (rows - mu), {-1}, true);
  const Variable hat = (rows - mu) / sqrt(var + static_cast<Scalar>(eps));
  const Variable back = transpose(reshape(hat, Shape{s[0], groups, s[1], s[2], D}), {0, 2, 3, 1, 4});
  return reshape(back, s) * gamma + beta;
}

inline BatchNormGradients group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& gamma,
                                              std::size_t groups, double eps) {
  const std::size_t N = x.shape()[0], C = x.shape()[3], R = x.size() / N / C, D = C / groups;
  BatchNormGradients g{zeros_like(x), zeros({C}), zeros({C})};
  for (std::size_t n = 0; n < N; ++n)
    for (std::size_t k = 0; k < groups; ++k) {
      const auto each = [&](auto&& visit) {
        for (std::size_t r = 0; r < R; ++r)
          for (std::size_t c = k * D; c < (k + 1) * D; ++c) visit((n * R + r) * C + c, c);
      };
      const double m = static_cast<double>(R * D);
      double mu = 0, var = 0, sum = 0, sum_hat = 0;
      each([&](std::size_t i, std::size_t) { mu += x.data()[i] / m; });
      each([&](std::size_t i, std::size_t) { var += (x.data()[i] - mu) * (x.data()[i] - mu) / m; });
      const double r = 1 / std::sqrt(var + eps);
      each([&](std::size_t i, std::size_t c) {
        const double hat = (x.data()[i] - mu) * r;
        g.dgamma(c) += dy.data()[i] * hat;
        g.dbeta(c) += dy.data()[i];
        sum += gamma(c) * dy.data()[i];
        sum_hat += gamma(c) * dy.data()[i] * hat;
      });
      each([&](std::size_t i, std::size_t c) {
        const double hat = (x.data()[i] - mu) * r;
        g.dx.data()[i] = r / m * (m * gamma(c) * dy.data()[i] - sum - hat * sum_hat);
      });
    }
  return g;
}

/// Layer norm and instance norm are group norms.
inline std::unique_ptr<nn::Module> choose_norm(nn::NormKind kind, std::size_t channels, std::size_t groups) {
  if (kind == nn::NormKind::None) return {};
  if (kind == nn::NormKind::Batch) return std::make_unique<nn::BatchNorm>(channels);
  if (kind == nn::NormKind::Layer) groups = 1;
  if (kind == nn::NormKind::Instance) groups = channels;
  return std::make_unique<nn::GroupNorm>(groups, channels);
}

class Bottleneck : public nn::Module {
 public:
  Bottleneck(std::size_t in, std::size_t width, std::size_t stride, nn::NormKind kind, std::size_t groups,
             Generator& generator)
      : projects_(stride > 1 || in != 4 * width) {
    const auto add = [&](const std::string& conv, const std::string& norm, std::size_t from, std::size_t to,
                         nn::Conv2dOptions options, std::size_t kernel) {
      options.bias = false;
      layers_[norm] = &add_module(norm, choose_norm(kind, to, groups));
      layers_[conv] = &add_module(conv, std::make_unique<nn::Conv2d>(from, to, kernel, options, generator));
    };
    if (projects_) add("shortcut_conv", "shortcut_norm", in, width * 4, {stride, 0}, 1);
    add("conv3", "norm3", width, width * 4, {}, 1);
    add("conv2", "norm2", width, width, {stride, 1}, 3);
    add("conv1", "norm1", in, width, {}, 1);
  }

  Variable forward(const Variable& x) override {
    const auto run = [&](const char* conv, const char* norm, const Variable& h) {
      return layers_.at(norm)->operator()(layers_.at(conv)->operator()(h));
    };
    const Variable side = projects_ ? run("shortcut_conv", "shortcut_norm", x) : x;
    return relu(side + run("conv3", "norm3", relu(run("conv2", "norm2", relu(run("conv1", "norm1", x))))));
  }

 private:
  bool projects_;
  std::map<std::string, nn::Module*> layers_;
};

class Stem : public nn::Module {
 public:
  Stem(std::size_t channels, nn::NormKind kind, std::size_t groups, Generator& generator) {
    norm_ = &add_module("norm", choose_norm(kind, channels, groups));
    const nn::Conv2dOptions options{2, 3, false};
    conv_ = &add_module("conv", std::make_unique<nn::Conv2d>(3, channels, 7, options, generator));
  }
  // relu and max-pooling commute.
  Variable forward(const Variable& x) override { return relu(max_pool2d((*norm_)((*conv_)(x)), 3, 2, 1)); }

 private:
  nn::Module *norm_, *conv_;
};

}  // namespace student
