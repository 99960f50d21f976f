#include "nn/models/resnet.hpp"

#include <array>
#include <cmath>
#include <numeric>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

constexpr std::array<std::size_t, 6> kDepths = {8, 20, 32, 44, 56, 110};

/// A convolution that keeps the image's size (at stride 1), with a bias only where neither norm nor Fixup follows.
std::unique_ptr<Conv2d> make_conv(std::size_t in, std::size_t out, std::size_t kernel, std::size_t stride,
                                  const ResidualPlan& plan, Generator& generator) {
  const bool bias = plan.norm == NormKind::None && !plan.fixup;
  return std::make_unique<Conv2d>(in, out, kernel, Conv2dOptions{stride, kernel / 2, bias}, generator);
}

Variable normalized(Norm* norm, const Variable& x) { return norm != nullptr ? (*norm)(x) : x; }
/// relu(norm(conv(x)) + residual).
Variable layer(Conv2d& conv, Norm* norm, const Variable& x, const Variable& residual = Variable()) {
  if (norm == nullptr && !residual.defined()) return conv.activated(x);
  return activated(norm, conv(x), residual);
}
Variable shifted(const Variable& x, const Variable& bias) { return bias.defined() ? x + bias : x; }
void fill(Variable parameter, Scalar value) { parameter.mutable_value() = full(parameter.shape(), value); }

/// Option A of the paper: every `stride`-th row and column, and zeros for the new channels, evenly on both sides.
Variable subsampled(const Variable& x, std::size_t out, std::size_t stride) {
  const std::size_t in = x.shape()[3];
  if (stride == 1 && in == out) return x;
  const Variable part = slice(x, {{}, {0, -1, stride}, {0, -1, stride}, {}});
  const std::size_t before = (out - in) / 2;
  return pad(part, {0, 0, 0, before}, {0, 0, 0, out - in - before});
}

/// Option B: a 1×1 convolution, and a norm but for preactivation.
class Projection : public Module {
 public:
  Projection(std::size_t in, std::size_t out, std::size_t stride, const ResidualPlan& plan, Generator& generator)
      : conv_(add_module("0", make_conv(in, out, 1, stride, plan, generator))) {
    if (plan.preactivation) return;
    if (auto norm = make_norm(plan.norm, out, plan.groups)) norm_ = &add_module("1", std::move(norm));
  }

  Variable forward(const Variable& x) override { return normalized(norm_, conv_(x)); }

 private:
  Conv2d& conv_;
  Norm* norm_ = nullptr;
};

/// A branch of convolutions and a shortcut.
class Block : public Module {
 public:
  /// `activated`: for preactivation, that the input has been through norm and relu already.
  Block(std::size_t in, std::size_t out, std::size_t stride, bool activated, const ResidualPlan& plan)
      : in_(in), out_(out), stride_(stride), activated_(activated), plan_(plan) {}

  Variable forward(const Variable& x) override { return plan_.preactivation ? norm_first(x) : convolution_first(x); }

 protected:
  void add_layer(std::size_t in, std::size_t out, std::size_t kernel, std::size_t stride, Generator& generator) {
    Layer layer;
    const std::string number = std::to_string(layers_.size() + 1);
    const auto add_norm = [&](std::size_t channels) {
      auto norm = make_norm(plan_.norm, channels, plan_.groups);
      if (norm) layer.norm = &add_module("bn" + number, std::move(norm));
    };
    if (plan_.preactivation && !(activated_ && layers_.empty())) add_norm(in);
    layer.conv = &add_module("conv" + number, make_conv(in, out, kernel, stride, plan_, generator));
    if (!plan_.preactivation) add_norm(out);
    layers_.push_back(layer);
  }

  void add_shortcut(Generator& generator) {
    if (plan_.projections && (stride_ != 1 || in_ != out_))
      projection_ = &add_module("shortcut", std::make_unique<Projection>(in_, out_, stride_, plan_, generator));
    if (plan_.zero_init_residual) fill(layers_.back().norm->own_parameters()[0].second, 0);  // gamma
    if (plan_.fixup) add_fixup();
  }

 private:
  struct Layer {
    Conv2d* conv = nullptr;
    Norm* norm = nullptr;
    Variable before, scale, after;  // Fixup's, around the convolution; only the last one has a scale
  };

