#include "autograd/ops/matmul.hpp"

#include "tests/proofs/table.hpp"

namespace xtg::proofs {

std::vector<Proof> matmul_rows() {
  const Function product = [](V v) { return matmul(v[0], v[1]); };
  const Function at = [](V v) { return matmul(v[0], v[1], true, false); };
  const Function bt = [](V v) { return matmul(v[0], v[1], false, true); };
  const Function atbt = [](V v) { return matmul(v[0], v[1], true, true); };
  return {
      {"matmul", product, {{{2, 3}}, {{3, 4}}}},
      {"matmul a transposed", at, {{{3, 2}}, {{3, 4}}}},
      {"matmul b transposed", bt, {{{2, 3}}, {{4, 3}}}},
      {"matmul both transposed", atbt, {{{3, 2}}, {{4, 3}}}},
      {"matmul of equal squares", product, {{{3, 3}}, {{3, 3}}}},
      {"matmul same shape, b transposed", bt, {{{3, 4}}, {{3, 4}}}},
      {"matmul batch", product, {{{5, 2, 3}}, {{5, 3, 4}}}},
      {"matmul batches that broadcast", product, {{{2, 1, 3, 4}}, {{5, 4, 6}}}},
      {"matmul batch, a transposed", at, {{{2, 4, 3}}, {{4, 5}}}},
      {"matmul batch, b transposed", bt, {{{3, 4}}, {{2, 5, 4}}}},
      {"matmul batch, both transposed", atbt, {{{2, 4, 3}}, {{2, 5, 4}}}},
      {"matmul vector, matrix", product, {{{3}}, {{3, 4}}}},
      {"matmul matrix, vector", product, {{{2, 3}}, {{3}}}},
      {"matmul vector, vector", product, {{{4}}, {{4}}}},
      {"matmul vector, batch", product, {{{3}}, {{2, 3, 4}}}},
      {"matmul batch, vector", product, {{{2, 3, 4}}, {{4}}}},
      {"dot", of(dot), {{{5}}, {{5}}}},
      {"outer", of(outer), {{{3}}, {{4}}}},
      {"outer same shape", of(outer), {{{3}}, {{3}}}},
  };
}

}  // namespace xtg::proofs
