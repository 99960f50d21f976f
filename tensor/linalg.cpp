#include "tensor/linalg.hpp"

#include "tensor/kernels/gemm.hpp"
#include "tensor/shape.hpp"

namespace xtg {

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  require<ShapeError>(a.dimension() == 2 && b.dimension() == 2, "matmul: expected two matrices, got {} and {}",
                      to_string(a.shape()), to_string(b.shape()));
  const std::size_t m = a.shape()[transpose_a ? 1 : 0], k = a.shape()[transpose_a ? 0 : 1];
  const std::size_t kb = b.shape()[transpose_b ? 1 : 0], n = b.shape()[transpose_b ? 0 : 1];
  require<ShapeError>(k == kb, "matmul: inner sizes {} and {} differ, a is {}{} and b is {}{}", k, kb,
                      to_string(a.shape()), transpose_a ? " transposed" : "", to_string(b.shape()),
                      transpose_b ? " transposed" : "");
  Tensor c(Shape{m, n});
  kernels::gemm(m, n, k, a.data(), transpose_a, b.data(), transpose_b, c.data(), false);
  return c;
}

}  // namespace xtg
