#include "autograd/ops/shaping.hpp"

#include "autograd/ops/elementwise.hpp"
#include "tests/proofs/table.hpp"

namespace xtg::proofs {
namespace {

using Rows = std::vector<Proof>;

void reshapes(Rows& rows) {
  const Input x{{2, 3, 4}};
  rows.push_back({"reshape to a Shape", [](V v) { return reshape(v[0], Shape{4, 6}); }, {x}});
  rows.push_back({"reshape with -1", [](V v) { return reshape(v[0], {3, -1}); }, {x}});
  rows.push_back({"reshape to a vector", [](V v) { return reshape(v[0], std::vector<std::ptrdiff_t>{-1, 12}); }, {x}});
  rows.push_back({"flatten all", [](V v) { return flatten(v[0]); }, {x}});
  rows.push_back({"flatten from 1", [](V v) { return flatten(v[0], 1); }, {x}});
  rows.push_back({"flatten 0 to -2", [](V v) { return flatten(v[0], 0, -2); }, {x}});
  rows.push_back({"squeeze all", [](V v) { return squeeze(v[0]); }, {{{1, 3, 1, 4}}}});
  rows.push_back({"squeeze {-2}", [](V v) { return squeeze(v[0], {-2}); }, {{{1, 3, 1, 4}}}});
  rows.push_back({"unsqueeze 1", [](V v) { return unsqueeze(v[0], 1); }, {x}});
  rows.push_back({"unsqueeze -1", [](V v) { return unsqueeze(v[0], -1); }, {x}});
}

void orders(Rows& rows) {
  const Input x{{2, 3, 4}};
  rows.push_back({"transpose reversed", [](V v) { return transpose(v[0]); }, {x}});
  rows.push_back({"transpose {2,0,1}", [](V v) { return transpose(v[0], {2, 0, 1}); }, {x}});
  rows.push_back({"transpose {1,-1,0}", [](V v) { return transpose(v[0], {1, -1, 0}); }, {x}});
  rows.push_back({"flip all", [](V v) { return flip(v[0], {}); }, {x}});
  rows.push_back({"flip {1,-1}", [](V v) { return flip(v[0], {1, -1}); }, {x}});
  rows.push_back({"slice", [](V v) { return slice(v[0], {{1, 4, 2}, {0, -1, 1}, {2, -1, 3}}); }, {{{5, 2, 7}}}});
  rows.push_back({"pad", [](V v) { return pad(v[0], {1, 0, 2}, {0, 3, 1}); }, {x}});
}

/// Pieces of sizes 1, 3 and 2 of axis 1, joined again in another order and with other weights.
Variable split_and_join(V v) {
  const Variables p = split(v[0], {1, 3, 2}, 1);
  return concatenate({p[2] * Scalar{3}, p[0] * Scalar{0.5}, p[1] * Scalar{-2}}, 1);
}

void joints(Rows& rows) {
  rows.push_back({"concatenate two", [](V v) { return concatenate(v, -1); }, {{{2, 3}}, {{2, 4}}}});
  rows.push_back({"concatenate three", [](V v) { return concatenate(v, 1); }, {{{2, 3, 4}}, {{2, 1, 4}}, {{2, 5, 4}}}});
  rows.push_back({"concatenate same shape", [](V v) { return concatenate(v, 0); }, {{{2, 3}}, {{2, 3}}, {{2, 3}}}});
  rows.push_back({"stack two", [](V v) { return stack(v); }, {{{3, 4}}, {{3, 4}}}});
  rows.push_back({"stack three, axis -1", [](V v) { return stack(v, -1); }, {{{4, 2}}, {{4, 2}}, {{4, 2}}}});
  rows.push_back({"split weighted", split_and_join, {{{2, 6, 3}}}});
  rows.push_back({"split one piece", [](V v) { return split(v[0], {2, 1}, -1)[0]; }, {{{4, 3}}}});
}

}  // namespace

std::vector<Proof> shaping_rows() {
  Rows rows;
  reshapes(rows);
  orders(rows);
  joints(rows);
  return rows;
}

}  // namespace xtg::proofs
