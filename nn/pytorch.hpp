#pragma once

#include <string>

#include "module.hpp"

namespace xtg::nn {

/// Weights from PyTorch. There, with the safetensors package, `save_file(model.state_dict(), "model.safetensors")`
/// writes such a file and `model.load_state_dict(load_file("model.safetensors"))` reads it. Names must be the same, as
/// those of CifarResNet are; what differs is the order of some axes, which is changed on the way:
///
///   weight of Conv2d                          (O, KH, KW, I) here, (O, I, KH, KW) there
///   weight and bias of LayerNorm over 3 axes  (H, W, C) here, (C, H, W) there
///
/// so for these classes and those derived from them. Everything else is the same or taken to be: parameters of classes
/// of your own, too; and a linear layer behind a flattened image, whose inputs are H·W·C here and C·H·W there, cannot
/// be told from others.
///
/// F16, BF16, F32 and F64 are read as Scalar. Arrays of other types are never the network's: if it has one of that
/// name, that is an error, and if not, they are unexpected like others, which is no error if not `strict`. Throws
/// FormatError as load_safetensors does, and ValueError as Module::load_state_dict does, with shapes as PyTorch has
/// them, and then has changed nothing. Returns what it does.
LoadReport load_pytorch(Module& network, const std::string& path, bool strict = true);

/// Writes F32 (F64 where Scalar is double), num_batches_tracked as I64, whole or not at all. Throws as save_safetensors
/// does.
void save_pytorch(const Module& network, const std::string& path);

}  // namespace xtg::nn
