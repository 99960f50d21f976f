#pragma once

#include <memory>
#include <string>

#include "norm.hpp"

namespace xtg::nn {

enum class NormKind { Batch, Layer, Instance, Group, None };

/// "batch", "layer", "instance", "group" or "none"; throws ValueError that lists them otherwise.
NormKind parse_norm(const std::string& name);
std::string to_string(NormKind kind);

/// The chosen normalization of images with `channels` channels, affine, or null for None. Layer norm is over (H, W, C)
/// with gamma and beta of shape (C); `groups` is for group norm, 0 stands for one group per channel. Throws ValueError
/// if `groups` does not divide the channels.
std::unique_ptr<Norm> make_norm(NormKind kind, std::size_t channels, std::size_t groups);

}  // namespace xtg::nn
