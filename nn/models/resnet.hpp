#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../../tensor/random.hpp"
#include "../conv2d.hpp"
#include "../linear.hpp"
#include "../module.hpp"
#include "../norm/make_norm.hpp"

namespace xtg::nn {

/// How a network begins: with a 3×3 convolution, for images of CIFAR's size; or with ImageNet's 7×7 convolution of
/// stride 2 and 3×3 max-pooling of stride 2, which leave a quarter of the rows and columns.
enum class Stem { Cifar, ImageNet };

/// "cifar" or "imagenet"; throws ValueError that lists them otherwise.
Stem parse_stem(const std::string& name);

/// What a residual network is made of. CifarResNet and ImageNetResNet below fill it in.
struct ResidualPlan {
  std::vector<std::size_t> blocks;  // of each stage; a stage has twice the channels of the one before, at half the size
  std::size_t width = 64;           // channels of the stem and the first stage
  std::size_t classes = 10;
  NormKind norm = NormKind::Batch;
  std::size_t groups = 8;  // group norm only; 0: one per channel
  Stem stem = Stem::Cifar;
  bool bottleneck = false;     // blocks of 1×1, 3×3, 1×1 convolutions, the last to 4 × the width; else of two 3×3
  bool projections = true;     // shortcuts that change the shape: 1×1 convolution and norm; else option A
  bool preactivation = false;  // norm, relu, convolution in this order
  bool zero_init_residual = false;  // gamma of the last norm of each block starts at 0
  bool fixup = false;
};

/// A stem, stages of residual blocks, global average pooling, a linear layer: x (N, H, W, 3) -> logits (N, classes).
/// A block is y = relu(branch(x) + shortcut(x)), the branch convolution, norm, relu, … and without the last relu. The
/// norm choice holds everywhere, the stem and the shortcuts included; with None the convolutions have biases instead
/// and no norm exists. Convolutions are initialized Kaiming-normal with fan-out (He et al. 2015, arXiv:1502.01852).
///
/// preactivation (He et al. 2016, arXiv:1603.05027): a block is y = branch(x) + shortcut(x), each convolution after its
/// norm and relu. A projection has no norm and reads what the first convolution reads. The first block reads the stem's
/// result, which is activated already, and a last norm and relu stand before the pooling.
///
/// fixup (Zhang, Dauphin, Ma 2019, arXiv:1901.09321), for norm None: with L blocks of m convolutions the weights of a
/// branch start times L^(−1/(2m−2)), its last convolution and the linear layer at 0. Instead of biases per channel
/// there is one number, starting at 0, before and after each convolution of a branch, after the stem's and before the
/// linear layer, and one, starting at 1, that multiplies each branch. Its authors train these at a tenth of the rate.
///
/// Names are those of the widely used CIFAR implementation: conv1, bn1, layer1.0.conv1, layer1.0.bn1, …, shortcut.0
/// (convolution) and shortcut.1 (norm) of a block, linear; besides, bn for preactivation's last norm, and Fixup's
/// bias1, bias2, layer1.0.bias1a, bias1b, …, scale.
class ResidualNetwork : public Module {
 public:
  Variable forward(const Variable& x) override;

 protected:
  /// Throws ValueError for width or classes 0, groups that do not divide the channels, fixup with a norm or with
  /// preactivation, zero_init_residual without a norm or with preactivation (a relu would follow that norm, whose
  /// gradient at 0 is 0: the branch could not learn).
  ResidualNetwork(const ResidualPlan& plan, Generator& generator);

 private:
  ResidualPlan plan_;
  Conv2d* conv1_;
  Norm* norm1_ = nullptr;
  std::vector<Module*> stages_;
  Norm* last_norm_ = nullptr;
  Linear* linear_;
  Variable bias1_, bias2_;
};

struct ResNetOptions {
  std::size_t depth = 20;  // 6n + 2: 8, 20, 32, 44, 56, 110
  NormKind norm = NormKind::Batch;
  std::size_t groups = 8;  // group norm only; 0: one per channel
  std::size_t classes = 10;
  std::size_t width = 16;  // channels of the stem and the first stage
  bool zero_init_residual = false;
  bool fixup = false;
};

/// The residual network for 32×32 images of He et al. 2015 (arXiv:1512.03385, section 4.2): a 3×3 convolution, three
/// stages of n blocks with 16, 32 and 64 channels at 32×32, 16×16 and 8×8, global average pooling, a linear layer.
/// Shortcuts are the paper's option A: where a stage begins, every second row and column, and zeros for the new
/// channels, evenly on both sides.
class CifarResNet : public ResidualNetwork {
 public:
  /// Throws ValueError for a depth that is not 6n + 2, and as ResidualNetwork does.
  CifarResNet(const ResNetOptions& options, Generator& generator);

 private:
  std::unique_ptr<Module> make_like() const override;

  ResNetOptions options_;
};

struct ImageNetResNetOptions {
  std::size_t depth = 18;  // 18, 34: blocks of two 3×3 convolutions; 50, 101: bottlenecks
  NormKind norm = NormKind::Batch;
  std::size_t groups = 8;  // group norm only; 0: one per channel
  std::size_t classes = 10;
  std::size_t width = 64;  // channels of the stem and the first stage
  Stem stem = Stem::Cifar;
  bool zero_init_residual = false;
  bool preactivation = false;
  bool fixup = false;
};

/// The residual networks that He et al. 2015 (arXiv:1512.03385, section 4.1) made for ImageNet: four stages of 64, 128,
/// 256 and 512 channels, four times as many after each bottleneck. Where a block changes the shape, its shortcut is a
/// projection (option B). A bottleneck has its stride in the 3×3 convolution, as PyTorch's ("v1.5"), not in the first
/// 1×1 as in the paper. With Stem::Cifar these are the networks of which CIFAR results are published: ResNet-18 with
/// 11,173,962 parameters for 10 classes. The ImageNet stem on 32×32 leaves 1×1 images to the last stage, which instance
/// norm refuses.
class ImageNetResNet : public ResidualNetwork {
 public:
  /// Throws ValueError for another depth, and as ResidualNetwork does.
  ImageNetResNet(const ImageNetResNetOptions& options, Generator& generator);

 private:
  std::unique_ptr<Module> make_like() const override;

  ImageNetResNetOptions options_;
};

/// "resnet8", "resnet20", … -> depth of a CifarResNet; throws ValueError that lists the valid names otherwise.
std::size_t parse_resnet(const std::string& name);

}  // namespace xtg::nn
