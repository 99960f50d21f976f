#pragma once

#include "examples/app/report/png.hpp"

namespace xtg::app {

/// The whole image in another size; its proportions are not kept. Along each axis on its own: where it shrinks, each
/// new pixel is the mean of what it covers, parts of pixels by their share (a box filter); where it grows, it lies
/// between the two nearest pixels and blends them (bilinear), those at the border repeated beyond it. Means of the
/// 8-bit values, rounded once at the end. Throws ValueError for an image or a size without pixels.
RgbImage resized(const RgbImage& image, std::size_t height, std::size_t width);

}  // namespace xtg::app
