#include "nn/data/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

constexpr std::uint64_t members_stream = 0x6d65, classes_stream = 0x636c;  // keys of subset's random numbers

void check_sizes(const char* operation, const Dataset& dataset) {
  require(dataset.images.size() == dataset.size() * dataset.image_size(),
          "{}: {} labels need {} bytes of images, got {}", operation, dataset.size(),
          dataset.size() * dataset.image_size(), dataset.images.size());
}

/// The numbers of all images in rounds, each class once in a round as long as it lasts. The order of the classes, the
/// same in every round, and of the images of a class is random.
std::vector<std::size_t> balanced_order(const Dataset& dataset, std::uint64_t seed) {
  std::map<std::int64_t, std::vector<std::size_t>> classes;  // label -> images
  for (std::size_t i = 0; i < dataset.size(); ++i) classes[dataset.labels[i]].push_back(i);
  const std::vector<std::uint32_t> turn = Generator(seed, classes_stream).permutation(classes.size());

  struct Place {
    std::size_t round, turn, image;
    bool operator<(const Place& other) const { return round != other.round ? round < other.round : turn < other.turn; }
  };
  std::vector<Place> places;
  std::size_t k = 0;
  for (const auto& [label, images] : classes) {
    Generator random(seed, members_stream, 0, static_cast<std::uint64_t>(label));
    const std::vector<std::uint32_t> round = random.permutation(images.size());
    for (std::size_t i = 0; i < images.size(); ++i) places.push_back({round[i], turn[k], images[i]});
    ++k;
  }
  std::sort(places.begin(), places.end());
  std::vector<std::size_t> order;
  for (const Place& place : places) order.push_back(place.image);
  return order;
}

/// The images of these numbers, in their order.
Dataset chosen(const Dataset& dataset, const std::vector<std::size_t>& numbers) {
  Dataset result;
  result.height = dataset.height;
  result.width = dataset.width;
  result.channels = dataset.channels;
  result.class_names = dataset.class_names;
  result.images.reserve(numbers.size() * dataset.image_size());
  for (const std::size_t i : numbers) {
    const std::uint8_t* image = dataset.image(i);
    result.images.insert(result.images.end(), image, image + dataset.image_size());
    result.labels.push_back(dataset.labels[i]);
  }
  return result;
}

}  // namespace

std::size_t Dataset::image_size() const { return count({height, width, channels}); }

const std::uint8_t* Dataset::image(std::size_t i) const {
  require(i < size(), "dataset: there is no image {}, the dataset has {}", as_written(i), size());
  return images.data() + i * image_size();
}

void Dataset::limit(std::size_t n) {
  require(n > 0, "dataset: the limit must be at least 1 image, got 0");
  require_size("dataset", "limit", n);
  if (n >= size()) return;
  images.resize(n * image_size());
  images.shrink_to_fit();
  labels.resize(n);
  labels.shrink_to_fit();
}

Standardization measure(const Dataset& dataset) {
  require(dataset.size() > 0, "measure: the dataset is empty");
  require(dataset.channels <= 3, "measure: expected at most 3 channels, got {}", as_written(dataset.channels));
  check_sizes("measure", dataset);
  require(dataset.height > 0 && dataset.width > 0, "measure: the images have no pixels");

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

Dataset subset(const Dataset& dataset, std::size_t n, std::uint64_t seed) {
  require(n > 0, "subset: expected at least 1 image, got 0");
  require(n <= dataset.size(), "subset: cannot take {} images of {}", as_written(n), dataset.size());
  check_sizes("subset", dataset);
  std::vector<std::size_t> order = balanced_order(dataset, seed);
  order.resize(n);
  return chosen(dataset, order);
}

Split split(const Dataset& dataset, std::size_t validation_count, std::uint64_t seed) {
  require(validation_count > 0, "split: expected at least 1 validation image, got 0");
  require(validation_count < dataset.size(), "split: {} validation images of {} leave none to train on",
          as_written(validation_count), dataset.size());
  check_sizes("split", dataset);
  std::vector<std::size_t> order = balanced_order(dataset, seed);
  std::vector<std::size_t> rest(order.begin() + static_cast<std::ptrdiff_t>(validation_count), order.end());
  std::sort(rest.begin(), rest.end());
  order.resize(validation_count);
  return {chosen(dataset, rest), chosen(dataset, order)};
}

}  // namespace xtg::nn
