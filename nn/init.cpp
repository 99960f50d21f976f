#include "nn/init.hpp"

#include <cmath>

#include "tensor/shape.hpp"

namespace xtg::nn {

Tensor kaiming_normal_fan_out(const Shape& shape, Generator& generator) {
  require<ShapeError>(shape.size() == 4, "kaiming_normal_fan_out: expected a weight (O, KH, KW, I), got {}",
                      to_string(shape));
  count(shape);  // no product wraps
  const std::size_t fan_out = shape[0] * shape[1] * shape[2];
  if (fan_out == 0) return Tensor(shape);
  return random_normal(shape, generator, std::sqrt(2.0 / static_cast<double>(fan_out)));
}

Tensor uniform_fan_in(const Shape& shape, std::size_t fan_in, Generator& generator) {
  require(fan_in > 0, "uniform_fan_in: expected a fan-in of at least 1, got 0");
  require_size("uniform_fan_in", "fan-in", fan_in);
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return random_uniform(shape, generator, -bound, bound);
}

}  // namespace xtg::nn
