#include "tensor/linalg.hpp"

#include <numeric>
#include <utility>
#include <vector>

#include "tensor/kernels/broadcast.hpp"
#include "tensor/kernels/gemm.hpp"
#include "tensor/shape.hpp"

namespace xtg {

MatmulSizes matmul_sizes(const Shape& a, const Shape& b, bool transpose_a, bool transpose_b) {
  const bool row = a.size() == 1, column = b.size() == 1;
  if (a.size() < 2 || b.size() < 2) {
    require<ShapeError>(!a.empty() && !b.empty(), "matmul: expected vectors or matrices, got {} and {}", to_string(a),
                        to_string(b));
    require(!(row && transpose_a) && !(column && transpose_b),
            "matmul: a vector cannot be transposed, a is {} and b is {}", to_string(a), to_string(b));
  }
  const std::size_t last_a = a.size() - 1, last_b = b.size() - 1;
  MatmulSizes s;
  s.m = row ? 1 : a[transpose_a ? last_a : last_a - 1];
  s.k = a[transpose_a ? last_a - 1 : last_a];
  s.n = column ? 1 : b[transpose_b ? last_b - 1 : last_b];
  const std::size_t kb = b[column || transpose_b ? last_b : last_b - 1];
  require<ShapeError>(s.k == kb, "matmul: inner sizes {} and {} differ, a is {}{} and b is {}{}", s.k, kb, to_string(a),
                      transpose_a ? " transposed" : "", to_string(b), transpose_b ? " transposed" : "");
  if (!row) s.leading_a = Shape(a.begin(), a.end() - 2);
  if (!column) s.leading_b = Shape(b.begin(), b.end() - 2);
  s.leading = broadcast_shapes("matmul: leading axes", s.leading_a, s.leading_b);
  s.result = s.leading;
  if (!row) s.result.push_back(s.m);
  if (!column) s.result.push_back(s.n);
  return s;
}

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  const MatmulSizes s = matmul_sizes(a.shape(), b.shape(), transpose_a, transpose_b);
  Tensor c(s.result);
  const auto product = [&](std::size_t i, std::size_t j, Scalar* out) {
    kernels::gemm(s.m, s.n, s.k, a.data() + i * s.m * s.k, transpose_a, b.data() + j * s.k * s.n, transpose_b, out,
                  false);
  };
  if (s.leading.empty()) {
    product(0, 0, c.data());
    return c;
  }
  // Which matrix of a meets which of b: their numbers, broadcast as the matrices are.
  std::vector<std::size_t> of_a(count(s.leading_a)), of_b(count(s.leading_b));
  std::iota(of_a.begin(), of_a.end(), std::size_t{0});
  std::iota(of_b.begin(), of_b.end(), std::size_t{0});
  std::vector<std::pair<std::size_t, std::size_t>> pairs(count(s.leading));
  kernels::zip(pairs.data(), s.leading, of_a.data(), s.leading_a, of_b.data(), s.leading_b,
               [](std::size_t i, std::size_t j) { return std::make_pair(i, j); });
  for (std::size_t i = 0; i < pairs.size(); ++i) product(pairs[i].first, pairs[i].second, c.data() + i * s.m * s.n);
  return c;
}

}  // namespace xtg
