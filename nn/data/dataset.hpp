#pragma once

// nn/data/ turns files, or a seed, into batches. Read in this order: dataset.hpp (labelled images in memory),
// shapes.hpp (the set that the library draws itself), cifar.hpp (the official binary files), loader.hpp (shuffled,
// augmented, standardized batches, prepared ahead on a thread of their own), augment.hpp (cutout, random erasing,
// mixup).

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xtg::nn {

/// Labelled images of one size. Pixels stay uint8 in memory, a quarter of what floats take (CIFAR-10: 154 MB), and
/// become numbers only in a batch. Channels come last: `images` is (N, H, W, C), row-major.
struct Dataset {
  std::vector<std::uint8_t> images;
  std::vector<std::int64_t> labels;
  std::size_t height = 32, width = 32, channels = 3;
  std::vector<std::string> class_names;

  std::size_t size() const { return labels.size(); }
  std::size_t classes() const { return class_names.size(); }
  /// Bytes of one image, H·W·C. Throws ShapeError where these are more than an array can have.
  std::size_t image_size() const;

  /// The H·W·C bytes of image `i`. Throws ValueError if there is no such image.
  const std::uint8_t* image(std::size_t i) const;

  /// Keeps the first `n` images and gives back the memory of the others; does nothing if there are no more than `n`.
  /// Throws ValueError for n = 0, or an n that is no size, as −1.
  void limit(std::size_t n);
};

/// Mean and standard deviation of each channel, in units of full brightness (pixel / 255).
struct Standardization {
  std::array<double, 3> mean{}, stddev{};
};

/// The standardization that gives `dataset` mean 0 and variance 1 in every channel: mean and standard deviation (the
/// biased one, divisor N·H·W) of pixel / 255. Measure it on the training images, and use it for the test images too.
/// Only 256 values occur, so it counts them and is exact to the rounding of a double, however many images there are.
/// Channels that the images do not have keep mean 0 and standard deviation 0.
/// Throws ValueError for an empty dataset, images without pixels, more than three channels, or images and labels that
/// differ in number.
Standardization measure(const Dataset& dataset);

/// `n` images of `dataset`, the same ones for the same seed, chosen at random and balanced: of every class as many as
/// of any other, or one fewer, as long as it has them. The classes take turns, so that every first part is balanced
/// too, and subset(dataset, m, seed) for m < n is the first m of them.
/// Throws ValueError for n = 0, n > dataset.size(), or a dataset whose images and labels differ in number.
Dataset subset(const Dataset& dataset, std::size_t n, std::uint64_t seed);

/// A dataset in two parts that have no image in common.
struct Split {
  Dataset train, validation;
};

/// Sets images aside for validation: to compare recipes without looking at the test images. `validation` is
/// subset(dataset, validation_count, seed), and `train` all others, in the order of `dataset`.
/// Throws ValueError if either part would be empty, or images and labels differ in number.
Split split(const Dataset& dataset, std::size_t validation_count, std::uint64_t seed);

}  // namespace xtg::nn
