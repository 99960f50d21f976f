#pragma once

#include <utility>

#include "tensor.hpp"

namespace xtg {

/// The largest element under each window of channels-last images: x (N, H, W, C) -> y (N, OH, OW, C) with
/// OH = (H + 2·padding − kernel)/stride + 1, and the position in x (row-major) of the first largest element of each
/// window. Padding never wins. Throws ValueError unless kernel and stride are at least 1 and padding at most kernel/2,
/// and for one of them that is no size (require_size); ShapeError unless the window fits.
std::pair<Tensor, Indices> max_pool2d(const Tensor& x, std::size_t kernel, std::size_t stride, std::size_t padding);

}  // namespace xtg
