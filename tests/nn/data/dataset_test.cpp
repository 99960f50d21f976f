#include "nn/data/dataset.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tensor/error.hpp"

using namespace xtg;
using namespace xtg::nn;

namespace {

Dataset small() {  // two images of 1×2 pixels
  Dataset dataset;
  dataset.height = 1;
  dataset.width = 2;
  dataset.images = {0, 10, 255, 100, 20, 255, /**/ 50, 30, 255, 250, 40, 255};
  dataset.labels = {4, 7};
  return dataset;
}

}  // namespace

TEST_CASE("dataset: images are found by number") {
  const Dataset dataset = small();
  CHECK(dataset.size() == 2);
  CHECK(dataset.image_size() == 6);
  CHECK(dataset.image(0)[3] == 100);
  CHECK(dataset.image(1)[0] == 50);
  CHECK_THROWS_WITH_AS(dataset.image(2), "dataset: there is no image 2, the dataset has 2", ValueError);
}

TEST_CASE("dataset: limit keeps the first images and their labels") {
  Dataset dataset = small();
  dataset.limit(5);
  CHECK(dataset.size() == 2);
  dataset.limit(1);
  CHECK(dataset.labels == std::vector<std::int64_t>{4});
  CHECK(dataset.images == std::vector<std::uint8_t>{0, 10, 255, 100, 20, 255});
  CHECK_THROWS_WITH_AS(dataset.limit(0), "dataset: the limit must be at least 1 image, got 0", ValueError);
}

TEST_CASE("measure: mean and biased standard deviation of each channel") {
  const Standardization s = measure(small());
  CHECK(s.mean[0] == doctest::Approx(100 / 255.0).epsilon(1e-14));  // of 0, 100, 50, 250
  CHECK(s.stddev[0] == doctest::Approx(std::sqrt(8750.0) / 255).epsilon(1e-14));
  CHECK(s.mean[1] == doctest::Approx(25 / 255.0).epsilon(1e-14));  // of 10, 20, 30, 40
  CHECK(s.stddev[1] == doctest::Approx(std::sqrt(125.0) / 255).epsilon(1e-14));
  CHECK(s.mean[2] == 1);
  CHECK(s.stddev[2] == 0);
}

TEST_CASE("measure: many pixels of small variance lose nothing") {
  Dataset dataset;
  dataset.height = dataset.width = 1000;
  dataset.channels = 1;
  dataset.labels = {0, 0, 0, 0};
  dataset.images.assign(4000000, 254);
  for (std::size_t i = 0; i < dataset.images.size(); i += 2) dataset.images[i] = 255;
  const Standardization s = measure(dataset);
  CHECK(s.mean[0] == doctest::Approx(254.5 / 255).epsilon(1e-14));
  CHECK(s.stddev[0] == doctest::Approx(0.5 / 255).epsilon(1e-14));
}

TEST_CASE("measure: bad datasets are refused") {
  CHECK_THROWS_WITH_AS(measure(Dataset{}), "measure: the dataset is empty", ValueError);
  Dataset dataset = small();
  dataset.channels = 6;
  dataset.width = 1;
  CHECK_THROWS_WITH_AS(measure(dataset), "measure: expected at most 3 channels, got 6", ValueError);
}

namespace {

/// Fifteen images of 2×1 pixels and one channel, the image's number in both pixels: ten of class 5, four of class 0,
/// one of class −2, mixed.
Dataset unbalanced() {
  Dataset dataset;
  dataset.height = 2;
  dataset.width = dataset.channels = 1;
  dataset.class_names = {"a", "b"};
  dataset.labels = {5, 5, 0, 5, 5, 5, 0, -2, 5, 5, 0, 5, 5, 0, 5};
  for (std::uint8_t i = 0; i < 15; ++i) dataset.images.insert(dataset.images.end(), {i, i});
  return dataset;
}

/// The numbers of the images in a part of unbalanced(), checked to have their own labels and sizes.
std::vector<int> numbers(const Dataset& part) {
  const Dataset whole = unbalanced();
  CHECK(part.height == 2);
  CHECK(part.width == 1);
  CHECK(part.channels == 1);
  CHECK(part.class_names == whole.class_names);
  REQUIRE(part.images.size() == 2 * part.size());
  std::vector<int> result;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::uint8_t number = part.image(i)[0];
    CHECK(part.image(i)[1] == number);
    CHECK(part.labels[i] == whole.labels[number]);
    result.push_back(number);
  }
  return result;
}

}  // namespace

