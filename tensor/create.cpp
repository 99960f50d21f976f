#include "tensor/create.hpp"

#include <algorithm>

#include "tensor/shape.hpp"

namespace xtg {

Tensor empty(const Shape& shape) { return Tensor(shape); }

Tensor full(const Shape& shape, Scalar value) {
  Tensor x(shape);
  std::fill(x.data(), x.data() + x.size(), value);
  return x;
}

Tensor zeros(const Shape& shape) { return full(shape, 0); }
Tensor ones(const Shape& shape) { return full(shape, 1); }
Tensor zeros_like(const Tensor& x) { return full(x.shape(), 0); }
Tensor ones_like(const Tensor& x) { return full(x.shape(), 1); }
Tensor scalar(Scalar value) { return full(Shape{}, value); }

Tensor tensor(const std::vector<double>& values, const Shape& shape) {
  require<ShapeError>(values.size() == count(shape), "tensor: {} values do not fill shape {}", values.size(),
                      to_string(shape));
  Tensor x(shape);
  std::transform(values.begin(), values.end(), x.data(), [](double v) { return static_cast<Scalar>(v); });
  return x;
}

Indices indices(const std::vector<std::int64_t>& values) { return indices(values, Shape{values.size()}); }

Indices indices(const std::vector<std::int64_t>& values, const Shape& shape) {
  require<ShapeError>(values.size() == count(shape), "indices: {} values do not fill shape {}", values.size(),
                      to_string(shape));
  Indices x(shape);
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

Tensor arange(std::size_t n) {
  require_size("arange", "length", n);
  Tensor x(Shape{n});
  for (std::size_t i = 0; i < n; ++i) x.data()[i] = static_cast<Scalar>(i);  // x[i − 1] + 1 stays at 2^24 in float
  return x;
}

}  // namespace xtg
