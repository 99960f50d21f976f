#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/module.hpp"
#include "nn/norm/norm.hpp"
#include "tensor/random.hpp"

namespace xtg::nn {

struct ResNetOptions {
  std::size_t depth = 20;  // 6n + 2: 8, 20, 32, 44, 56, 110
  NormKind norm = NormKind::Batch;
  std::size_t groups = 8;  // group norm only
  std::size_t classes = 10;
  std::size_t width = 16;  // channels of the stem and the first stage
};

/// The residual network for 32×32 images of He et al. 2015 (arXiv:1512.03385, section 4.2): a 3×3 convolution, three
/// stages of n blocks with 16, 32 and 64 channels at 32×32, 16×16 and 8×8, global average pooling, a linear layer.
/// x (N, H, W, 3) -> logits (N, classes). Shortcuts are the paper's option A: where a stage begins, every second row
/// and column, and zeros for the new channels, evenly on both sides. The norm choice holds everywhere, the stem
/// included; with None the convolutions have biases instead and no norm exists. Convolutions are initialized
/// Kaiming-normal with fan-out (He et al. 2015, arXiv:1502.01852).
class CifarResNet : public Module {
 public:
  /// Throws ValueError for a depth that is not 6n + 2, or groups that do not divide the channels.
  CifarResNet(const ResNetOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;

 private:
  std::unique_ptr<Module> make_like() const override;

  ResNetOptions options_;
  Conv2d& conv1_;
  Module* norm1_;
  std::vector<Module*> stages_;
  Linear* linear_;
};

/// "resnet8", "resnet20", … -> depth; throws ValueError that lists the valid names otherwise.
std::size_t parse_resnet(const std::string& name);

}  // namespace xtg::nn
