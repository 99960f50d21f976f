#pragma once

// Part 2: the backward of batch normalization in training. 20 points.
// Grade it with: tools/assignment grade . --part 2
//
// Only tensor/ is in scope, as in part 1 (+ - * / on Tensors, sum, mean, …): no tape derives this one for you.

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

/// dy (…, C), the gradient of the loss with respect to y -> `gradients.dx` (…, C), `.dgamma` (C) and `.dbeta` (C).
/// `cache` is that of a right forward in training: your part 1 need not be finished. It has x, gamma, eps, mean,
/// variance, rstd and x_hat, as the skeleton of part 1 describes them. The deviations from the mean, `centred` on page
/// 06, are not kept: they are x − mean.
///
/// Of use: reshape(x, {-1, C}), a matrix with a row for all axes but the last; sum(t, {0}), over its rows.
///
/// mean and variance are functions of x: the gradient flows through them, too. Any route is welcome: node by node as on
/// the page docs/06-bn-backward-staged.md, or the short form of docs/07-bn-backward-short.md.
inline BatchNormGradients batch_norm_backward(const Tensor& dy, const BatchNormCache& cache) {
  BatchNormGradients gradients;
  // TODO P2: dx, dgamma, dbeta. Then remove the two lines below.
  (void)dy, (void)cache;
  throw NotImplemented("P2: batch_norm_backward");
  return gradients;
}

}  // namespace student
