#pragma once

#include "../tensor/random.hpp"
#include "module.hpp"

namespace xtg::nn {

/// y = x·Wᵀ + b: x (N, I) -> (N, O), weight (O, I), bias (O). Both start uniform in ±1/√I, PyTorch's default. Throws
/// ValueError for I = 0, or a number that is no size.
class Linear : public Module {
 public:
  Linear(std::size_t in, std::size_t out, Generator& generator);
  Variable forward(const Variable& x) override;
  std::size_t multiply_adds(const Shape& output) const override;

 private:
  std::unique_ptr<Module> make_like() const override;

  Variable weight_, bias_;
};

}  // namespace xtg::nn
