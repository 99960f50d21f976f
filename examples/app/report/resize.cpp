#include "examples/app/report/resize.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/error.hpp"

namespace xtg::app {

namespace {

constexpr std::size_t channels = 3;

/// What a new pixel takes from the old ones first, first + 1, …; the shares add up to 1.
struct Shares {
  std::size_t first;
  std::vector<double> share;
};

std::vector<Shares> box(std::size_t from, std::size_t to) {
  std::vector<Shares> result;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (std::size_t o = 0; o < to; ++o) {
    // Pixel o covers the old ones from o·from/to to (o + 1)·from/to, rounded outwards in whole numbers.
    const std::size_t first = o * from / to, last = ((o + 1) * from + to - 1) / to;
    const double begin = static_cast<double>(o) * scale, end = static_cast<double>(o + 1) * scale;
    Shares shares{first, {}};
    for (std::size_t i = first; i < last; ++i) {
      const double covered = std::min(end, static_cast<double>(i + 1)) - std::max(begin, static_cast<double>(i));
      shares.share.push_back(std::max(covered, 0.0) / scale);
    }
    result.push_back(shares);
  }
  return result;
}

std::vector<Shares> bilinear(std::size_t from, std::size_t to) {
  std::vector<Shares> result;
  for (std::size_t o = 0; o < to; ++o) {
    // The middle of the new pixel, where the middle of old pixel i is i.
    const double middle = (static_cast<double>(o) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double inside = std::clamp(middle, 0.0, static_cast<double>(from - 1));
    const auto first = static_cast<std::size_t>(inside);
    const double part = inside - static_cast<double>(first);
    result.push_back(part == 0 ? Shares{first, {1}} : Shares{first, {1 - part, part}});
  }
  return result;
}

std::vector<Shares> along(std::size_t from, std::size_t to) { return to < from ? box(from, to) : bilinear(from, to); }

}  // namespace

RgbImage resized(const RgbImage& image, std::size_t height, std::size_t width) {
  require(image.height > 0 && image.width > 0 && height > 0 && width > 0,
          "resized: expected images with pixels, got {}x{} and {}x{}", image.width, image.height, width, height);
  const std::vector<Shares> down = along(image.height, height), across = along(image.width, width);
  RgbImage result{height, width, std::vector<std::uint8_t>(height * width * channels)};
  std::vector<double> line(image.width * channels);  // a new row, not yet narrower or wider
  for (std::size_t y = 0; y < height; ++y) {
    std::fill(line.begin(), line.end(), 0.0);
    for (std::size_t k = 0; k < down[y].share.size(); ++k) {
      const std::uint8_t* row = image.pixels.data() + (down[y].first + k) * line.size();
      for (std::size_t i = 0; i < line.size(); ++i) line[i] += down[y].share[k] * row[i];
    }
    for (std::size_t x = 0; x < width; ++x)
      for (std::size_t c = 0; c < channels; ++c) {
        double value = 0;
        for (std::size_t k = 0; k < across[x].share.size(); ++k)
          value += across[x].share[k] * line[(across[x].first + k) * channels + c];
        result.pixels[(y * width + x) * channels + c] = static_cast<std::uint8_t>(std::lround(std::min(value, 255.0)));
      }
  }
  return result;
}

}  // namespace xtg::app
