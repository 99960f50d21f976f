#pragma once

#include "autograd/variable.hpp"

namespace xtg {

/// x − log Σ_k exp(x_k) along the last axis, computed about the largest element so that nothing overflows:
/// (…, K) -> (…, K). dx = dy − softmax(x)·Σ_k dy_k.
Variable log_softmax(const Variable& x);

/// The mean over the batch of −Σ_k t_k·log_softmax(logits)_k, in nats: logits (N, K), labels (N) -> (). The target t is
/// 1 − s at the label, plus s/K everywhere, with s the label smoothing in [0, 1] (Szegedy et al. 2015,
/// arXiv:1512.00567; PyTorch's label_smoothing). dlogits = (softmax(logits) − t)·dy/N. Throws ShapeError for other
/// shapes, ValueError for a label outside 0 … K−1 or an s outside [0, 1].
Variable cross_entropy(const Variable& logits, const Indices& labels, double label_smoothing = 0);

}  // namespace xtg
