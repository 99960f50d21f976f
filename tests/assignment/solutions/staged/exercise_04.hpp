#pragma once

// Exercise 04, of docs/04-gradcheck.md: a probe that no wrong backward passes.
// Check it with: tools/assignment check . 04

#include "assignment/not_implemented.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/random.hpp"

namespace student {

using namespace xtg;

/// Where a backward of batch normalization is checked. The loss is the sum of y*dy.
struct Probe {
  Tensor x;      // (M, C), at least two rows
  Tensor gamma;  // (C)
  Tensor dy;     // (M, C)
  double eps;    // at most 1e-3, as in real layers
};

/// A probe under which each of the eighteen wrong backwards of page 04 is off by more than 0.01*(1 + |dx|) somewhere.
///
/// Of use: tensor({1, 2, 3, 4}, {2, 2}), ones({4, 3}), Generator random(1), random_normal({4, 3}, random), and
/// the operators + - * / on tensors and numbers, which broadcast.
inline Probe probe() {
  Generator random(1);
  const Tensor x = random_normal({5, 4}, random) * tensor({0.02, 0.05, 0.1, 0.3}, {4}) + 3;
  return {x, tensor({1.5, -0.7, 3, 2}, {4}), 3 * random_normal({5, 4}, random), 1e-3};
}

}  // namespace student
