#pragma once

#include "../tensor/random.hpp"
#include "module.hpp"

namespace xtg::nn {

struct Conv2dOptions {
  std::size_t stride = 1, padding = 0;
  bool bias = true;
  std::size_t dilation = 1, groups = 1;
};

/// A convolution layer: x (N, H, W, I) -> (N, OH, OW, O), weight (O, K, K, I/groups), bias (O) or none. The weight
/// starts Kaiming-normal with fan-out, standard deviation √(2/(K·K·O)) whatever the groups, as PyTorch's; the bias
/// starts at 0 (PyTorch: uniform). Throws ValueError unless groups divides I and O, and for a number that is no size.
class Conv2d : public Module {
 public:
  Conv2d(std::size_t in, std::size_t out, std::size_t kernel, const Conv2dOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;
  /// relu of the layer's result, in one operation; as separate ones if forward hooks are to see the layer's own.
  Variable activated(const Variable& x);
  std::size_t multiply_adds(const Shape& output) const override;

 private:
  std::unique_ptr<Module> make_like() const override;

  Variable weight_, bias_;
  Conv2dOptions options_;
};

}  // namespace xtg::nn
