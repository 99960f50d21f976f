#include "autograd/ops/pool2d.hpp"

#include "autograd/operation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/indexing.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/pool2d.hpp"
#include "tensor/shape.hpp"

namespace xtg {

// The maximum is the element at a position that does not change with small changes of x: its definition is `take` at
// those positions, and the gradient is `put` back there.
Variable max_pool2d(const Variable& x, std::size_t kernel, std::size_t stride, std::size_t padding) {
  const auto found = max_pool2d(x.value(), kernel, stride, padding);
  const Indices& positions = found.second;
  return operation(
      "max_pool2d", {x}, [positions](const Variables& v) { return take(v[0], positions); },
      [&] {
        return Computed{found.first, [positions](const Variable& dy, const Context& c) {
                          return Variables{put(dy, positions, c.input_shape(0))};
                        }};
      });
}

Variable avg_pool2d(const Variable& x, std::size_t kernel, std::size_t stride, std::size_t padding) {
  require<ShapeError>(x.shape().size() == 4, "avg_pool2d: expected x (N, H, W, C), got {}", to_string(x.shape()));
  const Shape& s = x.shape();
  require_size("avg_pool2d", "kernel", kernel);
  require_size("avg_pool2d", "stride", stride);
  require_size("avg_pool2d", "padding", padding);
  require(kernel >= 1 && stride >= 1, "avg_pool2d: expected kernel and stride of at least 1, got {} and {}", kernel,
          stride);
  require<ShapeError>(s[1] + 2 * padding >= kernel && s[2] + 2 * padding >= kernel,
                      "avg_pool2d: a window of {} does not fit into {} with padding {}", kernel, to_string(s), padding);
  const std::size_t channels = s[3];
  const Conv2dGeometry g = conv2d_geometry(x.shape(), {channels, kernel, kernel, channels}, stride, padding);
  const Variable windows = reshape(unfold(x, g), Shape{g.n * g.oh * g.ow, kernel * kernel, channels});
  return reshape(mean(windows, {1}), g.output_shape());
}

Variable global_avg_pool2d(const Variable& x) {
  require<ShapeError>(x.shape().size() == 4, "global_avg_pool2d: expected x (N, H, W, C), got {}",
                      to_string(x.shape()));
  require<ShapeError>(x.shape()[1] > 0 && x.shape()[2] > 0, "global_avg_pool2d: no pixels in {}", to_string(x.shape()));
  return mean(x, {1, 2});
}

}  // namespace xtg
