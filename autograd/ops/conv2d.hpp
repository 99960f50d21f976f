#pragma once

#include "autograd/variable.hpp"
#include "tensor/conv2d.hpp"

namespace xtg {

/// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) of channels-last images with zero
/// padding: x (N, H, W, I), weight (O, KH, KW, I), bias (O) or undefined -> (N, OH, OW, O) with
/// OH = (H + 2·padding − KH)/stride + 1, rounded down. Throws ShapeError, or ValueError for stride 0.
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride = 1,
                std::size_t padding = 0);

/// The definition: the matrix of patches times the matrix of weights.
Variable conv2d_composed(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride,
                         std::size_t padding);

/// The patches under the kernel as rows: (N, H, W, C) -> (N·OH·OW, KH·KW·C).
Variable unfold(const Variable& x, const Conv2dGeometry& geometry);
/// The transpose of unfold, and its gradient.
Variable fold(const Variable& patches, const Conv2dGeometry& geometry);

}  // namespace xtg
