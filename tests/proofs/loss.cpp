#include "autograd/ops/loss.hpp"

#include "autograd/ops/dropout.hpp"
#include "tensor/create.hpp"
#include "tests/proofs/table.hpp"

namespace xtg::proofs {

std::vector<Proof> loss_rows() {
  constexpr Domain positive = Domain::Positive, distinct = Domain::Distinct;
  const Indices labels = indices({2, 0, 3});
  const auto to_labels = [labels](double smoothing) -> Function {
    return [=](V v) { return cross_entropy(v[0], labels, smoothing); };
  };
  const auto to_targets = [](double smoothing) -> Function {
    return [=](V v) { return cross_entropy(v[0], v[1], smoothing); };
  };
  const auto huber = [](Scalar delta) -> Function { return [=](V v) { return huber_loss(v[0], v[1], delta); }; };
  return {
      {"softmax", [](V v) { return softmax(v[0]); }, {{{3, 4}}}},
      {"softmax axis 1", [](V v) { return softmax(v[0], 1); }, {{{2, 3, 4}}}},
      {"softmax far out", [](V v) { return softmax(v[0], 0); }, {{{4, 2}}}, 1, kKink},
      {"log_softmax", [](V v) { return log_softmax(v[0]); }, {{{3, 4}}}},
      {"log_softmax axis -2", [](V v) { return log_softmax(v[0], -2); }, {{{2, 3, 4}}}},
      {"log_softmax far out", [](V v) { return log_softmax(v[0], 0); }, {{{4, 2}}}, 1, kKink},
      {"cross_entropy", to_labels(0), {{{3, 5}}}},
      {"cross_entropy smoothing 0.1", to_labels(0.1), {{{3, 5}}}},
      {"cross_entropy far out", to_labels(0.1), {{{3, 5}}}, 1, kKink},
      {"cross_entropy with distributions", to_targets(0), {{{3, 5}}, {{3, 5}, positive}}},
      {"cross_entropy with distributions, smoothing 0.2", to_targets(0.2), {{{3, 5}}, {{3, 5}, positive}}},
      {"mse_loss", of(mse_loss), {{{3, 4}}, {{3, 4}}}},
      {"l1_loss", of(l1_loss), {{{3, 4}, distinct}, {{3, 4}, distinct}}},
      {"l1_loss of equals", of(l1_loss), {{{3, 4}}, {{3, 4}}}, 1, kKink},
      {"huber_loss", huber(1), {{{3, 4}, distinct}, {{3, 4}, distinct}}},
      {"huber_loss delta 0.3", huber(0.3), {{{3, 4}, distinct}, {{3, 4}, distinct}}},
      {"huber_loss at delta", huber(1), {{{3, 4}}, {{3, 4}}}, 1, kKink},
      {"binary_cross_entropy_with_logits", of(binary_cross_entropy_with_logits), {{{3, 4}}, {{3, 4}, positive}}},
      {"binary_cross_entropy_with_logits far out", of(binary_cross_entropy_with_logits), {{{7}}, {{7}}}, 1, kKink},
      {"dropout",
       [](V v) {
         Generator generator(9);  // the same mask each time
         return dropout(v[0], 0.4, generator);
       },
       {{{3, 4}}}},
      {"dropout p 0",
       [](V v) {
         Generator generator(9);
         return dropout(v[0], 0, generator);
       },
       {{{3, 4}}}},
  };
}

}  // namespace xtg::proofs
