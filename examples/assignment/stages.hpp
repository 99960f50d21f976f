#pragma once

// The stages of a ResNet-18, given for parts 4 and 5.

#include <memory>
#include <string>
#include <vector>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "nn/conv2d.hpp"
#include "nn/module.hpp"
#include "nn/norm/make_norm.hpp"

namespace xtg::assignment {

/// y = relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x)), 3×3 convolutions; x (N, H, W, in) ->
/// (N, H/stride, W/stride, out). The shortcut is a 1×1 convolution and a norm where the shape changes, else x.
class BasicBlock : public nn::Module {
 public:
  BasicBlock(std::size_t in, std::size_t out, std::size_t stride, nn::NormKind kind, std::size_t groups,
             Generator& generator) {
    const auto add_norm = [&](const char* name) { return &add_module(name, nn::make_norm(kind, out, groups)); };
    const auto add_conv = [&](const char* name, std::size_t from, std::size_t kernel, std::size_t step) {
      const nn::Conv2dOptions options{step, kernel / 2, false};
      return &add_module(name, std::make_unique<nn::Conv2d>(from, out, kernel, options, generator));
    };
    conv1_ = add_conv("conv1", in, 3, stride);
    norm1_ = add_norm("norm1");
    conv2_ = add_conv("conv2", out, 3, 1);
    norm2_ = add_norm("norm2");
    if (stride == 1 && in == out) return;
    shortcut_conv_ = add_conv("shortcut_conv", in, 1, stride);
    shortcut_norm_ = add_norm("shortcut_norm");
  }

  Variable forward(const Variable& x) override {
    const Variable h = relu((*norm1_)((*conv1_)(x)));
    const Variable shortcut = shortcut_conv_ == nullptr ? x : (*shortcut_norm_)((*shortcut_conv_)(x));
    return relu((*norm2_)((*conv2_)(h)) + shortcut);
  }

 private:
  nn::Module *conv1_, *norm1_, *conv2_, *norm2_, *shortcut_conv_ = nullptr, *shortcut_norm_ = nullptr;
};

/// Two basic blocks, the first of which may change size and channels. `kind` is one of the four norms.
class Stage : public nn::Module {
 public:
  Stage(std::size_t in, std::size_t out, std::size_t stride, nn::NormKind kind, std::size_t groups,
        Generator& generator)
      : first_(add_module("0", std::make_unique<BasicBlock>(in, out, stride, kind, groups, generator))),
        second_(add_module("1", std::make_unique<BasicBlock>(out, out, 1, kind, groups, generator))) {}

  Variable forward(const Variable& x) override { return second_(first_(x)); }

 private:
  BasicBlock &first_, &second_;
};

}  // namespace xtg::assignment
