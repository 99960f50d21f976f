#pragma once

#include "../tensor/random.hpp"

namespace xtg::nn {

/// Kaiming-normal, fan-out, for ReLU networks (He et al. 2015, arXiv:1502.01852): weight (O, KH, KW, I) with mean 0 and
/// standard deviation √(2/(KH·KW·O)), which keeps the variance of gradients from layer to layer.
Tensor kaiming_normal_fan_out(const Shape& shape, Generator& generator);

/// Uniform in ±1/√fan_in: PyTorch's default for a linear layer's weight and bias.
Tensor uniform_fan_in(const Shape& shape, std::size_t fan_in, Generator& generator);

}  // namespace xtg::nn
