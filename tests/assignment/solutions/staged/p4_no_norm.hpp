#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "assignment/not_implemented.hpp"
#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

/// A convolution, and the norm after it if there is one.
class ConvNorm : public nn::Module {
 public:
  ConvNorm(std::size_t in, std::size_t out, std::size_t kernel, std::size_t stride, nn::NormKind kind,
           Generator& generator) {
    const nn::Conv2dOptions options{stride, kernel / 2, kind == nn::NormKind::None};
    conv_ = &add_module("conv", std::make_unique<nn::Conv2d>(in, out, kernel, options, generator));
    if (auto norm = nn::make_norm(kind, out, 4)) norm_ = &add_module("norm", std::move(norm));
  }

  Variable forward(const Variable& x) override {
    const Variable h = (*conv_)(x);
    return norm_ != nullptr ? (*norm_)(h) : h;
  }

 private:
  nn::Module *conv_, *norm_ = nullptr;
};

class Block : public nn::Module {
 public:
  Block(std::size_t in, std::size_t out, std::size_t stride, nn::NormKind kind, Generator& generator) {
    first_ = &add_module("first", std::make_unique<ConvNorm>(in, out, 3, stride, kind, generator));
    second_ = &add_module("second", std::make_unique<ConvNorm>(out, out, 3, 1, kind, generator));
    if (stride != 1 || in != out)
      shortcut_ = &add_module("shortcut", std::make_unique<ConvNorm>(in, out, 1, stride, kind, generator));
  }

  Variable forward(const Variable& x) override {
    const Variable shortcut = shortcut_ != nullptr ? (*shortcut_)(x) : x;
    return relu((*second_)(relu((*first_)(x))) + shortcut);
  }

 private:
  nn::Module *first_, *second_, *shortcut_ = nullptr;
};

class ComparedNetwork : public nn::Module {
 public:
  ComparedNetwork(nn::NormKind kind, std::size_t classes, Generator& generator)
      : stem_(add_module("stem", std::make_unique<ConvNorm>(3, 8, 3, 1, kind, generator))),
        block1_(add_module("block1", std::make_unique<Block>(8, 8, 1, kind, generator))),
        block2_(add_module("block2", std::make_unique<Block>(8, 16, 2, kind, generator))),
        block3_(add_module("block3", std::make_unique<Block>(16, 32, 2, kind, generator))),
        linear_(add_module("linear", std::make_unique<nn::Linear>(32, classes, generator))) {}

  Variable forward(const Variable& x) override {
    return linear_(global_avg_pool2d(block3_(block2_(block1_(relu(stem_(x)))))));
  }

 private:
  ConvNorm& stem_;
  Block &block1_, &block2_, &block3_;
  nn::Linear& linear_;
};

using Vectors = std::vector<Tensor>;

inline Vectors gradient(nn::Module& network, const Tensor& images, const Indices& labels) {
  network.zero_grad();
  cross_entropy(network(Variable(images)), labels).backward();
  Vectors result;
  for (const Variable& parameter : network.parameters()) result.push_back(parameter.grad());
  return result;
}

inline double norm(const Vectors& vectors) {
  double squares = 0;
  for (const Tensor& v : vectors)
    for (const Scalar x : v) squares += x * x;
  return std::sqrt(squares);
}

inline double effective_beta(nn::Module& network, const Tensor& images, const Indices& labels,
                             const std::vector<double>& rates) {
  Variables parameters = network.parameters();
  Vectors start;
  for (const Variable& parameter : parameters) start.push_back(parameter.value());
  const Vectors g = gradient(network, images, labels);
  double largest = 0;
  for (const double rate : rates) {
    for (std::size_t i = 0; i < g.size(); ++i) add_in_place(parameters[i].mutable_value(), -rate, g[i]);
    Vectors change = gradient(network, images, labels);
    for (std::size_t i = 0; i < g.size(); ++i) {
      change[i] = change[i] - g[i];
      parameters[i].mutable_value() = start[i];
    }
    largest = std::max(largest, norm(change) / (rate * norm(g)));
  }
  network.zero_grad();
  return largest;
}

inline double batch_sensitivity(nn::Module& network, const Tensor& images, const Tensor& first, const Tensor& second) {
  const NoGrad off;
  const auto logits = [&](const Tensor& others) {
    const Tensor all = network(Variable(concatenate({images, others}, 0))).value();
    return slice(all, {{0, static_cast<std::ptrdiff_t>(images.shape()[0])}, {}});
  };
  const Tensor a = logits(first), b = logits(second);
  return std::sqrt(mean(square(a - b)).item()) / std::sqrt(mean(square(a)).item());
}

}  // namespace student
