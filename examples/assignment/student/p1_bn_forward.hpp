#pragma once

// Part 1: the forward of batch normalization, in training and in evaluation. 20 points.
// Grade it with: tools/assignment grade . --part 1
//
// In scope are the functions of tensor/ on plain Tensors: elementwise.hpp (add, subtract, multiply, divide, square,
// sqrt, rsqrt, …), reduce.hpp (sum, mean), shaping.hpp (reshape, broadcast_to), and x.data(), a pointer to the numbers
// in row-major order. There is no tape here.

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
/// running_var have shape (C). Returns y of x's shape and the cache, after a training step with all its members set:
/// x, gamma, eps, mean, variance, rstd, x_hat (assignment/batch_norm.hpp has their shapes).
///
/// In training (settings.training) y is normalized with the statistics of this batch:
///   mean_c = the mean of channel c,  variance_c = the mean of (x − mean_c)²        (divided by M)
///   x_hat  = (x − mean)/√(variance + eps),   y = gamma·x_hat + beta
/// and running_mean and running_var are updated, with momentum the weight of the new statistic:
///   running ← (1 − momentum)·running + momentum·new
/// where the new variance is the unbiased one: divided by M − 1, not by M.
///
/// In evaluation y is normalized with running_mean and running_var, which stay as they are. M may be 1 then.
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
