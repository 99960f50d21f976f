#include "autograd/ops/activation.hpp"

#include "tests/proofs/table.hpp"

namespace xtg::proofs {

std::vector<Proof> activation_rows() {
  constexpr Domain distinct = Domain::Distinct;
  return {
      {"relu", of(relu), {{{3, 4}, distinct}}},
      {"relu at 0", of(relu), {{{5}}}, 1, kKink},
      {"add_relu", of(add_relu), {{{3, 4}}, {{3, 4}}}},
      {"add_relu at 0", of(add_relu), {{{5}}, {{5}}}, 1, kKink},
      {"sigmoid", of(sigmoid), {{{3, 4}}}},
      {"sigmoid far out", of(sigmoid), {{{7}}}, 1, kKink},
      {"softplus", of(softplus), {{{3, 4}}}},
      {"softplus far out", of(softplus), {{{7}}}, 1, kKink},
      {"silu", of(silu), {{{3, 4}}}},
      {"silu far out", of(silu), {{{7}}}, 1, kKink},
      {"leaky_relu", [](V v) { return leaky_relu(v[0]); }, {{{3, 4}, distinct}}},
      {"leaky_relu slope 0.2", [](V v) { return leaky_relu(v[0], 0.2); }, {{{3, 4}, distinct}}},
      {"leaky_relu at 0", [](V v) { return leaky_relu(v[0], 0.2); }, {{{5}}}, 1, kKink},
      {"elu", [](V v) { return elu(v[0]); }, {{{3, 4}, distinct}}},
      {"elu alpha 0.7", [](V v) { return elu(v[0], 0.7); }, {{{3, 4}, distinct}}},
      {"elu at 0", [](V v) { return elu(v[0], 0.7); }, {{{5}}}, 1, kKink},
      {"elu far out", [](V v) { return elu(v[0], 0.7); }, {{{7}}}, 1, kKink},
      {"gelu", [](V v) { return gelu(v[0]); }, {{{3, 4}}}},
      {"gelu far out", [](V v) { return gelu(v[0]); }, {{{7}}}, 1, kKink},
      {"gelu with tanh", [](V v) { return gelu(v[0], Gelu::Tanh); }, {{{3, 4}}}},
      {"gelu with tanh far out", [](V v) { return gelu(v[0], Gelu::Tanh); }, {{{7}}}, 1, kKink},
  };
}

}  // namespace xtg::proofs
