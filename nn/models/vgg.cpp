#include "nn/models/vgg.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/conv2d.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

/// How many convolutions each stage has.
std::array<std::size_t, 5> convolutions_of(std::size_t depth) {
  if (depth == 11) return {1, 1, 2, 2, 2};
  if (depth == 13) return {2, 2, 2, 2, 2};
  if (depth == 16) return {2, 2, 3, 3, 3};
  throw ValueError(fmt::format("vgg: expected a depth of 11, 13 or 16, got {}", depth));
}

/// relu(norm(conv(x))), n times.
class Stage : public Module {
 public:
  Stage(std::size_t n, std::size_t in, std::size_t out, const VggOptions& options, Generator& generator) {
    const Conv2dOptions conv{1, 1, options.norm == NormKind::None};
    for (std::size_t i = 1; i <= n; ++i, in = out) {
      layers_.push_back(&add_module("conv" + std::to_string(i), std::make_unique<Conv2d>(in, out, 3, conv, generator)));
      norms_.push_back(nullptr);
      auto norm = make_norm(options.norm, out, options.groups);
      if (norm) norms_.back() = &add_module("bn" + std::to_string(i), std::move(norm));
    }
  }

  Variable forward(const Variable& x) override {
    Variable h = x;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      h = norms_[i] != nullptr ? activated(norms_[i], (*layers_[i])(h)) : layers_[i]->activated(h);
    return h;
  }

 private:
  std::vector<Conv2d*> layers_;
  std::vector<Norm*> norms_;
};

}  // namespace

Vgg::Vgg(const VggOptions& options, Generator& generator) : options_(options) {
  const std::array<std::size_t, 5> convolutions = convolutions_of(options.depth);
  require(options.width > 0 && options.classes > 0, "vgg: expected a width and classes of at least 1, got {} and {}",
          options.width, options.classes);
  require_size("vgg", "width", options.width);
  require_size("vgg", "classes", options.classes);
  std::size_t in = 3, out = options.width;
  for (std::size_t i = 0; i < convolutions.size(); ++i) {
    stages_.push_back(&add_module("layer" + std::to_string(i + 1),
                                  std::make_unique<Stage>(convolutions[i], in, out, options, generator)));
    in = out;
    out = std::min(2 * out, 8 * options.width);
  }
  linear_ = &add_module("linear", std::make_unique<Linear>(in, options.classes, generator));
}

Variable Vgg::forward(const Variable& x) {
  Variable h = (*stages_[0])(x);  // (N, H, W, 64)
  for (std::size_t i = 1; i < stages_.size(); ++i) h = (*stages_[i])(max_pool2d(h, 2, 2));
  return (*linear_)(global_avg_pool2d(h));  // (N, H/16, W/16, 512) -> (N, 512) -> (N, classes)
}

std::unique_ptr<Module> Vgg::make_like() const {
  Generator any(0);
  return std::make_unique<Vgg>(options_, any);
}

}  // namespace xtg::nn
