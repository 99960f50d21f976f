#include "nn/data/dataset.hpp"

#include <cmath>

#include "tensor/error.hpp"

namespace xtg::nn {

const std::uint8_t* Dataset::image(std::size_t i) const {
  require(i < size(), "dataset: there is no image {}, the dataset has {}", i, size());
  return images.data() + i * image_size();
}

void Dataset::limit(std::size_t n) {
  require(n > 0, "dataset: the limit must be at least 1 image, got 0");
  if (n >= size()) return;
  images.resize(n * image_size());
  images.shrink_to_fit();
  labels.resize(n);
  labels.shrink_to_fit();
}

Standardization measure(const Dataset& dataset) {
  require(dataset.size() > 0, "measure: the dataset is empty");
  require(dataset.channels <= 3, "measure: expected at most 3 channels, got {}", dataset.channels);

  std::array<std::array<std::uint64_t, 256>, 3> count{};  // how often each value occurs, by channel
  const std::uint8_t* pixel = dataset.images.data();
  const std::size_t pixels = dataset.size() * dataset.height * dataset.width;
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t c = 0; c < dataset.channels; ++c) ++count[c][*pixel++];
  }

  Standardization result;
  for (std::size_t c = 0; c < dataset.channels; ++c) {
    double sum = 0, squares = 0;
    for (int value = 0; value < 256; ++value) sum += value * static_cast<double>(count[c][value]);
    const double mean = sum / pixels;
    for (int value = 0; value < 256; ++value) squares += (value - mean) * (value - mean) * count[c][value];
    result.mean[c] = mean / 255;
    result.stddev[c] = std::sqrt(squares / pixels) / 255;
  }
  return result;
}

}  // namespace xtg::nn
