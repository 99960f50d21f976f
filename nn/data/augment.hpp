#pragma once

// What can be done to training images beyond crop and flip, one function each. The Loader applies them, see
// LoaderOptions; every random choice comes from the Generator that it is given.

#include <array>

#include "../../tensor/random.hpp"
#include "../../tensor/tensor.hpp"

namespace xtg::nn {

/// Rows top … bottom−1 and columns left … right−1 of an image; {} has none.
struct Box {
  std::size_t top = 0, bottom = 0, left = 0, right = 0;
};

/// Where cutout (DeVries and Taylor 2017, arXiv:1708.04552) erases: a square of `side` pixels about a centre anywhere
/// in the image, side/2 of them (rounded down) above and left of it, clipped at the border.
/// Throws ValueError for an image without pixels, or a number that is no size.
Box random_cutout(std::size_t height, std::size_t width, std::size_t side, Generator& generator);

/// Random erasing (Zhong et al. 2017, arXiv:1708.04896); the ranges are the paper's. The default is off; the paper's
/// probability is 0.5.
struct RandomErasing {
  double probability = 0;                         // of an image to lose a rectangle
  std::array<double, 2> area = {0.02, 0.4};       // of the rectangle, as a part of the image's
  std::array<double, 2> aspect = {0.3, 1 / 0.3};  // its height / width

  /// Throws ValueError unless 0 ≤ probability ≤ 1, 0 < area ≤ 1 and 0 < aspect < ∞, from low to high.
  void check() const;
};

/// Where random erasing erases: with the given probability a rectangle of √(area·aspect) rows and √(area/aspect)
/// columns, rounded, area and aspect uniform in their ranges; both are drawn again, at most 100 times, until the
/// rectangle has a pixel and fits into the image, and its place is uniform among those where it fits.
/// {} if nothing is erased. The options are not checked here. Throws ValueError for a number that is no size.
Box random_erasing(std::size_t height, std::size_t width, const RandomErasing& options, Generator& generator);

/// Sets the box of an image (H, W, C) to zero, which is the mean colour of standardized images.
void erase(Scalar* image, std::size_t width, std::size_t channels, const Box& box);

/// A draw from Beta(alpha, alpha), on [0, 1], of mean 1/2 and variance 1/(4·(2·alpha + 1)): x/(x + y) for two draws
/// from Gamma(alpha), made by the method of Marsaglia and Tsang (2000, doi:10.1145/358407.358414) for alpha + 1 and
/// multiplied by u^(1/alpha), u uniform; computed by logarithms, so that no alpha is too small.
/// Throws ValueError unless alpha is positive and finite.
double random_beta(double alpha, Generator& generator);

/// How mixup (Zhang et al. 2017, arXiv:1710.09412) mixes a batch: sample i with sample partner[i].
struct Mixing {
  double weight = 1;                   // of the sample itself; the partner has the rest
  std::vector<std::uint32_t> partner;  // a permutation of the batch
};

/// A weight λ from Beta(alpha, alpha), one for the whole batch, and a random permutation. λ or 1 − λ, whichever is
/// larger, becomes the weight: the permutation's inverse is as likely as itself, so this only changes the order of the
/// mixed samples, and each is then at least half the one whose label it has. Throws as random_beta.
Mixing random_mixing(double alpha, std::size_t batch_size, Generator& generator);

/// weight·x_i + (1 − weight)·x_partner[i], x (B, …) -> (B, …): for images, and the same for targets (B, K). Rows of
/// targets that are one-hot add up to exactly 1. Throws ShapeError unless x has a partner for each sample, ValueError
/// for a partner that is not in the batch.
Tensor mixed(const Tensor& x, const Mixing& mixing);

/// Every image in a mirror, left and right exchanged: (N, H, W, C) -> (N, H, W, C). A network's logits of an image and
/// of its mirror image, averaged, are a little more often right (test-time augmentation). Throws ShapeError for other
/// than four axes.
Tensor mirrored(const Tensor& images);

}  // namespace xtg::nn
