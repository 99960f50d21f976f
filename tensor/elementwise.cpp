#include "tensor/elementwise.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "tensor/kernels/broadcast.hpp"
#include "tensor/shaping.hpp"

namespace xtg {
namespace {

using kernels::kGrain;

template <class F>
Tensor map(const Tensor& x, const F& f) {
  Tensor y(x.shape());
  kernels::map(y.data(), x.data(), x.size(), f);
  return y;
}

template <class F>
Tensor zip(const char* name, const Tensor& a, const Tensor& b, const F& f) {
  Tensor y(a.shape() == b.shape() ? a.shape() : broadcast_shapes(name, a.shape(), b.shape()));
  kernels::zip(y.data(), y.shape(), a.data(), a.shape(), b.data(), b.shape(), f);
  return y;
}

/// The same in the memory of an operand, if that has the result's shape.
template <class F>
Tensor zip_in(Tensor& lender, const char* name, const Tensor& a, const Tensor& b, const F& f) {
  if (a.shape() != b.shape() && broadcast_shapes(name, a.shape(), b.shape()) != lender.shape())
    return zip(name, a, b, f);
  kernels::zip(lender.data(), lender.shape(), a.data(), a.shape(), b.data(), b.shape(), f);
  return std::move(lender);
}
/// Of two temporaries the larger: a smaller one cannot have the result's shape.
Tensor& lender(Tensor& a, Tensor& b) { return a.size() >= b.size() ? a : b; }

template <class F>
Mask compare(const char* name, const Tensor& a, const Tensor& b, const F& f) {
  Mask y{broadcast_shapes(name, a.shape(), b.shape()), {}};
  y.values.resize(count(y.shape));
  kernels::zip(y.values.data(), y.shape, a.data(), a.shape(), b.data(), b.shape(),
               [&f](Scalar u, Scalar v) -> unsigned char { return f(u, v); });
  return y;
}

void require_same_shape(const char* name, const Tensor& a, const Tensor& b) {
  require<ShapeError>(a.shape() == b.shape(), "{}: expected equal shapes, got {} and {}", name, to_string(a.shape()),
                      to_string(b.shape()));
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return zip("add", a, b, std::plus<>()); }
Tensor subtract(const Tensor& a, const Tensor& b) { return zip("subtract", a, b, std::minus<>()); }
Tensor multiply(const Tensor& a, const Tensor& b) { return zip("multiply", a, b, std::multiplies<>()); }
Tensor divide(const Tensor& a, const Tensor& b) { return zip("divide", a, b, std::divides<>()); }

Tensor operator+(Tensor&& a, const Tensor& b) { return zip_in(a, "add", a, b, std::plus<>()); }
Tensor operator-(Tensor&& a, const Tensor& b) { return zip_in(a, "subtract", a, b, std::minus<>()); }
Tensor operator*(Tensor&& a, const Tensor& b) { return zip_in(a, "multiply", a, b, std::multiplies<>()); }
Tensor operator/(Tensor&& a, const Tensor& b) { return zip_in(a, "divide", a, b, std::divides<>()); }
Tensor operator+(const Tensor& a, Tensor&& b) { return zip_in(b, "add", a, b, std::plus<>()); }
Tensor operator-(const Tensor& a, Tensor&& b) { return zip_in(b, "subtract", a, b, std::minus<>()); }
Tensor operator*(const Tensor& a, Tensor&& b) { return zip_in(b, "multiply", a, b, std::multiplies<>()); }
Tensor operator/(const Tensor& a, Tensor&& b) { return zip_in(b, "divide", a, b, std::divides<>()); }
Tensor operator+(Tensor&& a, Tensor&& b) { return zip_in(lender(a, b), "add", a, b, std::plus<>()); }
Tensor operator-(Tensor&& a, Tensor&& b) { return zip_in(lender(a, b), "subtract", a, b, std::minus<>()); }
Tensor operator*(Tensor&& a, Tensor&& b) { return zip_in(lender(a, b), "multiply", a, b, std::multiplies<>()); }
Tensor operator/(Tensor&& a, Tensor&& b) { return zip_in(lender(a, b), "divide", a, b, std::divides<>()); }

Tensor add(const Tensor& a, Scalar b) {
  return map(a, [b](Scalar v) { return v + b; });
}
Tensor subtract(const Tensor& a, Scalar b) {
  return map(a, [b](Scalar v) { return v - b; });
}
Tensor subtract(Scalar a, const Tensor& b) {
  return map(b, [a](Scalar v) { return a - v; });
}
Tensor multiply(const Tensor& a, Scalar b) {
  return map(a, [b](Scalar v) { return v * b; });
}
Tensor divide(const Tensor& a, Scalar b) {
  return map(a, [b](Scalar v) { return v / b; });
}
Tensor divide(Scalar a, const Tensor& b) {
  return map(b, [a](Scalar v) { return a / v; });
}
Tensor pow(const Tensor& x, Scalar p) {
  return map(x, [p](Scalar v) { return std::pow(v, p); });
}

Tensor pow(const Tensor& a, const Tensor& b) {
  return zip("pow", a, b, [](Scalar u, Scalar v) { return std::pow(u, v); });
}

// A comparison with NaN is false: a NaN in v is what is left, and one in u is asked for.
Tensor minimum(const Tensor& a, const Tensor& b) {
  return zip("minimum", a, b, [](Scalar u, Scalar v) { return u < v || u != u ? u : v; });
}
Tensor maximum(const Tensor& a, const Tensor& b) {
  return zip("maximum", a, b, [](Scalar u, Scalar v) { return u > v || u != u ? u : v; });
}
Tensor clamp(const Tensor& x, Scalar low, Scalar high) {
  require(low <= high, "clamp: expected low ≤ high, got {} and {}", low, high);
  return map(x, [=](Scalar v) { return v < low ? low : v > high ? high : v; });
}

Tensor negative(const Tensor& x) {
  return map(x, [](Scalar v) { return -v; });
}
Tensor abs(const Tensor& x) {
  return map(x, [](Scalar v) { return std::abs(v); });
}
Tensor sign(const Tensor& x) {
  return map(x, [](Scalar v) { return v > 0 ? Scalar{1} : v < 0 ? Scalar{-1} : v; });
}
Tensor exp(const Tensor& x) {
  return map(x, [](Scalar v) { return std::exp(v); });
}
Tensor expm1(const Tensor& x) {
  return map(x, [](Scalar v) { return std::expm1(v); });
}
Tensor log(const Tensor& x) {
  return map(x, [](Scalar v) { return std::log(v); });
}
Tensor log1p(const Tensor& x) {
  return map(x, [](Scalar v) { return std::log1p(v); });
}
Tensor sqrt(const Tensor& x) {
  return map(x, [](Scalar v) { return std::sqrt(v); });
}
Tensor rsqrt(const Tensor& x) {
  return map(x, [](Scalar v) { return 1 / std::sqrt(v); });
}
Tensor square(const Tensor& x) {
  return map(x, [](Scalar v) { return v * v; });
}
Tensor sin(const Tensor& x) {
  return map(x, [](Scalar v) { return std::sin(v); });
}
Tensor cos(const Tensor& x) {
  return map(x, [](Scalar v) { return std::cos(v); });
}
Tensor tanh(const Tensor& x) {
  return map(x, [](Scalar v) { return std::tanh(v); });
}
Tensor erf(const Tensor& x) {
  return map(x, [](Scalar v) { return std::erf(v); });
}
Tensor erfc(const Tensor& x) {
  return map(x, [](Scalar v) { return std::erfc(v); });
}
Tensor relu(const Tensor& x) {
  return map(x, [](Scalar v) { return v <= 0 ? Scalar{0} : v; });
}

Mask less(const Tensor& a, const Tensor& b) { return compare("less", a, b, std::less<>()); }
Mask less_equal(const Tensor& a, const Tensor& b) { return compare("less_equal", a, b, std::less_equal<>()); }
Mask less_equal(const Tensor& x, Scalar value) { return less_equal(x, Tensor(Shape{}, value)); }
Mask greater(const Tensor& a, const Tensor& b) { return compare("greater", a, b, std::greater<>()); }
Mask greater_equal(const Tensor& a, const Tensor& b) { return compare("greater_equal", a, b, std::greater_equal<>()); }
Mask equal(const Tensor& a, const Tensor& b) { return compare("equal", a, b, std::equal_to<>()); }
Mask not_equal(const Tensor& a, const Tensor& b) { return compare("not_equal", a, b, std::not_equal_to<>()); }

Tensor where(const Mask& mask, const Tensor& a, const Tensor& b) {
  require<ShapeError>(mask.values.size() == count(mask.shape), "where: a mask of shape {} needs {} values, got {}",
                      to_string(mask.shape), count(mask.shape), mask.values.size());
  const Shape shape = broadcast_shapes("where", broadcast_shapes("where", a.shape(), b.shape()), mask.shape);
  // Only three arguments broadcast here and nowhere else, so the two smaller ones are written out in full.
  const Tensor whole_a = broadcast_to(a, shape), whole_b = broadcast_to(b, shape);
  std::vector<unsigned char> holds(count(shape));
  kernels::zip(holds.data(), shape, mask.values.data(), mask.shape, whole_a.data(), shape,
               [](unsigned char m, Scalar) { return m; });
  Tensor y(shape);
  for (std::size_t i = 0; i < y.size(); ++i) y.data()[i] = holds[i] ? whole_a.data()[i] : whole_b.data()[i];
  return y;
}

Tensor relu_backward(const Tensor& dy, const Tensor& y) {
  require_same_shape("relu_backward", dy, y);
  return zip("relu_backward", dy, y, [](Scalar d, Scalar v) { return v <= 0 ? Scalar{0} : d; });
}

void add_in_place(Tensor& a, const Tensor& b) {
  require_same_shape("add_in_place", a, b);
  kernels::zip(a.data(), a.shape(), a.data(), a.shape(), b.data(), b.shape(), [](Scalar u, Scalar v) { return u + v; });
}

void add_in_place(Tensor& a, Scalar factor, const Tensor& b) {
  require_same_shape("add_in_place", a, b);
  kernels::zip(a.data(), a.shape(), a.data(), a.shape(), b.data(), b.shape(),
               [factor](Scalar u, Scalar v) { return u + factor * v; });
}

void multiply_in_place(Tensor& a, Scalar factor) {
  kernels::map(a.data(), a.data(), a.size(), [factor](Scalar v) { return v * factor; });
}

bool all_finite(const Tensor& x) {
  return std::all_of(x.data(), x.data() + x.size(), [](Scalar v) { return std::isfinite(v); });
}

}  // namespace xtg
