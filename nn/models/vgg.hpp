#pragma once

#include <memory>
#include <vector>

#include "../../tensor/random.hpp"
#include "../linear.hpp"
#include "../module.hpp"
#include "../norm/make_norm.hpp"

namespace xtg::nn {

struct VggOptions {
  std::size_t depth = 16;  // 11, 13 or 16: configurations A, B and D of the paper
  NormKind norm = NormKind::Batch;
  std::size_t groups = 8;  // group norm only; 0: one per channel
  std::size_t classes = 10;
  std::size_t width = 64;  // channels of the first stage
};

/// A network without shortcuts, to compare the residual ones with: the convolutions of Simonyan & Zisserman 2014
/// (arXiv:1409.1556, table 1), all 3×3, each followed by norm and relu, in five stages of 64, 128, 256, 512 and 512
/// channels with 2×2 max-pooling between them; then global average pooling and one linear layer in the place of the
/// paper's last pooling and three. x (N, H, W, 3) with H and W at least 16 -> logits (N, classes). With norm None the
/// convolutions have biases. They are initialized as those of the residual networks (resnet.hpp). Names: layer1.conv1,
/// layer1.bn1, …, layer5.conv3, layer5.bn3, linear.
class Vgg : public Module {
 public:
  /// Throws ValueError for another depth, width or classes 0, or groups that do not divide the channels.
  Vgg(const VggOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;

 private:
  std::unique_ptr<Module> make_like() const override;

  VggOptions options_;
  std::vector<Module*> stages_;
  Linear* linear_;
};

}  // namespace xtg::nn
