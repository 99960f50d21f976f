#include "examples/app/report/resize.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/testing.hpp"

using namespace xtg::app;
using namespace xtg::testing;

namespace {

RgbImage pattern(std::size_t height, std::size_t width) {
  RgbImage image{height, width, {}};
  for (std::size_t i = 0; i < height * width * 3; ++i)
    image.pixels.push_back(static_cast<std::uint8_t>(i * 53 + i / 7));
  return image;
}

RgbImage grey(std::size_t height, std::size_t width, const std::vector<int>& values) {
  RgbImage image{height, width, {}};
  for (const int value : values) image.pixels.insert(image.pixels.end(), 3, static_cast<std::uint8_t>(value));
  return image;
}

void check_grey(const RgbImage& image, const std::vector<int>& expected) {
  CHECK(image.pixels == grey(image.height, image.width, expected).pixels);
}

}  // namespace

TEST_CASE("resize: by hand") {
  check_grey(resized(grey(1, 4, {10, 20, 30, 50}), 1, 2), {15, 40});
  check_grey(resized(grey(1, 3, {0, 90, 240}), 1, 2), {30, 190});  // (0 + 90/2)/1.5, (90/2 + 240)/1.5
  check_grey(resized(grey(2, 2, {0, 100, 200, 100}), 1, 1), {100});
  check_grey(resized(grey(1, 2, {0, 100}), 1, 4), {0, 25, 75, 100});
  check_grey(resized(grey(2, 1, {0, 100}), 4, 1), {0, 25, 75, 100});
  check_grey(resized(grey(1, 1, {77}), 2, 3), {77, 77, 77, 77, 77, 77});
  check_grey(resized(grey(4, 1, {10, 20, 30, 50}), 2, 2), {15, 15, 40, 40});  // down shrinks, across grows
}

TEST_CASE("resize: the same size is the same image; one colour stays it in every size") {
  const RgbImage image = pattern(5, 9);
  CHECK(resized(image, 5, 9).pixels == image.pixels);
  for (const std::size_t height : {1, 7, 32, 45, 100})
    for (const std::size_t width : {1, 13, 32, 64, 99}) {
      const RgbImage found =
          resized(RgbImage{height, width, std::vector<std::uint8_t>(height * width * 3, 255)}, 32, 32);
      CHECK(found.height == 32);
      CHECK(found.width == 32);
      CHECK(found.pixels == std::vector<std::uint8_t>(32 * 32 * 3, 255));
    }
}

TEST_CASE("resize: shrinking is the mean over a grid that divides both sizes") {
  const RgbImage image = pattern(10, 21);
  const std::size_t height = 4, width = 6;
  const RgbImage found = resized(image, height, width);
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x)
      for (std::size_t c = 0; c < 3; ++c) {
        double sum = 0;  // over the parts of which each old pixel has height·width and each new one 10·21
        for (std::size_t v = y * 10; v < (y + 1) * 10; ++v)
          for (std::size_t u = x * 21; u < (x + 1) * 21; ++u)
            sum += image.pixels[(v / height * 21 + u / width) * 3 + c];
        CHECK(std::abs(found.pixels[(y * width + x) * 3 + c] - sum / (10 * 21)) < 0.5 + 1e-9);
      }
}

TEST_CASE("resize: nothing cannot be resized") {
  CHECK(error_of([] { resized(RgbImage(), 32, 32); }) ==
        "ValueError: resized: expected images with pixels, got 0x0 and 32x32");
  CHECK(error_of([] { resized(pattern(2, 3), 0, 32); }) ==
        "ValueError: resized: expected images with pixels, got 3x2 and 32x0");
}