  void add_fixup() {
    const double blocks = std::accumulate(plan_.blocks.begin(), plan_.blocks.end(), 0.0);
    const double factor = std::pow(blocks, -1 / (2 * static_cast<double>(layers_.size()) - 2));
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const std::string bias = "bias" + std::to_string(i + 1);
      layers_[i].before = add_parameter(bias + "a", zeros({1}));
      layers_[i].after = add_parameter(bias + "b", zeros({1}));
      Variable weight = layers_[i].conv->own_parameters()[0].second;
      multiply_in_place(weight.mutable_value(), static_cast<Scalar>(factor));
    }
    layers_.back().scale = add_parameter("scale", ones({1}));
    fill(layers_.back().conv->own_parameters()[0].second, 0);
  }

  /// relu(scale·conv(x + before) + after + residual); the first convolution's input is shifted already.
  Variable fixup_layer(const Layer& layer, const Variable& x, const Variable& residual) {
    Variable h = (*layer.conv)(&layer == &layers_.front() ? x : shifted(x, layer.before));
    if (layer.scale.defined()) h = h * layer.scale;
    return activated(nullptr, shifted(h, layer.after), residual);
  }

  /// relu(norm(conv(… relu(norm(conv(x))))) + shortcut(x)).
  Variable convolution_first(const Variable& x) {
    Variable h = shifted(x, layers_.front().before);
    const Variable shortcut = skip(x, h);
    for (const Layer& layer : layers_) {
      const Variable residual = &layer == &layers_.back() ? shortcut : Variable();
      h = plan_.fixup ? fixup_layer(layer, h, residual) : xtg::nn::layer(*layer.conv, layer.norm, h, residual);
    }
    return h;
  }

  /// conv(relu(norm(… conv(relu(norm(x)))))) + shortcut(x).
  Variable norm_first(const Variable& x) {
    Variable h = activated_ ? x : activated(layers_.front().norm, x);
    const Variable shortcut = skip(x, h);
    for (const Layer& layer : layers_) {
      if (&layer != &layers_.front()) h = activated(layer.norm, h);
      h = (*layer.conv)(h);
    }
    return h + shortcut;
  }

  /// A projection reads what the first convolution reads.
  Variable skip(const Variable& x, const Variable& input) {
    return projection_ != nullptr ? (*projection_)(input) : subsampled(x, out_, stride_);
  }

  std::size_t in_, out_, stride_;
  bool activated_;
  ResidualPlan plan_;
  std::vector<Layer> layers_;
  Module* projection_ = nullptr;
};

class BasicBlock : public Block {
 public:
  BasicBlock(std::size_t in, std::size_t width, std::size_t stride, bool activated, const ResidualPlan& plan,
             Generator& generator)
      : Block(in, width, stride, activated, plan) {
    add_layer(in, width, 3, stride, generator);
    add_layer(width, width, 3, 1, generator);
    add_shortcut(generator);
  }
};

class Bottleneck : public Block {
 public:
  Bottleneck(std::size_t in, std::size_t width, std::size_t stride, bool activated, const ResidualPlan& plan,
             Generator& generator)
      : Block(in, 4 * width, stride, activated, plan) {
    add_layer(in, width, 1, 1, generator);
    add_layer(width, width, 3, stride, generator);
    add_layer(width, 4 * width, 1, 1, generator);
    add_shortcut(generator);
  }
};

/// The blocks of one stage under the names 0, 1, …; the first one may change size and channels.
class Stage : public Module {
 public:
  Stage(std::size_t n, std::size_t in, std::size_t width, bool first, const ResidualPlan& plan, Generator& generator) {
    add_block(in, width, first ? 1 : 2, first, plan, generator);
    for (std::size_t i = 1; i < n; ++i)
      add_block(plan.bottleneck ? 4 * width : width, width, 1, false, plan, generator);
  }

  Variable forward(const Variable& x) override {
    Variable h = x;
    for (Module* block : blocks_) h = (*block)(h);
    return h;
  }

 private:
  void add_block(std::size_t in, std::size_t width, std::size_t stride, bool activated, const ResidualPlan& plan,
                 Generator& generator) {
    std::unique_ptr<Module> block;
    if (plan.bottleneck)
      block = std::make_unique<Bottleneck>(in, width, stride, activated, plan, generator);
    else
      block = std::make_unique<BasicBlock>(in, width, stride, activated, plan, generator);
    blocks_.push_back(&add_module(std::to_string(blocks_.size()), std::move(block)));
  }

  std::vector<Module*> blocks_;
};

void require_consistent(const ResidualPlan& plan) {
  require(plan.width > 0 && plan.classes > 0, "resnet: expected a width and classes of at least 1, got {} and {}",
          plan.width, plan.classes);
  require_size("resnet", "width", plan.width);
  require_size("resnet", "classes", plan.classes);
  require(!plan.fixup || plan.norm == NormKind::None, "resnet: fixup takes the place of norms, expected none, got {}",
          to_string(plan.norm));
  require(!plan.fixup || !plan.preactivation, "resnet: fixup is for blocks without preactivation");
  require(!plan.zero_init_residual || plan.norm != NormKind::None,
          "resnet: zero_init_residual is about the last norm of each block, got norm none");
  require(!plan.zero_init_residual || !plan.preactivation,
          "resnet: zero_init_residual is for blocks without preactivation: its gradients would stay 0");
}

