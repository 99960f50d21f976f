#pragma once

// Exercise 02, of docs/02-tape.md: an order in which gradients can be handed on.
// Check it with: tools/assignment check . 02

#include <vector>

#include "assignment/not_implemented.hpp"

namespace student {

/// Steps are numbered 0, 1, 2, … in no particular order. inputs[i] lists the steps whose results step i uses; a step
/// may be in the list twice (q = s·s uses s twice). Returns the steps that `output` depends on, itself included, each
/// once, in such an order that every step comes after all those steps of the list that use it.
inline std::vector<int> backward_order(const std::vector<std::vector<int>>& inputs, int output) {
  // How many uses of each step are still to come, among the steps that count.
  std::vector<int> uses(inputs.size(), 0);
  std::vector<bool> seen(inputs.size(), false);
  std::vector<int> todo{output};
  seen[output] = true;
  while (!todo.empty()) {
    const int i = todo.back();
    todo.pop_back();
    for (const int j : inputs[i]) {
      ++uses[j];
      if (!seen[j]) todo.push_back(j);
      seen[j] = true;
    }
  }
  // A step is ready when all its users are in the order.
  std::vector<int> order{output};
  for (std::size_t k = 0; k < order.size(); ++k)
    for (const int j : inputs[order[k]])
      if (--uses[j] == 0) order.push_back(j);
  return order;
}

}  // namespace student
