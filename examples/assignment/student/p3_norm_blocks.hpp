#pragma once

// Part 3: four norms, and where they stand in a residual network. 20 points.
// Grade it with: tools/assignment grade . --part 3
//
// In scope is all of the library: operations on Variables (autograd/ops/), layers (nn/). Channels are the last axis.

#include <memory>

#include "assignment/batch_norm.hpp"
#include "assignment/not_implemented.hpp"
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
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

// BLOCK 3.1. Group norm by your own hand, without nn/norm/.

/// x (N, H, W, C), gamma (C), beta (C) -> y of x's shape. For each image, the channels are cut into `groups` runs of
/// neighbours; each run is normalized over all its values (H·W·C/groups of them) with the biased variance and eps
/// inside the root; then gamma and beta scale and shift each channel. Of Variables: the tape derives the gradient.
inline Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                           double eps) {
  // TODO P3: group_norm.
  (void)x, (void)gamma, (void)beta, (void)groups, (void)eps;
  throw NotImplemented("P3: group_norm");
}

/// The same backwards on plain arrays, by your own formula: dy (N, H, W, C) -> dx, dgamma (C), dbeta (C). It is the
/// formula of part 2 over another set of values; mind where gamma stands.
inline BatchNormGradients group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& gamma,
                                              std::size_t groups, double eps) {
  // TODO P3: group_norm_backward.
  (void)dy, (void)x, (void)gamma, (void)groups, (void)eps;
  throw NotImplemented("P3: group_norm_backward");
}

// BLOCK 3.2. One place that chooses the norm. From here on use the library's layers.

/// The norm of this kind for images with so many channels, with gamma and beta of shape (C); null for None. Layer norm
/// is over (H, W, C). `groups` is for group norm only. (nn::make_norm does the same: write your own.)
inline std::unique_ptr<nn::Module> choose_norm(nn::NormKind kind, std::size_t channels, std::size_t groups) {
  // TODO P3: choose_norm.
  (void)kind, (void)channels, (void)groups;
  throw NotImplemented("P3: choose_norm");
}

// BLOCK 3.3. The bottleneck of a ResNet-50, with its norms.

/// x (N, H, W, in) -> (N, H/stride, W/stride, 4·width): y = relu(branch(x) + shortcut(x)).
///   branch: 1×1 convolution to width channels, norm, relu; 3×3 convolution with `stride` and padding 1, norm, relu;
///           1×1 convolution to 4·width channels, norm.
///   shortcut: x itself if the branch keeps its shape; otherwise (stride ≠ 1 or in ≠ 4·width) a 1×1 convolution with
///           `stride` to 4·width channels, and a norm.
/// A convolution before a norm has no bias. The grader copies weights by name, so the modules must be called
///   conv1, norm1, conv2, norm2, conv3, norm3, shortcut_conv, shortcut_norm
/// in add_module("conv1", std::make_unique<nn::Conv2d>(…)); the last two only where they are needed. `kind` is one of
/// the four norms here, never None.
class Bottleneck : public nn::Module {
 public:
  Bottleneck(std::size_t in, std::size_t width, std::size_t stride, nn::NormKind kind, std::size_t groups,
             Generator& generator) {
    // TODO P3: make the modules; keep pointers or references to them as members.
    (void)in, (void)width, (void)stride, (void)kind, (void)groups, (void)generator;
    throw NotImplemented("P3: Bottleneck");
  }

  Variable forward(const Variable& x) override {
    // TODO P3: the formula above. Call modules like functions: (*conv1_)(x).
    return x;
  }
};

// BLOCK 3.4. The stem.

/// The stem that ResNets for ImageNet begin with: x (N, H, W, 3) -> (N, H/4, W/4, channels): 7×7 convolution with
/// stride 2 and padding 3 and without bias, the norm that was asked for (in many a program batch norm stays here
/// whatever is chosen), relu, 3×3 max_pool2d with stride 2 and padding 1. Names: conv, norm.
class Stem : public nn::Module {
 public:
  Stem(std::size_t channels, nn::NormKind kind, std::size_t groups, Generator& generator) {
    // TODO P3: the stem's modules.
    (void)channels, (void)kind, (void)groups, (void)generator;
    throw NotImplemented("P3: Stem");
  }

  Variable forward(const Variable& x) override {
    // TODO P3
    return x;
  }
};

}  // namespace student