TEST_CASE("subset: balanced as far as the classes go, each first part too") {
  const Dataset dataset = unbalanced();
  const std::map<std::int64_t, int> available = {{5, 10}, {0, 4}, {-2, 1}};
  const std::vector<int> all = numbers(subset(dataset, 15, 3));
  std::vector<int> sorted = all, expected(15);
  std::sort(sorted.begin(), sorted.end());
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(sorted == expected);  // every image once
  for (std::size_t n = 1; n <= 15; ++n) {
    const Dataset part = subset(dataset, n, 3);
    CHECK(numbers(part) == std::vector<int>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)));
    std::map<std::int64_t, int> count = {{5, 0}, {0, 0}, {-2, 0}};
    for (const std::int64_t label : part.labels) ++count[label];
    int most = 0;
    for (const auto& [label, found] : count) most = std::max(most, found);
    for (const auto& [label, found] : count) {
      const int least = std::min(most - 1, available.at(label));
      CHECK(found >= least);
    }
  }
}

TEST_CASE("subset: the same images for the same seed, each as likely") {
  const Dataset dataset = unbalanced();
  CHECK(numbers(subset(dataset, 7, 1)) == numbers(subset(dataset, 7, 1)));
  CHECK(numbers(subset(dataset, 7, 1)) != numbers(subset(dataset, 7, 2)));
  std::map<std::int64_t, int> first;
  std::vector<int> chosen(15);
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const Dataset one = subset(dataset, 1, seed);
    ++first[one.labels[0]];
    const Dataset part = subset(dataset, 5, seed);  // two of class 5, two of class 0
    for (std::size_t i = 0; i < 5; ++i) ++chosen[part.image(i)[0]];
  }
  for (const auto& [label, count] : first) CHECK(std::abs(count - 1000) < 130);  // five standard deviations
  for (std::size_t i = 0; i < 15; ++i) {
    const double share = dataset.labels[i] == 5 ? 0.2 : dataset.labels[i] == 0 ? 0.5 : 1;
    CHECK(std::abs(chosen[i] - 3000 * share) <= 5 * std::sqrt(3000 * share * (1 - share)));
  }
}

TEST_CASE("split: validation and training images have nothing in common, and are all there") {
  const Dataset dataset = unbalanced();
  for (std::size_t n = 1; n < 15; ++n) {
    const Split parts = split(dataset, n, 8);
    std::vector<int> train = numbers(parts.train), both = numbers(parts.validation);
    CHECK(both == numbers(subset(dataset, n, 8)));
    CHECK(both.size() == n);
    CHECK(std::is_sorted(train.begin(), train.end()));
    both.insert(both.end(), train.begin(), train.end());
    std::sort(both.begin(), both.end());
    std::vector<int> expected(15);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(both == expected);
  }
}

TEST_CASE("subset and split: bad arguments are refused") {
  Dataset dataset = unbalanced();
  CHECK_THROWS_WITH_AS(subset(dataset, 0, 1), "subset: expected at least 1 image, got 0", ValueError);
  CHECK_THROWS_WITH_AS(subset(dataset, 16, 1), "subset: cannot take 16 images of 15", ValueError);
  CHECK_THROWS_WITH_AS(subset(Dataset{}, 1, 1), "subset: cannot take 1 images of 0", ValueError);
  CHECK_THROWS_WITH_AS(split(dataset, 0, 1), "split: expected at least 1 validation image, got 0", ValueError);
  CHECK_THROWS_WITH_AS(split(dataset, 15, 1), "split: 15 validation images of 15 leave none to train on", ValueError);
  CHECK_THROWS_WITH_AS(split(Dataset{}, 1, 1), "split: 1 validation images of 0 leave none to train on", ValueError);
  dataset.images.pop_back();
  CHECK_THROWS_WITH_AS(subset(dataset, 5, 1), "subset: 15 labels need 30 bytes of images, got 29", ValueError);
  CHECK_THROWS_WITH_AS(split(dataset, 5, 1), "split: 15 labels need 30 bytes of images, got 29", ValueError);
}
