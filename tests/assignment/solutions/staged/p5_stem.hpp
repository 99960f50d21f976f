#pragma once

#include "assignment/stages.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/linear.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

class ResNet18 : public nn::Module {
 public:
  ResNet18(std::size_t width, std::size_t classes, nn::NormKind kind, std::size_t groups, Generator& generator) {
    const nn::Conv2dOptions options{1, 1, false};
    conv1_ = &add_module("conv1", std::make_unique<nn::Conv2d>(3, width, 3, options, generator));
    norm1_ = &add_module("norm1", nn::make_norm(kind, width, groups));
    std::size_t in = width, out = width;
    for (int i = 1; i <= 4; ++i) {
      const std::size_t stride = i == 1 ? 1 : 2;
      stages_.push_back(
          &add_module("layer" + std::to_string(i), std::make_unique<Stage>(in, out, stride, kind, groups, generator)));
      in = out;
      out *= 2;
    }
    linear_ = &add_module("linear", std::make_unique<nn::Linear>(in, classes, generator));
  }

  Variable forward(const Variable& x) override {
    Variable h = relu((*norm1_)((*conv1_)(x)));
    for (nn::Module* stage : stages_) h = (*stage)(h);
    return (*linear_)(global_avg_pool2d(h));
  }

 private:
  nn::Module *conv1_, *norm1_, *linear_;
  std::vector<nn::Module*> stages_;
};

}  // namespace student
