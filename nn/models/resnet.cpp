#include "nn/models/resnet.hpp"

#include <algorithm>
#include <array>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/shaping.hpp"

namespace xtg::nn {
namespace {

constexpr std::array<std::size_t, 6> kDepths = {8, 20, 32, 44, 56, 110};

/// A 3×3 convolution that keeps the image's size (at stride 1), with a bias only where no norm follows.
std::unique_ptr<Conv2d> conv3x3(std::size_t in, std::size_t out, std::size_t stride, const ResNetOptions& options,
                                Generator& generator) {
  return std::make_unique<Conv2d>(in, out, 3, Conv2dOptions{stride, 1, options.norm == NormKind::None}, generator);
}

/// Option A of the paper: every `stride`-th row and column, and zeros for the new channels, evenly on both sides.
Variable shortcut(const Variable& x, std::size_t out, std::size_t stride) {
  const std::size_t in = x.shape()[3];
  if (stride == 1 && in == out) return x;
  const Variable subsampled = slice(x, {{}, {0, -1, stride}, {0, -1, stride}, {}});
  const std::size_t before = (out - in) / 2;
  return pad(subsampled, {0, 0, 0, before}, {0, 0, 0, out - in - before});
}

/// y = relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x)).
class BasicBlock : public Module {
 public:
  BasicBlock(std::size_t in, std::size_t out, std::size_t stride, const ResNetOptions& options, Generator& generator)
      : out_(out), stride_(stride), conv1_(add_module("conv1", conv3x3(in, out, stride, options, generator))) {
    norm1_ = add_norm("bn1", options);
    conv2_ = &add_module("conv2", conv3x3(out, out, 1, options, generator));
    norm2_ = add_norm("bn2", options);
  }

  Variable forward(const Variable& x) override {
    const Variable h = relu(normalized(norm1_, conv1_(x)));
    return relu(normalized(norm2_, (*conv2_)(h)) + shortcut(x, out_, stride_));
  }

 private:
  Module* add_norm(const std::string& name, const ResNetOptions& options) {
    auto norm = make_norm(options.norm, out_, options.groups);
    return norm ? &add_module(name, std::move(norm)) : nullptr;
  }
  static Variable normalized(Module* norm, const Variable& x) { return norm ? (*norm)(x) : x; }

  std::size_t out_, stride_;
  Conv2d& conv1_;
  Module* norm1_;
  Conv2d* conv2_;
  Module* norm2_;
};

/// The blocks of one stage under the names 0, 1, …; the first one may change size and channels.
class Stage : public Module {
 public:
  Stage(std::size_t n, std::size_t in, std::size_t out, std::size_t stride, const ResNetOptions& options,
        Generator& generator) {
    for (std::size_t i = 0; i < n; ++i)
      blocks_.push_back(
          &add_module(std::to_string(i),
                      std::make_unique<BasicBlock>(i == 0 ? in : out, out, i == 0 ? stride : 1, options, generator)));
  }

  Variable forward(const Variable& x) override {
    Variable h = x;
    for (BasicBlock* block : blocks_) h = (*block)(h);
    return h;
  }

 private:
  std::vector<BasicBlock*> blocks_;
};

}  // namespace

CifarResNet::CifarResNet(const ResNetOptions& options, Generator& generator)
    : options_(options), conv1_(add_module("conv1", conv3x3(3, options.width, 1, options, generator))) {
  require(options.depth >= 8 && options.depth % 6 == 2, "resnet: expected a depth of 6n + 2 with n ≥ 1, got {}",
          options.depth);
  const std::size_t n = (options.depth - 2) / 6, w = options.width;
  auto norm = make_norm(options.norm, w, options.groups);
  norm1_ = norm ? &add_module("bn1", std::move(norm)) : nullptr;
  stages_ = {&add_module("layer1", std::make_unique<Stage>(n, w, w, 1, options, generator)),
             &add_module("layer2", std::make_unique<Stage>(n, w, 2 * w, 2, options, generator)),
             &add_module("layer3", std::make_unique<Stage>(n, 2 * w, 4 * w, 2, options, generator))};
  linear_ = &add_module("linear", std::make_unique<Linear>(4 * w, options.classes, generator));
}

Variable CifarResNet::forward(const Variable& x) {
  Variable h = conv1_(x);  // (N, H, W, 16)
  if (norm1_ != nullptr) h = (*norm1_)(h);
  h = relu(h);
  for (Module* stage : stages_) h = (*stage)(h);  // (N, H/4, W/4, 64)
  return (*linear_)(global_avg_pool2d(h));        // (N, 64) -> (N, classes)
}

std::unique_ptr<Module> CifarResNet::make_like() const {
  Generator any(0);
  return std::make_unique<CifarResNet>(options_, any);
}

std::size_t parse_resnet(const std::string& name) {
  for (const std::size_t depth : kDepths)
    if (name == "resnet" + std::to_string(depth)) return depth;
  throw ValueError(
      fmt::format("unknown architecture '{}', expected one of resnet{}", name, fmt::join(kDepths, ", resnet")));
}

}  // namespace xtg::nn
