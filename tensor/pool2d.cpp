#include "tensor/pool2d.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/shape.hpp"

namespace xtg {

std::pair<Tensor, Indices> max_pool2d(const Tensor& x, std::size_t kernel, std::size_t stride, std::size_t padding) {
  const Shape& s = x.shape();
  require<ShapeError>(s.size() == 4, "max_pool2d: expected x (N, H, W, C), got {}", to_string(s));
  require_size("max_pool2d", "kernel", kernel);
  require_size("max_pool2d", "stride", stride);
  require_size("max_pool2d", "padding", padding);
  require(kernel >= 1 && stride >= 1 && 2 * padding <= kernel,
          "max_pool2d: expected kernel and stride of at least 1 and padding of at most kernel/2, got {}, {}, {}",
          kernel, stride, padding);
  require<ShapeError>(s[1] >= 1 && s[2] >= 1 && s[1] + 2 * padding >= kernel && s[2] + 2 * padding >= kernel,
                      "max_pool2d: a window of {} does not fit into {} with padding {}", kernel, to_string(s), padding);
  const std::size_t h = s[1], w = s[2], channels = s[3];
  const std::size_t oh = (h + 2 * padding - kernel) / stride + 1, ow = (w + 2 * padding - kernel) / stride + 1;
  Tensor y(Shape{s[0], oh, ow, channels});
  Indices positions(y.shape());
  const auto first = [&](std::size_t i) { return i * stride > padding ? i * stride - padding : 0; };
  const auto last = [&](std::size_t i, std::size_t size) { return std::min(i * stride + kernel - padding, size); };
  std::size_t out = 0;
  for (std::size_t n = 0; n < s[0]; ++n)
    for (std::size_t i = 0; i < oh; ++i)
      for (std::size_t j = 0; j < ow; ++j)
        for (std::size_t c = 0; c < channels; ++c, ++out) {
          std::size_t best = ((n * h + first(i)) * w + first(j)) * channels + c;
          for (std::size_t a = first(i); a < last(i, h); ++a)
            for (std::size_t b = first(j); b < last(j, w); ++b) {
              const std::size_t p = ((n * h + a) * w + b) * channels + c;
              if (x.data()[p] > x.data()[best] || (std::isnan(x.data()[p]) && !std::isnan(x.data()[best]))) best = p;
            }
          y.data()[out] = x.data()[best];
          positions.data()[out] = static_cast<std::int64_t>(best);
        }
  return {std::move(y), std::move(positions)};
}

}  // namespace xtg
