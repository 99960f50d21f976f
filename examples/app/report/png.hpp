#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xtg::app {

/// Pixels of 8-bit sRGB, row by row: (H, W, 3), as a Dataset has them.
struct RgbImage {
  std::size_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;
};

/// Any PNG: grey, palette and 16 bits become 8-bit RGB, what is transparent is put on white. Throws FormatError,
/// "path: …", for a file that cannot be read, is no PNG, is damaged, or has more than 64 million pixels.
RgbImage read_png(const std::string& path);

/// The bytes of a PNG file that shows `pixels` (H, W, 3). Throws ValueError for no pixels, or more than read_png
/// takes.
std::string write_png(const std::uint8_t* pixels, std::size_t height, std::size_t width);

}  // namespace xtg::app
