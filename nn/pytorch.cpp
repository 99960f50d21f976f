#include "nn/pytorch.hpp"

#include <map>

#include "nn/conv2d.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/shaping.hpp"

namespace xtg::nn {
namespace {

/// The order of axes that turns a parameter of this module into PyTorch's, for transpose(); {} if it is the same.
Axes order_in_pytorch(const Module& module, const Shape& shape) {
  if (shape.size() == 4 && dynamic_cast<const Conv2d*>(&module) != nullptr) return {0, 3, 1, 2};
  if (shape.size() == 3 && dynamic_cast<const LayerNorm*>(&module) != nullptr) return {2, 0, 1};
  return {};
}

Axes inverse(const Axes& order) {
  Axes result(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) result[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  return result;
}

/// By path, for the parameters whose order is another one.
std::map<std::string, Axes> orders_in_pytorch(const Module& network) {
  std::map<std::string, Axes> orders;
  for (const auto& [path, module] : network.named_modules())
    for (const auto& [name, parameter] : module->own_parameters()) {
      const Axes order = order_in_pytorch(*module, parameter.shape());
      if (!order.empty()) orders[path.empty() ? name : path + "." + name] = order;
    }
  return orders;
}

SafeTensors state_in_pytorch(const Module& network) {
  SafeTensors state = network.state_dict();
  for (const auto& [path, order] : orders_in_pytorch(network))
    state.tensors.at(path) = transpose(state.tensors.at(path), order);
  return state;
}

}  // namespace

LoadReport load_pytorch(Module& network, const std::string& path, bool strict) {
  std::map<std::string, std::string> others;  // name and type of arrays that have not been read
  SafeTensors state = load_safetensors(path, &others);
  const SafeTensors wanted = state_in_pytorch(network);
  for (const auto& [name, type] : others) {
    require<FormatError>(wanted.tensors.count(name) + wanted.integers.count(name) == 0,
                         "{}: tensor '{}' has type {}, expected F16, BF16, F32, F64 or I64", path, name, type);
    state.integers[name] = Indices();  // to be listed as unexpected
  }
  const LoadReport report =
      compare_states("load_pytorch: " + path, "of another shape (shapes are PyTorch's, convolutions (O, I, KH, KW))",
                     wanted, state, strict);
  for (const auto& [name, order] : orders_in_pytorch(network)) {
    const auto entry = state.tensors.find(name);
    if (entry != state.tensors.end()) entry->second = transpose(entry->second, inverse(order));
  }
  network.load_state_dict(state, false);
  return report;
}

void save_pytorch(const Module& network, const std::string& path) {
  SafeTensors state = state_in_pytorch(network);
  state.metadata["format"] = "pt";  // the transformers library asks for it
  save_safetensors(path, state);
}

}  // namespace xtg::nn
