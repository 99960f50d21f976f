#pragma once

#include "../variable.hpp"

namespace xtg {

// Pooling of channels-last images, x (N, H, W, C) -> (N, OH, OW, C) with OH = (H + 2·padding − kernel)/stride + 1.
// Throw ShapeError where the window does not fit, ValueError for kernel or stride 0, or a kernel, stride or padding
// that is no size.

/// The largest element of each window; its gradient goes to the first largest element. Padding never wins,
/// and is at most kernel/2 (ValueError).
Variable max_pool2d(const Variable& x, std::size_t kernel, std::size_t stride, std::size_t padding = 0);

/// The mean of each window, padding zeros counted (PyTorch's count_include_pad). Padding may be any, and windows that
/// lie in it alone have mean 0; PyTorch refuses more than kernel/2.
Variable avg_pool2d(const Variable& x, std::size_t kernel, std::size_t stride, std::size_t padding = 0);

/// The mean over the whole image: (N, H, W, C) -> (N, C). Throws ShapeError for images without pixels.
Variable global_avg_pool2d(const Variable& x);

}  // namespace xtg
