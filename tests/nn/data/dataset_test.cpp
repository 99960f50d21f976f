#include "nn/data/dataset.hpp"

#include <doctest/doctest.h>

#include <cmath>

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
