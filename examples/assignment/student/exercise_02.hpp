#pragma once

// Exercise 02, of docs/02-tape.md: an order in which gradients can be handed on.
// Check it with: tools/assignment check . 02

#include <vector>

#include "assignment/not_implemented.hpp"

namespace student {

/// Steps are numbered 0, 1, 2, … in no particular order. inputs[i] lists the steps whose results step i uses; a step
/// may be in the list twice (q = s·s uses s twice). Returns the steps that `output` depends on, itself included, each
/// once, in such an order that every step comes after all those steps of the list that use it. The numbers say nothing
/// about the order in which the steps were made.
inline std::vector<int> backward_order(const std::vector<std::vector<int>>& inputs, int output) {
  // TODO: replace the two lines below.
  (void)inputs, (void)output;
  throw xtg::assignment::NotImplemented("exercise 02: backward_order");
}

}  // namespace student
