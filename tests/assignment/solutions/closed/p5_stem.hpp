#pragma once

// One member for each module, the linear layer made first, the mean over places as a reduction.
#include "assignment/stages.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/linear.hpp"

namespace student {

using namespace xtg;
using assignment::Stage;

class ResNet18 : public nn::Module {
 public:
  ResNet18(std::size_t w, std::size_t classes, nn::NormKind kind, std::size_t groups, Generator& random)
      : linear_(add_module("linear", std::make_unique<nn::Linear>(8 * w, classes, random))),
        layer4_(add_module("layer4", std::make_unique<Stage>(4 * w, 8 * w, 2, kind, groups, random))),
        layer3_(add_module("layer3", std::make_unique<Stage>(2 * w, 4 * w, 2, kind, groups, random))),
        layer2_(add_module("layer2", std::make_unique<Stage>(w, 2 * w, 2, kind, groups, random))),
        layer1_(add_module("layer1", std::make_unique<Stage>(w, w, 1, kind, groups, random))),
        norm_(add_module("norm1", nn::make_norm(kind, w, groups))),
        conv_(add_module("conv1", std::make_unique<nn::Conv2d>(3, w, 3, nn::Conv2dOptions{1, 1, false}, random))) {}

  Variable forward(const Variable& x) override {
    const Variable stem = relu(norm_(conv_(x)));
    return linear_(mean(layer4_(layer3_(layer2_(layer1_(stem)))), {1, 2}));
  }

 private:
  nn::Linear& linear_;
  Stage &layer4_, &layer3_, &layer2_, &layer1_;
  nn::Module &norm_, &conv_;
};

}  // namespace student
