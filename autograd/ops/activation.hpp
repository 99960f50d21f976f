#pragma once

#include "../variable.hpp"

namespace xtg {

// Element by element: the bends of a network. Each has a definition of differentiable operations, which runs in its
// place under DerivedGradients.

Variable relu(const Variable& x);  // where(x ≤ 0, 0, x); dx = dy where x > 0, else 0 (also at x = 0)
/// relu(x + residual) of equal shapes, in one pass: how a residual block ends. The gradient of both is dy where y > 0,
/// else 0. Throws ShapeError.
Variable add_relu(const Variable& x, const Variable& residual);
Variable sigmoid(const Variable& x);  // y = 1/(1 + e^−x); dx = dy·y·(1 − y)
Variable softplus(const Variable& x);  // log(1 + e^x), without overflow; dx = dy·sigmoid(x). log σ(x) is −softplus(−x)
Variable silu(const Variable& x);  // x·sigmoid(x) (Elfwing et al. 2017, arXiv:1702.03118)

/// x where x > 0, else slope·x; the gradient at 0 is slope, as PyTorch's.
Variable leaky_relu(const Variable& x, Scalar slope = Scalar(0.01));

/// x where x > 0, else alpha·(e^x − 1) (Clevert et al. 2015, arXiv:1511.07289).
Variable elu(const Variable& x, Scalar alpha = 1);

/// x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016, arXiv:1606.08415): exact with erf, or the
/// paper's approximation with tanh, x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
enum class Gelu { Erf, Tanh };
Variable gelu(const Variable& x, Gelu form = Gelu::Erf);

}  // namespace xtg
