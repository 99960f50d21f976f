#pragma once

#include <map>
#include <string>

#include "assignment/grader/mistakes.hpp"
#include "autograd/variable.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/safetensors.hpp"

namespace xtg::assignment {

/// A block's parameters by name.
using Parameters = std::map<std::string, Variable>;

struct BlockSizes {
  std::size_t in, width, stride;
  bool projects() const { return stride != 1 || in != 4 * width; }
};

extern const std::vector<Mistake> kBlockMistakes, kStemMistakes;

/// Weights and gammas for a bottleneck, none of them 0 or 1; and for a stem.
Parameters block_parameters(const BlockSizes& sizes);
Parameters stem_parameters(std::size_t channels);

/// The bottleneck and the stem as functions of their parameters, with some of the mistakes.
Variable block_model(const Variable& x, const Parameters& parameters, const BlockSizes& sizes, nn::NormKind kind,
                     std::size_t groups, Mistakes mistakes);
Variable stem_model(const Variable& x, const Parameters& parameters, nn::NormKind kind, std::size_t groups,
                    Mistakes mistakes);

/// Puts the parameters into the module, whose names must be these. Returns "" or what does not fit.
std::string load(nn::Module& module, const Parameters& parameters);

}  // namespace xtg::assignment
