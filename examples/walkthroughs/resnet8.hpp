#pragma once

// The smallest of the residual networks, written out, for page 09. The library's is in nn/models/resnet.cpp.

#include <xtgrad.hpp>

using namespace xtg;
using namespace xtg::nn;

// region: block
/// y = relu(branch(x) + shortcut(x)), the branch convolution, norm, relu, convolution, norm.
class Block : public Module {
 public:
  Block(std::size_t in, std::size_t out, std::size_t stride, Generator& g)
      : in_(in),
        out_(out),
        stride_(stride),
        conv1_(add_module("conv1", std::make_unique<Conv2d>(in, out, 3, Conv2dOptions{stride, 1, false}, g))),
        bn1_(add_module("bn1", std::make_unique<BatchNorm>(out))),
        conv2_(add_module("conv2", std::make_unique<Conv2d>(out, out, 3, Conv2dOptions{1, 1, false}, g))),
        bn2_(add_module("bn2", std::make_unique<BatchNorm>(out))) {}

  Variable forward(const Variable& x) override {
    const Variable branch = bn2_(conv2_(relu(bn1_(conv1_(x)))));
    return relu(branch + shortcut(x));
  }

 private:
  /// x itself, or where the shape changes: every second row and column, and zeros for the new channels.
  Variable shortcut(const Variable& x) {
    if (stride_ == 1 && in_ == out_) return x;
    const std::size_t before = (out_ - in_) / 2;
    return pad(slice(x, {{}, {0, -1, stride_}, {0, -1, stride_}, {}}), {0, 0, 0, before},
               {0, 0, 0, out_ - in_ - before});
  }

  std::size_t in_, out_, stride_;
  Conv2d& conv1_;
  BatchNorm& bn1_;
  Conv2d& conv2_;
  BatchNorm& bn2_;
};
// end region

// region: network
class ResNet8 : public Module {
 public:
  explicit ResNet8(Generator& g)
      : conv1_(add_module("conv1", std::make_unique<Conv2d>(3, 16, 3, Conv2dOptions{1, 1, false}, g))),
        bn1_(add_module("bn1", std::make_unique<BatchNorm>(16))),
        block1_(add_module("layer1", std::make_unique<Block>(16, 16, 1, g))),
        block2_(add_module("layer2", std::make_unique<Block>(16, 32, 2, g))),
        block3_(add_module("layer3", std::make_unique<Block>(32, 64, 2, g))),
        linear_(add_module("linear", std::make_unique<Linear>(64, 10, g))) {}

  Variable forward(const Variable& x) override {  // (N, 32, 32, 3)
    Variable h = relu(bn1_(conv1_(x)));           // (N, 32, 32, 16)
    h = block3_(block2_(block1_(h)));             // (N, 8, 8, 64)
    return linear_(global_avg_pool2d(h));         // (N, 64) -> (N, 10)
  }

 private:
  Conv2d& conv1_;
  BatchNorm& bn1_;
  Block &block1_, &block2_, &block3_;
  Linear& linear_;
};
// end region
