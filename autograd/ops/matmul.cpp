#include "autograd/ops/matmul.hpp"

#include "autograd/operation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/linalg.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

Variable matrix_product(const Variable& a, const Variable& b, bool transpose_a, bool transpose_b) {
  return record("matmul", matmul(a.value(), b.value(), transpose_a, transpose_b), {a, b},
                [a = Saved(b.requires_grad() ? a : Variable()), b = Saved(a.requires_grad() ? b : Variable()),
                 transpose_a, transpose_b](const Variable& dy, const Context& c) {
                  // y = A·B with A = a or aᵀ, B = b or bᵀ: dA = dy·Bᵀ, dB = Aᵀ·dy, and each is transposed back.
                  Variables gradients(2);
                  if (c.wants(0)) {
                    const Variable da =
                        transpose_a ? matmul(b.get(), dy, transpose_b, true) : matmul(dy, b.get(), false, !transpose_b);
                    gradients[0] = unbroadcast(da, c.input_shape(0));  // a matrix that met several
                  }
                  if (c.wants(1)) {
                    const Variable db =
                        transpose_b ? matmul(dy, a.get(), true, transpose_a) : matmul(a.get(), dy, !transpose_a, false);
                    gradients[1] = unbroadcast(db, c.input_shape(1));
                  }
                  return gradients;
                });
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b, bool transpose_a, bool transpose_b) {
  const std::size_t axes_a = a.shape().size(), axes_b = b.shape().size();
  if (axes_a == 2 && axes_b == 2) return matrix_product(a, b, transpose_a, transpose_b);
  const MatmulSizes s = matmul_sizes(a.shape(), b.shape(), transpose_a, transpose_b);
  if (axes_a == 1) return reshape(matmul(reshape(a, Shape{1, s.k}), b, false, transpose_b), s.result);
  if (axes_b == 1) return reshape(matmul(a, reshape(b, Shape{s.k, 1}), transpose_a, false), s.result);
  if (axes_b == 2 && !transpose_a) {  // all rows meet the same b: one product, and one db instead of a sum of many
    const Variable rows = reshape(a, Shape{count(s.leading) * s.m, s.k});
    return reshape(matrix_product(rows, b, false, transpose_b), s.result);
  }
  return matrix_product(a, b, transpose_a, transpose_b);
}

Variable dot(const Variable& a, const Variable& b) {
  require<ShapeError>(a.shape().size() == 1 && a.shape() == b.shape(),
                      "dot: expected two vectors of equal size, got {} and {}", to_string(a.shape()),
                      to_string(b.shape()));
  return sum(a * b);
}

Variable outer(const Variable& a, const Variable& b) {
  require<ShapeError>(a.shape().size() == 1 && b.shape().size() == 1, "outer: expected two vectors, got {} and {}",
                      to_string(a.shape()), to_string(b.shape()));
  return reshape(a, Shape{a.size(), 1}) * b;
}

}  // namespace xtg
