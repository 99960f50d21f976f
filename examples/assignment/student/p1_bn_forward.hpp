#pragma once

// Part 1: the forward of batch normalization, in training and in evaluation. 20 points.
// Grade it with: tools/assignment grade . --part 1
//
// In scope are plain Tensors with all of tensor/: the operators + - * /, also with numbers, which broadcast;
// elementwise.hpp (square, sqrt, rsqrt, …), reduce.hpp (sum, mean), shaping.hpp (reshape, broadcast_to); and x.data(),
// a `Scalar*` to the numbers in row-major order (double; float in one check). There is no tape here.

#include <cmath>

#include "assignment/batch_norm.hpp"
#include "assignment/not_implemented.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

/// x (…, C): (M, C), or images (N, H, W, C), which have M = N·H·W values a channel. gamma, beta, running_mean and
/// running_var have shape (C). The settings are `settings.eps`, `.momentum` and `.training`. Returns `result.y`, of x's
/// shape, and after a training step all members of `result.cache`:
///   x         (…, C)  the input            mean      (C)  of each channel
///   gamma     (C)                          variance  (C)  the one that is divided by M, without eps
///   eps               as in the settings   rstd      (C)  1/√(variance + eps)
///   x_hat     (…, C)  of x's shape, too
///
/// In training (settings.training) y is normalized with the statistics of this batch, and running_mean and running_var
/// follow them: settings.momentum is the weight of the new statistic. M is at least 2: a single value has no variance.
///
/// In evaluation y is normalized with running_mean and running_var, which stay as they are. M may be 1 then.
///
/// The page docs/05-bn-forward.md has all formulas, and says which of the two variances goes where. Of use for images:
/// reshape(x, {-1, C}), a matrix with a row for all axes but the last.
inline BatchNormResult batch_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                          const BatchNormSettings& settings, Tensor& running_mean,
                                          Tensor& running_var) {
  BatchNormResult result;
  // TODO P1: y and the cache in training; the running statistics; y in evaluation. Then remove the two lines below.
  (void)x, (void)gamma, (void)beta, (void)settings, (void)running_mean, (void)running_var;
  throw NotImplemented("P1: batch_norm_forward");
  return result;
}

}  // namespace student
