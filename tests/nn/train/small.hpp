#pragma once

// A data set and a network that are quick to train on.

#include <memory>

#include "autograd/ops/shaping.hpp"
#include "nn/data/shapes.hpp"
#include "nn/linear.hpp"

namespace xtg::testing {

/// 8×8 pieces of the drawn shapes.
inline nn::Dataset small_images(std::size_t n, bool train) {
  const nn::Dataset whole = nn::make_shapes(n, 3, train);
  nn::Dataset result;
  result.height = result.width = 8;
  result.labels = whole.labels;
  result.class_names = whole.class_names;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t row = 12; row < 20; ++row) {
      const std::uint8_t* pixels = whole.image(i) + (row * 32 + 12) * 3;
      result.images.insert(result.images.end(), pixels, pixels + 8 * 3);
    }
  }
  return result;
}

/// A linear classifier of the pixels.
class Classifier : public nn::Module {
 public:
  explicit Classifier(std::uint64_t seed) {
    Generator generator(seed);
    linear_ = &add_module("linear", std::make_unique<nn::Linear>(8 * 8 * 3, 10, generator));
  }
  Variable forward(const Variable& x) override { return linear_->forward(reshape(x, Shape{x.shape()[0], 8 * 8 * 3})); }
  nn::Linear& linear() { return *linear_; }

 private:
  std::unique_ptr<Module> make_like() const override { return std::make_unique<Classifier>(0); }

  nn::Linear* linear_;
};

}  // namespace xtg::testing
