#include "autograd/ops/indexing.hpp"

#include "tensor/create.hpp"
#include "tests/proofs/table.hpp"

namespace xtg::proofs {
// Each has positions that occur more than once, where gradients add up, and some that do not occur.
std::vector<Proof> indexing_rows() {
  const Indices rows = indices({2, 0, 2, 1, 2});
  const Indices along_1 = indices({3, 0, 3, 1, 1, 0, 3, 3}, {2, 4});
  const Indices along_0 = indices({2, 0, 2, 0, 0, 1, 2, 2}, {4, 2});
  const Indices anywhere = indices({7, 0, 7, 11, 3, 7}, {2, 3});
  return {
      {"index_select axis 0", [=](V v) { return index_select(v[0], 0, rows); }, {{{4, 3}}}},
      {"index_select axis -2", [=](V v) { return index_select(v[0], -2, rows); }, {{{2, 3, 4}}}},
      {"gather axis -1", [=](V v) { return gather(v[0], -1, along_1); }, {{{2, 5}}}},
      {"gather axis 0", [=](V v) { return gather(v[0], 0, along_0); }, {{{3, 2}}}},
      {"take", [=](V v) { return take(v[0], anywhere); }, {{{3, 4}}}},
      {"put",
       [=](V v) {
         return put(v[0], anywhere, {3, 4});
       },
       {{{2, 3}}}},
  };
}

}  // namespace xtg::proofs
