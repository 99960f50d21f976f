#pragma once

// Part 4: the network without normalization, and what the norms do. 20 points.
// Grade it with: tools/assignment grade . --part 4
//
// 1. Write ComparedNetwork, effective_beta and batch_sensitivity.
// 2. Run tools/assignment measure . : it trains both networks at five learning rates, 40 steps each on the same 32
// drawn
//    figures, writes every loss to p4_log.csv, and prints what your two functions measure.
// 3. Fill in p4_answers.json from the log and from what was printed; README.md says how.

#include <cmath>
#include <memory>
#include <vector>

#include "assignment/not_implemented.hpp"
#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"

namespace student {

using namespace xtg;
using namespace xtg::assignment;

// BLOCK 4.1. One class for both networks: only then do they differ in nothing but the norms.

/// x (N, H, W, 3) -> logits (N, classes). A stem: 3×3 convolution to 8 channels, norm, relu. Three residual blocks,
/// y = relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)) of 3×3 convolutions: 8 -> 8 channels with stride 1, 8 -> 16
/// and 16 -> 32 with stride 2 in the first convolution. The shortcut is x, or a 1×1 convolution and a norm where the
/// shape changes. Global average pooling, a linear layer.
/// `kind` is Batch or None. With None there is no norm anywhere, the shortcuts included, and every convolution has a
/// bias instead (with a norm behind it, it has none). nn::make_norm(kind, channels, 4) gives null for None.
/// Both kinds start with equal convolution weights if the generators have the same seed. You may add classes of your
/// own; modules may have any names.
class ComparedNetwork : public nn::Module {
 public:
  ComparedNetwork(nn::NormKind kind, std::size_t classes, Generator& generator) {
    // TODO P4: the modules.
    (void)kind, (void)classes, (void)generator;
    throw NotImplemented("P4: ComparedNetwork");
  }

  Variable forward(const Variable& x) override {
    // TODO P4
    return x;
  }
};

// BLOCK 4.2. Two measures.

/// How fast the gradient turns where a step would go. With g the gradient of the cross-entropy of `network` on `images`
/// (N, H, W, 3) and `labels` (N) with respect to all parameters together, as one long vector, at the parameters θ:
///   the largest over `rates` of ‖g(θ) − g(θ − rate·g(θ))‖ / ‖rate·g(θ)‖       (Euclidean norms)
/// The smaller it is, the larger the steps that the gradient can be trusted for. In the mode the network is in;
/// afterwards its parameters are θ again.
inline double effective_beta(nn::Module& network, const Tensor& images, const Indices& labels,
                             const std::vector<double>& rates) {
  // TODO P4: effective_beta.
  (void)network, (void)images, (void)labels, (void)rates;
  throw NotImplemented("P4: effective_beta");
}

/// How much the answer for some images depends on what else is in the batch. Runs `images` (n, H, W, 3) once together
/// with `first`, once with `second` (both (m, H, W, 3); a batch is {images, first} along axis 0), and compares the two
/// logits a and b of `images` alone: √(mean of (a − b)²) / √(mean of a²). In the mode the network is in, off the tape.
inline double batch_sensitivity(nn::Module& network, const Tensor& images, const Tensor& first, const Tensor& second) {
  // TODO P4: batch_sensitivity.
  (void)network, (void)images, (void)first, (void)second;
  throw NotImplemented("P4: batch_sensitivity");
}

}  // namespace student
