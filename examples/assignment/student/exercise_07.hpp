#pragma once

// Exercise 07, of docs/07-bn-backward-short.md: batch norm's backward in evaluation mode.
// Check it with: tools/assignment check . 07

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

/// The gradients of y = gamma·(x − running_mean)/√(running_var + eps) + beta for the upstream gradient dy.
/// dy and x have the shape (…, C): matrices (N, C) and images (N, H, W, C); gamma and the statistics (C).
/// Returns dx (…, C), dgamma (C), dbeta (C).
///
/// Of use: the operators + - * / on tensors and numbers, which broadcast; reshape(x, {-1, C}), a matrix with a row for
/// all axes but the last; sum(t, {0}), over its rows.
inline BatchNormGradients batch_norm_eval_backward(const Tensor& dy, const Tensor& x, const Tensor& gamma,
                                                   const Tensor& running_mean, const Tensor& running_var, double eps) {
  // TODO: replace the two lines below.
  (void)dy, (void)x, (void)gamma, (void)running_mean, (void)running_var, (void)eps;
  throw NotImplemented("exercise 07: batch_norm_eval_backward");
}

}  // namespace student
