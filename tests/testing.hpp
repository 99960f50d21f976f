#pragma once

// What many tests need: random arrays, distances between arrays, the text of an error, and slow loops that are written
// from the definition of an operation, to compare the library with.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tensor/conv2d.hpp"
#include "tensor/create.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace xtg::testing {

/// Built with a sanitizer, under which the largest cases take too long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// Standard normal numbers; the same for the same seed.
inline Tensor normal(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed, 1);
  return random_normal(shape, generator);
}

/// Uniform in [0.5, 2): away from the poles and kinks of logarithms, roots and quotients.
inline Tensor positive(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed, 2);
  return random_uniform(shape, generator, 0.5, 2);
}

/// max|x|.
inline double largest(const Tensor& x) {
  double result = 0;
  for (std::size_t i = 0; i < x.size(); ++i) result = std::max(result, std::abs(static_cast<double>(x.data()[i])));
  return result;
}

/// max|found − expected| / max|expected|; infinite when shapes differ or something is not finite.
inline double max_error(const Tensor& found, const Tensor& expected) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (found.shape() != expected.shape()) return infinity;
  double difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = static_cast<double>(found.data()[i]) - static_cast<double>(expected.data()[i]);
    if (!std::isfinite(d)) return infinity;
    difference = std::max(difference, std::abs(d));
  }
  return difference == 0 ? 0 : difference / largest(expected);
}

/// |found − expected|₂ / |expected|₂; infinite when shapes differ or something is not finite.
inline double l2_error(const Tensor& found, const Tensor& expected) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (found.shape() != expected.shape()) return infinity;
  double difference = 0, total = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double f = static_cast<double>(found.data()[i]), e = static_cast<double>(expected.data()[i]);
    if (!std::isfinite(f) || !std::isfinite(e)) return infinity;
    difference += (f - e) * (f - e);
    total += e * e;
  }
  return difference == 0 ? 0 : std::sqrt(difference / total);
}

/// Equal in shape and in every bit.
inline bool identical(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(Scalar)) == 0);
}

inline bool equals(const Indices& found, const std::vector<std::int64_t>& values, const Shape& shape) {
  return found.shape() == shape && found.size() == values.size() &&
         std::equal(values.begin(), values.end(), found.data());
}

/// "ShapeError: …" or "ValueError: …", what the call throws; "" if it throws nothing.
template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const ShapeError& error) {
    return std::string("ShapeError: ") + error.what();
  } catch (const ValueError& error) {
    return std::string("ValueError: ") + error.what();
  }
  return "";
}

inline bool starts_with(const std::string& text, const std::string& beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The index along every axis of the element at a row-major offset, and back.
inline std::vector<std::size_t> index_of(std::size_t offset, const Shape& shape) {
  std::vector<std::size_t> index(shape.size());
  for (std::size_t k = shape.size(); k-- > 0; offset /= shape[k]) index[k] = offset % shape[k];
  return index;
}
inline std::size_t offset_of(const std::vector<std::size_t>& index, const Shape& shape) {
  std::size_t offset = 0;
  for (std::size_t k = 0; k < shape.size(); ++k) offset = offset * shape[k] + index[k];
  return offset;
}

/// The offset in an array of shape `from` that a broadcast to shape `to` reads for element `offset`.
inline std::size_t broadcast_offset(std::size_t offset, const Shape& to, const Shape& from) {
  const std::vector<std::size_t> index = index_of(offset, to);
  std::vector<std::size_t> inner(index.end() - static_cast<std::ptrdiff_t>(from.size()), index.end());
  for (std::size_t k = 0; k < from.size(); ++k)
    if (from[k] == 1) inner[k] = 0;
  return offset_of(inner, from);
}

/// out[i] = f(a[…], b[…]), element by element.
template <class F>
Tensor naive_zip(const Shape& out, const Tensor& a, const Tensor& b, const F& f) {
  Tensor y = zeros(out);
  for (std::size_t i = 0; i < y.size(); ++i)
    y.data()[i] = f(a.data()[broadcast_offset(i, out, a.shape())], b.data()[broadcast_offset(i, out, b.shape())]);
  return y;
}

/// x summed back to a shape that broadcasts to x's, accumulated in double.
inline Tensor naive_sum_to(const Tensor& x, const Shape& shape) {
  std::vector<double> total(count(shape), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i)
    total[broadcast_offset(i, x.shape(), shape)] += static_cast<double>(x.data()[i]);
  return tensor(total, shape);
}

/// visit(offset in x, offset in the weights, offset in y) for every product of a convolution: seven loops.
template <class Visit>
void for_each_product(const Conv2dGeometry& g, const Visit& visit) {
  const std::size_t group_in = g.in / g.groups, group_out = g.out / g.groups;
  for (std::size_t n = 0; n < g.n; ++n)
    for (std::size_t i = 0; i < g.oh; ++i)
      for (std::size_t j = 0; j < g.ow; ++j)
        for (std::size_t o = 0; o < g.out; ++o)
          for (std::size_t a = 0; a < g.kh; ++a)
            for (std::size_t b = 0; b < g.kw; ++b) {
              const std::size_t p = i * g.stride + a * g.dilation, q = j * g.stride + b * g.dilation;  // when padded
              if (p < g.padding || q < g.padding || p - g.padding >= g.h || q - g.padding >= g.w) continue;
              for (std::size_t c = 0; c < group_in; ++c)
                visit(((n * g.h + p - g.padding) * g.w + q - g.padding) * g.in + o / group_out * group_in + c,
                      ((o * g.kh + a) * g.kw + b) * group_in + c, ((n * g.oh + i) * g.ow + j) * g.out + o);
            }
}

/// A convolution and its two gradients by for_each_product, summed in double.
struct NaiveConv2d {
  Tensor y, dx, dw;

  NaiveConv2d(const Tensor& x, const Tensor& w, const Tensor* bias, const Tensor& dy, const Conv2dGeometry& g) {
    std::vector<double> sum_y(count(g.output_shape()), 0.0), sum_x(x.size(), 0.0), sum_w(w.size(), 0.0);
    for (std::size_t i = 0; bias != nullptr && i < sum_y.size(); ++i)
      sum_y[i] = static_cast<double>(bias->data()[i % g.out]);
    for_each_product(g, [&](std::size_t at_x, std::size_t at_w, std::size_t at_y) {
      const double vx = static_cast<double>(x.data()[at_x]), vw = static_cast<double>(w.data()[at_w]);
      const double vy = static_cast<double>(dy.data()[at_y]);
      sum_y[at_y] += vx * vw;
      sum_x[at_x] += vy * vw;
      sum_w[at_w] += vy * vx;
    });
    y = tensor(sum_y, g.output_shape());
    dx = tensor(sum_x, x.shape());
    dw = tensor(sum_w, w.shape());
  }
};

/// What a comparison of the same sums in another order may differ by, for sums of moderate length.
constexpr double kRounding = sizeof(Scalar) == 8 ? 1e-13 : 2e-6;

}  // namespace xtg::testing
