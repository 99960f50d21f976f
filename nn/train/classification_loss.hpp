#pragma once

#include <string>

#include "../../autograd/variable.hpp"

namespace xtg::nn {

enum class LossKind { CrossEntropy, BinaryCrossEntropy };

/// "cross-entropy" or "bce"; throws ValueError that lists them otherwise.
LossKind parse_loss(const std::string& name);

/// The loss of a classifier in nats per image, the mean over the batch: logits (N, K), labels (N) -> ().
///   cross-entropy:         one choice among K classes (softmax), see cross_entropy
///   binary cross-entropy:  K independent yes-or-no questions (sigmoid): the sum over the classes of
///                          −t·log σ(x) − (1 − t)·log(1 − σ(x)), with t = 1 at the label and 0 elsewhere, or with label
///                          smoothing s t·(1 − s) + s/K (Beyer et al. 2020, arXiv:2006.07159)
/// Summed, not averaged over the classes: so dlogits is (σ(x) − t)/N where cross-entropy has (softmax(x) − t)/N, and
/// learning rates carry over. Throws ShapeError for other shapes, ValueError for a label outside 0 … K−1 or smoothing
/// outside [0, 1].
Variable classification_loss(LossKind kind, const Variable& logits, const Indices& labels, double label_smoothing = 0);

/// The same for targets (N, K) that share each image among the classes, as mixup's do; smoothed as t·(1 − s) + s/K.
Variable classification_loss(LossKind kind, const Variable& logits, Tensor targets, double label_smoothing = 0);

}  // namespace xtg::nn
