#include "tensor/indexing.hpp"

#include "tensor/create.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

/// The i-th position, which must be one of 0 … n−1.
std::size_t position_at(const char* operation, const Indices& positions, std::size_t i, std::size_t n) {
  const std::int64_t position = positions.data()[i];
  require(position >= 0 && position < static_cast<std::int64_t>(n), "{}: position {} at {} is not within 0 … {}",
          operation, position, i, static_cast<std::int64_t>(n) - 1);
  return static_cast<std::size_t>(position);
}

}  // namespace

Tensor take(const Tensor& x, const Indices& positions) {
  Tensor y(positions.shape());
  for (std::size_t i = 0; i < y.size(); ++i) y.data()[i] = x.data()[position_at("take", positions, i, x.size())];
  return y;
}

Tensor put(const Tensor& x, const Indices& positions, const Shape& shape) {
  require<ShapeError>(x.shape() == positions.shape(), "put: expected x of the positions' shape {}, got {}",
                      to_string(positions.shape()), to_string(x.shape()));
  Tensor y = zeros(shape);
  for (std::size_t i = 0; i < x.size(); ++i) y.data()[position_at("put", positions, i, y.size())] += x.data()[i];
  return y;
}

void require_positions(const char* operation, const Indices& positions, std::size_t n) {
  for (std::size_t i = 0; i < positions.size(); ++i) position_at(operation, positions, i, n);
}

namespace {

/// Row-major positions in `shape` for a result (…, m, …), from the position along the axis for each of its elements:
/// element (outer, j, inner) of the result is (outer, along(offset), inner) of the array.
template <class Along>
Indices positions_along(const Shape& shape, std::size_t axis, std::size_t m, const Along& along) {
  Shape result = shape;
  result[axis] = m;
  Indices flat(result);
  const std::size_t n = shape[axis];
  const std::size_t inner = count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, shape.end()));
  for (std::size_t i = 0; i < flat.size(); ++i) {
    const std::size_t outer = i / (m * inner), j = static_cast<std::size_t>(along(i, i / inner % m));
    flat.data()[i] = static_cast<std::int64_t>((outer * n + j) * inner + i % inner);
  }
  return flat;
}

}  // namespace

Indices index_select_positions(const Shape& shape, int axis, const Indices& positions) {
  const std::size_t k = normalize_axis("index_select", axis, shape.size());
  require<ShapeError>(positions.dimension() == 1, "index_select: expected a list of positions (K), got {}",
                      to_string(positions.shape()));
  require_positions("index_select", positions, shape[k]);
  return positions_along(shape, k, positions.size(), [&](std::size_t, std::size_t j) { return positions.data()[j]; });
}

Indices gather_positions(const Shape& shape, int axis, const Indices& positions) {
  const std::size_t k = normalize_axis("gather", axis, shape.size());
  Shape expected = shape;
  if (positions.dimension() == shape.size()) expected[k] = positions.shape()[k];
  require<ShapeError>(positions.shape() == expected,
                      "gather: expected positions of x's shape {} but for axis {}, got {}", to_string(shape), k,
                      to_string(positions.shape()));
  require_positions("gather", positions, shape[k]);
  return positions_along(shape, k, expected[k], [&](std::size_t i, std::size_t) { return positions.data()[i]; });
}

Tensor one_hot(const char* operation, const Indices& labels, std::size_t classes) {
  require_size(operation, "number of classes", classes);
  const auto k = static_cast<std::int64_t>(classes);
  Tensor y = zeros({labels.size(), classes});
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int64_t label = labels.data()[i];
    require(label >= 0 && label < k, "{}: label {} at {} is not within 0 … {}", operation, label, i, k - 1);
    y.data()[i * classes + static_cast<std::size_t>(label)] = 1;
  }
  return y;
}

}  // namespace xtg
