#pragma once

// A network of two bottlenecks around your stem and blocks, for a look at whether they learn.

#include <memory>

#include "autograd/ops/pool2d.hpp"
#include "nn/linear.hpp"
#include "nn/module.hpp"

namespace xtg::assignment {

/// x (N, H, W, 3) -> logits (N, classes): stem to 16 channels, a block that keeps the shape, one that halves height and
/// width to 32 channels, global average pooling, a linear layer.
class SmallNetwork : public nn::Module {
 public:
  SmallNetwork(std::unique_ptr<nn::Module> stem, std::unique_ptr<nn::Module> first, std::unique_ptr<nn::Module> second,
               std::size_t classes, Generator& generator)
      : stem_(add_module("stem", std::move(stem))),
        first_(add_module("block1", std::move(first))),
        second_(add_module("block2", std::move(second))),
        linear_(add_module("linear", std::make_unique<nn::Linear>(32, classes, generator))) {}

  Variable forward(const Variable& x) override { return linear_(global_avg_pool2d(second_(first_(stem_(x))))); }

 private:
  nn::Module &stem_, &first_, &second_;
  nn::Linear& linear_;
};

}  // namespace xtg::assignment
