#pragma once

#include "../variable.hpp"

namespace xtg {

/// exp(x_k)/Σ_j exp(x_j) along an axis, computed about the largest element so that nothing overflows.
/// dx = y·(dy − Σ_k dy_k·y_k). An element of −∞ gets 0. Throws ShapeError for an axis of size 0, ValueError for one
/// that is not there.
Variable softmax(const Variable& x, int axis = -1);

/// x − log Σ_k exp(x_k) along an axis, about the largest element. dx = dy − softmax(x)·Σ_k dy_k. Throws as softmax.
Variable log_softmax(const Variable& x, int axis = -1);

/// The mean over the batch of −Σ_k t_k·log_softmax(logits)_k, in nats: logits (N, K), labels (N) -> (). The target t is
/// 1 − s at the label, plus s/K everywhere, with s the label smoothing in [0, 1] (Szegedy et al. 2015,
/// arXiv:1512.00567; PyTorch's label_smoothing). dlogits = (softmax(logits) − t)·dy/N. A logit of −∞ excludes its
/// class: with t_k = 0 its term is 0. Throws ShapeError for other shapes, ValueError for a label outside 0 … K−1 or an
/// s outside [0, 1].
Variable cross_entropy(const Variable& logits, const Indices& labels, double label_smoothing = 0);

/// The same with a distribution over the classes for each sample, targets (N, K), smoothed as t·(1 − s) + s/K; they
/// need not add up to 1. dlogits = (softmax(logits)·Σ_k t_k − t)·dy/N, dtargets = −(1 − s)·log_softmax(logits)·dy/N,
/// but 0 at a class that is excluded.
Variable cross_entropy(const Variable& logits, const Variable& targets, double label_smoothing = 0);

// The mean over all elements of a loss for each, as PyTorch's default reduction; input and target of equal shape, with
// at least one element (ShapeError).

Variable mse_loss(const Variable& input, const Variable& target);  // (x − t)²
Variable l1_loss(const Variable& input, const Variable& target);   // |x − t|, gradient 0 at 0

/// (x − t)²/2 where |x − t| ≤ delta, else delta·(|x − t| − delta/2) (Huber 1964, doi:10.1214/aoms/1177703732).
/// Throws ValueError unless delta > 0.
Variable huber_loss(const Variable& input, const Variable& target, Scalar delta = 1);

/// −t·log σ(x) − (1 − t)·log(1 − σ(x)), σ the sigmoid. Computed as |x|·w + log(1 + e^−|x|), which does not overflow; w
/// is what the target gives to the other answer, t for x < 0, else 1 − t. At x = ±∞ that is 0 for w = 0, else ∞.
/// dlogits = (σ(x) − t)·dy/n, dtargets = −x·dy/n, but 0 where x is infinite and w = 0.
Variable binary_cross_entropy_with_logits(const Variable& logits, const Variable& targets);

}  // namespace xtg
