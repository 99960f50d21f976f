#pragma once

// Part 5: a ResNet-18 for images of 32×32 pixels. 20 points.
// Grade it with: tools/assignment grade . --part 5
//
// A ResNet for ImageNet divides height and width by 4 in its stem (part 3), and by 8 in its stages. Of 32×32 pixels
// that leaves one. The networks that CIFAR results are published of begin otherwise: change the stem so that the stages
// see 32×32, 16×16, 8×8 and 4×4.

#include <memory>

#include "assignment/not_implemented.hpp"
#include "assignment/stages.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/norm/make_norm.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

/// x (N, 32, 32, 3) -> logits (N, classes). The modules and their names:
///   conv1, norm1     the stem, followed by relu: a 3×3 convolution to `width` channels that keeps 32×32, without bias,
///                    and the norm (nn::make_norm(kind, width, groups)); no pooling
///   layer1 … layer4  Stage(in, out, stride, kind, groups, generator) of assignment/stages.hpp, with width, 2·width,
///                    4·width and 8·width channels; the first keeps the size, each of the others halves it
///   linear           after global_avg_pool2d: 8·width -> classes
class ResNet18 : public nn::Module {
 public:
  ResNet18(std::size_t width, std::size_t classes, nn::NormKind kind, std::size_t groups, Generator& generator) {
    // TODO P5: the modules.
    (void)width, (void)classes, (void)kind, (void)groups, (void)generator;
    throw NotImplemented("P5: ResNet18");
  }

  Variable forward(const Variable& x) override {
    // TODO P5
    return x;
  }
};

}  // namespace student