/// What the options of both families have.
template <class Options>
ResidualPlan common_plan(const Options& options) {
  ResidualPlan plan;
  plan.width = options.width;
  plan.classes = options.classes;
  plan.norm = options.norm;
  plan.groups = options.groups;
  plan.zero_init_residual = options.zero_init_residual;
  plan.fixup = options.fixup;
  return plan;
}

ResidualPlan plan_of(const ResNetOptions& options) {
  require(options.depth >= 8 && options.depth % 6 == 2, "resnet: expected a depth of 6n + 2 with n ≥ 1, got {}",
          options.depth);
  ResidualPlan plan = common_plan(options);
  plan.blocks.assign(3, (options.depth - 2) / 6);
  plan.projections = false;
  return plan;
}

/// The paper's table 1.
std::vector<std::size_t> blocks_of(std::size_t depth) {
  if (depth == 18) return {2, 2, 2, 2};
  if (depth == 34 || depth == 50) return {3, 4, 6, 3};
  if (depth == 101) return {3, 4, 23, 3};
  throw ValueError(fmt::format("resnet: expected a depth of 18, 34, 50 or 101, got {}", depth));
}

ResidualPlan plan_of(const ImageNetResNetOptions& options) {
  ResidualPlan plan = common_plan(options);
  plan.blocks = blocks_of(options.depth);
  plan.stem = options.stem;
  plan.bottleneck = options.depth >= 50;
  plan.preactivation = options.preactivation;
  return plan;
}

}  // namespace

Stem parse_stem(const std::string& name) {
  if (name == "cifar") return Stem::Cifar;
  if (name == "imagenet") return Stem::ImageNet;
  throw ValueError(fmt::format("unknown stem '{}', expected one of cifar, imagenet", excerpt(name)));
}

ResidualNetwork::ResidualNetwork(const ResidualPlan& plan, Generator& generator) : plan_(plan) {
  require_consistent(plan);
  const bool imagenet = plan.stem == Stem::ImageNet;
  conv1_ = &add_module("conv1", make_conv(3, plan.width, imagenet ? 7 : 3, imagenet ? 2 : 1, plan, generator));
  if (auto norm = make_norm(plan.norm, plan.width, plan.groups)) norm1_ = &add_module("bn1", std::move(norm));
  std::size_t channels = plan.width, width = plan.width;
  for (std::size_t i = 0; i < plan.blocks.size(); ++i, width *= 2) {
    stages_.push_back(&add_module("layer" + std::to_string(i + 1),
                                  std::make_unique<Stage>(plan.blocks[i], channels, width, i == 0, plan, generator)));
    channels = plan.bottleneck ? 4 * width : width;
  }
  if (plan.preactivation)
    if (auto norm = make_norm(plan.norm, channels, plan.groups)) last_norm_ = &add_module("bn", std::move(norm));
  linear_ = &add_module("linear", std::make_unique<Linear>(channels, plan.classes, generator));
  if (plan.fixup) {
    for (const Variable& parameter : linear_->parameters()) fill(parameter, 0);
    bias1_ = add_parameter("bias1", zeros({1}));
    bias2_ = add_parameter("bias2", zeros({1}));
  }
}

Variable ResidualNetwork::forward(const Variable& x) {
  Variable h = bias1_.defined() ? relu(shifted((*conv1_)(x), bias1_)) : layer(*conv1_, norm1_, x);
  // CIFAR's: (N, H, W, width)
  if (plan_.stem == Stem::ImageNet) h = max_pool2d(h, 3, 2, 1);  // (N, H/4, W/4, width)
  for (Module* stage : stages_) h = (*stage)(h);                 // half the height and width from the second on
  if (plan_.preactivation) h = activated(last_norm_, h);
  return (*linear_)(shifted(global_avg_pool2d(h), bias2_));  // (N, channels) -> (N, classes)
}

CifarResNet::CifarResNet(const ResNetOptions& options, Generator& generator)
    : ResidualNetwork(plan_of(options), generator), options_(options) {}

std::unique_ptr<Module> CifarResNet::make_like() const {
  Generator any(0);
  return std::make_unique<CifarResNet>(options_, any);
}

ImageNetResNet::ImageNetResNet(const ImageNetResNetOptions& options, Generator& generator)
    : ResidualNetwork(plan_of(options), generator), options_(options) {}

std::unique_ptr<Module> ImageNetResNet::make_like() const {
  Generator any(0);
  return std::make_unique<ImageNetResNet>(options_, any);
}

std::size_t parse_resnet(const std::string& name) {
  for (const std::size_t depth : kDepths)
    if (name == "resnet" + std::to_string(depth)) return depth;
  throw ValueError(fmt::format("unknown architecture '{}', expected one of resnet{}", excerpt(name),
                               fmt::join(kDepths, ", resnet")));
}

}  // namespace xtg::nn
