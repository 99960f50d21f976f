#pragma once

#include "../../tensor/conv2d.hpp"
#include "../variable.hpp"

namespace xtg {

/// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) of channels-last images with zero
/// padding: x (N, H, W, I), weight (O, KH, KW, I/groups), bias (O) or undefined -> (N, OH, OW, O) with
/// OH = (H + 2·padding − dilation·(KH − 1) − 1)/stride + 1, rounded down. With groups the channels are cut into that
/// many runs, and each run of output channels sees its run of input channels alone.
/// With `relu_follows` it is relu(conv2d(…)) as one operation: relu in place, and one pass over memory for its
/// gradient and that of the bias.
/// Throws ShapeError, or ValueError for stride, dilation or groups 0, or groups that do not divide I and O.
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride = 1,
                std::size_t padding = 0, std::size_t dilation = 1, std::size_t groups = 1, bool relu_follows = false);

/// The definition: the matrix of patches times the matrix of weights, for each group.
Variable conv2d_composed(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride,
                         std::size_t padding, std::size_t dilation = 1, std::size_t groups = 1);

/// The patches under the kernel as rows: (N, H, W, C) -> (N·OH·OW, KH·KW·C).
Variable unfold(const Variable& x, const Conv2dGeometry& geometry);
/// The transpose of unfold, and its gradient.
Variable fold(const Variable& patches, const Conv2dGeometry& geometry);

}  // namespace xtg
