#include "assignment/grader/compare.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/shape.hpp"

namespace xtg::assignment {
namespace {

/// A shape with at most eight axes shown.
std::string first_axes(const Shape& shape) {
  if (shape.size() <= 8) return to_string(shape);
  std::string text = to_string(Shape(shape.begin(), shape.begin() + 8));
  text.back() = ',';
  return text + fmt::format(" …), {} axes", shape.size());
}

}  // namespace

double l2_error(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  double difference = 0, reference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
    difference += (x - y) * (x - y);
    reference += y * y;
  }
  if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
  return reference > 0 ? std::sqrt(difference / reference) : std::sqrt(difference);
}

bool same_answer(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  double difference = 0, reference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
    if (std::isfinite(x) != std::isfinite(y)) return false;
    if (!std::isfinite(x)) continue;
    difference += (x - y) * (x - y);
    reference += y * y;
  }
  return std::sqrt(difference) <= 1e-8 * std::sqrt(reference) + 1e-14;
}

std::string plain_fault(const std::string& name, const Tensor& a, const Tensor& b, double tolerance) {
  if (a.shape() != b.shape())
    return name + " has the shape " + first_axes(a.shape()) + ", expected " + to_string(b.shape());
  if (l2_error(a, b) <= tolerance) return "";
  bool only_zeros = true;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a.data()[i]))
      return name + " is not finite (" + (std::isnan(a.data()[i]) ? "NaN" : "infinite") + ") at element " +
             std::to_string(i) + " in row-major order";
    only_zeros = only_zeros && a.data()[i] == 0;
  }
  return only_zeros ? name + " is 0 everywhere: was it ever written?" : "?";
}

Tensor first_rows(const Tensor& t, std::size_t n) {
  Tensor rows(Shape{n, t.shape().back()});
  std::copy_n(t.data(), rows.size(), rows.data());
  return rows;
}

bool begins_with(const Tensor& a, const Tensor& b) {
  if (a.size() < b.size()) return false;
  Tensor beginning(b.shape());
  std::copy_n(a.data(), b.size(), beginning.data());
  return same_answer(beginning, b);
}

std::string columns_fault(const std::string& name, const Tensor& a, const Tensor& b, double tolerance) {
  if (a.shape() != b.shape() || b.dimension() == 0) return "";
  const std::size_t C = b.shape().back();
  std::vector<std::size_t> right, wrong;
  for (std::size_t c = 0; c < C; ++c) {
    double difference = 0, reference = 0;
    for (std::size_t i = c; i < b.size(); i += C) {
      const auto x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
      difference += (x - y) * (x - y);
      reference += y * y;
    }
    (std::sqrt(difference) <= tolerance * std::sqrt(reference) ? right : wrong).push_back(c);
  }
  if (right.empty() || wrong.empty()) return "";
  return fmt::format(
      "{} is right in {} {}, wrong in {}: do your sums start at 0? The elements of a new Tensor are not set; "
      "zeros(shape) has zeros.",
      name, right.size() == 1 ? "column" : "columns", fmt::join(right, ", "), fmt::join(wrong, ", "));
}

std::string list(const std::vector<double>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size() && i < 6; ++i)
    text += fmt::format("{}{:.3g}", i == 0 ? "" : ", ", values[i]);
  return text + (values.size() > 6 ? ", …" : "");
}

}  // namespace xtg::assignment
