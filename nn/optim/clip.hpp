#pragma once

#include "../../autograd/variable.hpp"

namespace xtg::nn {

/// √Σ g² over all elements of all gradients, summed in double; parameters without a gradient count as 0, and
/// no parameters, too. Infinite or NaN if an element is, and infinite if the norm is too large for a double. Throws
/// ValueError for a parameter that is undefined, not a leaf, or comes twice (PyTorch counts it twice, and scales it
/// twice).
double grad_norm(const Variables& parameters);

/// Multiplies every gradient by max_norm/(norm + 1e-6) if that is below 1, so that grad_norm() is at most max_norm
/// (Pascanu et al. 2012, arXiv:1211.5063; PyTorch's clip_grad_norm_). Returns the norm before. Throws ValueError, and
/// changes nothing, where grad_norm does, if the norm is not finite, or max_norm is not finite or not above 0.
double clip_grad_norm(const Variables& parameters, double max_norm);

}  // namespace xtg::nn
