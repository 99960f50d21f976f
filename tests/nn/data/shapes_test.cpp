#include "nn/data/shapes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tensor/error.hpp"

using namespace xtg;
using namespace xtg::nn;

TEST_CASE("shapes: ten balanced classes of CIFAR's shape") {
  const Dataset dataset = make_shapes(1000, 0, true);
  CHECK(dataset.size() == 1000);
  CHECK(dataset.images.size() == 1000 * 32 * 32 * 3);
  CHECK(dataset.height == 32);
  CHECK(dataset.width == 32);
  CHECK(dataset.channels == 3);
  CHECK(std::set<std::string>(dataset.class_names.begin(), dataset.class_names.end()).size() == 10);
  for (int label = 0; label < 10; ++label) {
    CHECK(std::count(dataset.labels.begin(), dataset.labels.end(), label) == 100);
    CHECK(std::count(dataset.labels.begin(), dataset.labels.begin() + 50, label) == 5);
  }
  CHECK_THROWS_WITH_AS(make_shapes(0, 0, true), "make_shapes: expected at least 1 image, got 0", ValueError);
}

TEST_CASE("shapes: the same seed gives the same bytes, and an image depends on its number only") {
  const Dataset a = make_shapes(60, 7, true), b = make_shapes(60, 7, true), longer = make_shapes(90, 7, true);
  CHECK(a.images == b.images);
  CHECK(a.labels == b.labels);
  CHECK(std::equal(a.images.begin(), a.images.end(), longer.images.begin()));
}

TEST_CASE("shapes: no image occurs twice, in a split, in the other, or with another seed") {
  std::set<std::vector<std::uint8_t>> seen;
  for (const Dataset& dataset : {make_shapes(200, 7, true), make_shapes(200, 7, false), make_shapes(200, 8, true)}) {
    for (std::size_t i = 0; i < dataset.size(); ++i) {
      seen.emplace(dataset.image(i), dataset.image(i) + dataset.image_size());
    }
  }
  CHECK(seen.size() == 600);
}

TEST_CASE("shapes: the average image of a class gives it away as little as another's") {
  // What a linear classifier could use. Over many images, position and colour average out to a grey blur.
  const Dataset dataset = make_shapes(4000, 1, true);
  std::vector<std::vector<double>> mean(10, std::vector<double>(3072));
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    for (std::size_t p = 0; p < 3072; ++p) mean[dataset.labels[i]][p] += dataset.image(i)[p] / 400.0;
  }
  for (std::size_t p = 0; p < 3072; ++p) {
    for (int label = 0; label < 10; ++label) {
      REQUIRE(mean[label][p] > 100);
      REQUIRE(mean[label][p] < 170);
    }
  }
}

TEST_CASE("shapes: a figure is drawn in every image, and colours use the whole range") {
  const Dataset dataset = make_shapes(300, 3, false);
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const auto [low, high] = std::minmax_element(dataset.image(i), dataset.image(i) + dataset.image_size());
    CHECK(*high - *low > 60);
  }
  const Standardization s = measure(dataset);
  for (int c = 0; c < 3; ++c) {
    CHECK(s.mean[c] > 0.4);
    CHECK(s.mean[c] < 0.65);
    CHECK(s.stddev[c] > 0.15);
  }
}
