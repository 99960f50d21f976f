#pragma once

#include <set>
#include <string>
#include <vector>

#include "autograd/variable.hpp"

namespace xtg::assignment {

/// The names of all operations behind `y`.
inline std::set<std::string> operations(const Variable& y) {
  std::set<std::string> names;
  std::set<const Node*> visited;
  std::vector<const Node*> open = {y.node().get()};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (node == nullptr || !visited.insert(node).second) continue;
    names.insert(node->name);
    for (const Node::Input& input : node->inputs) open.push_back(input.node.get());
  }
  return names;
}

}  // namespace xtg::assignment
