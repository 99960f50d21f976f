// expect: E2.chain: is missing
#pragma once

// Exercise 02, of docs/02-tape.md: an order in which gradients can be handed on.
// Check it with: tools/assignment check . 02

#include <algorithm>
#include <functional>
#include <vector>

#include "assignment/not_implemented.hpp"

namespace student {

/// Steps are numbered 0, 1, 2, … in no particular order. inputs[i] lists the steps whose results step i uses; a step
/// may be in the list twice (q = s·s uses s twice). Returns the steps that `output` depends on, itself included, each
/// once, in such an order that every step comes after all those steps of the list that use it.
inline std::vector<int> backward_order(const std::vector<std::vector<int>>& inputs, int output) {
  std::vector<bool> seen(inputs.size(), false);
  std::vector<int> order;
  const std::function<void(int)> visit = [&](int i) {
    if (seen[i]) return;
    seen[i] = true;
    for (const int j : inputs[i]) visit(j);
    order.push_back(i);
  };
  visit(output);
  std::reverse(order.begin(), order.end());
  order.erase(order.begin());
  return order;
}

}  // namespace student
