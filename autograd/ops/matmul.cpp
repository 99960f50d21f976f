#include "autograd/ops/matmul.hpp"

#include "tensor/linalg.hpp"

namespace xtg {

Variable matmul(const Variable& a, const Variable& b, bool transpose_a, bool transpose_b) {
  return record("matmul", matmul(a.value(), b.value(), transpose_a, transpose_b), {a, b},
                [a = Saved(b.requires_grad() ? a : Variable()), b = Saved(a.requires_grad() ? b : Variable()),
                 transpose_a, transpose_b](const Variable& dy, const Context& c) {
                  // y = A·B with A = a or aᵀ, B = b or bᵀ: dA = dy·Bᵀ, dB = Aᵀ·dy, and each is transposed back.
                  Variables gradients(2);
                  if (c.wants(0))
                    gradients[0] =
                        transpose_a ? matmul(b.get(), dy, transpose_b, true) : matmul(dy, b.get(), false, !transpose_b);
                  if (c.wants(1))
                    gradients[1] =
                        transpose_b ? matmul(dy, a.get(), true, transpose_a) : matmul(a.get(), dy, !transpose_a, false);
                  return gradients;
                });
}

}  // namespace xtg
