#include "tensor/print.hpp"

#include "tensor/shape.hpp"

namespace xtg {
namespace {

constexpr std::size_t kEdge = 3;  // entries shown at each end of a long axis

std::string print_axis(const Tensor& x, std::size_t axis, std::size_t offset, int precision) {
  if (axis == x.dimension()) return fmt::format("{:.{}g}", x.data()[offset], precision);
  const std::size_t n = x.shape()[axis];
  const std::size_t stride = count(Shape(x.shape().begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.shape().end()));
  std::string text = "{";
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0) text += ", ";
    if (n > 2 * kEdge + 1 && i == kEdge) {
      text += "…, ";
      i = n - kEdge;
    }
    text += print_axis(x, axis + 1, offset + i * stride, precision);
  }
  return text + "}";
}

}  // namespace

std::string to_string(const Tensor& x, int precision) {
  require(precision >= 0 && precision <= 100, "to_string: expected 0 to 100 significant digits, got {}", precision);
  return print_axis(x, 0, 0, precision) + " " + to_string(x.shape());
}

}  // namespace xtg
