#pragma once

#include "tensor.hpp"

namespace xtg {

// Element by element, with NumPy broadcasting. Each returns a new array. Shapes that do not fit throw ShapeError.

Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);

Tensor add(const Tensor& a, Scalar b);
Tensor subtract(const Tensor& a, Scalar b);
Tensor subtract(Scalar a, const Tensor& b);
Tensor multiply(const Tensor& a, Scalar b);
/// Each quotient is rounded once: nothing is multiplied by a reciprocal.
Tensor divide(const Tensor& a, Scalar b);
Tensor divide(Scalar a, const Tensor& b);
/// x^p and a^b, as std::pow.
Tensor pow(const Tensor& x, Scalar p);
Tensor pow(const Tensor& a, const Tensor& b);

/// The smaller and the larger of the two; NaN where either is NaN.
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
/// x, but at least low and at most high; NaN stays NaN. Throws ValueError unless low ≤ high.
Tensor clamp(const Tensor& x, Scalar low, Scalar high);

Tensor negative(const Tensor& x);
Tensor abs(const Tensor& x);
/// −1, 0 or 1; NaN stays NaN.
Tensor sign(const Tensor& x);
Tensor exp(const Tensor& x);
/// e^x − 1, accurate for small x.
Tensor expm1(const Tensor& x);
/// The natural logarithm.
Tensor log(const Tensor& x);
/// log(1 + x), accurate for small x.
Tensor log1p(const Tensor& x);
Tensor sqrt(const Tensor& x);
/// 1/√x.
Tensor rsqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
/// The error function, 2/√π·∫_0^x exp(−t²) dt.
Tensor erf(const Tensor& x);
/// 1 − erf(x), accurate for large x.
Tensor erfc(const Tensor& x);
/// max(x, 0); NaN stays NaN.
Tensor relu(const Tensor& x);

/// Comparisons; with NaN on either side all are false, but for not_equal.
Mask less(const Tensor& a, const Tensor& b);
Mask less_equal(const Tensor& a, const Tensor& b);
Mask less_equal(const Tensor& x, Scalar value);
Mask greater(const Tensor& a, const Tensor& b);
Mask greater_equal(const Tensor& a, const Tensor& b);
Mask equal(const Tensor& a, const Tensor& b);
Mask not_equal(const Tensor& a, const Tensor& b);
/// a where the mask is true, else b; the three shapes broadcast. Throws ShapeError for a mask that does not have as
/// many values as its shape says.
Tensor where(const Mask& mask, const Tensor& a, const Tensor& b);
/// 0 where y ≤ 0, else dy (also where y is NaN): the gradient of relu from its output. Same shapes.
Tensor relu_backward(const Tensor& dy, const Tensor& y);

/// a += b and a += factor·b, same shapes, in place.
void add_in_place(Tensor& a, const Tensor& b);
void add_in_place(Tensor& a, Scalar factor, const Tensor& b);
void multiply_in_place(Tensor& a, Scalar factor);

bool all_finite(const Tensor& x);

// The same as operators. Array is not an xtensor expression and its constructors are explicit, so these are the only
// ones that fit: an operator returns a new array at once, and `auto` may hold it. An operand that is a temporary lends
// its memory to the result if it has the result's shape: x * y * z allocates one array.

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return subtract(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return multiply(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return divide(a, b); }
Tensor operator+(Tensor&& a, const Tensor& b);
Tensor operator-(Tensor&& a, const Tensor& b);
Tensor operator*(Tensor&& a, const Tensor& b);
Tensor operator/(Tensor&& a, const Tensor& b);
Tensor operator+(const Tensor& a, Tensor&& b);
Tensor operator-(const Tensor& a, Tensor&& b);
Tensor operator*(const Tensor& a, Tensor&& b);
Tensor operator/(const Tensor& a, Tensor&& b);
Tensor operator+(Tensor&& a, Tensor&& b);
Tensor operator-(Tensor&& a, Tensor&& b);
Tensor operator*(Tensor&& a, Tensor&& b);
Tensor operator/(Tensor&& a, Tensor&& b);

inline Tensor operator-(const Tensor& x) { return negative(x); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, Scalar b) { return subtract(a, b); }
inline Tensor operator-(Scalar a, const Tensor& b) { return subtract(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return multiply(a, b); }
inline Tensor operator*(Scalar a, const Tensor& b) { return multiply(b, a); }
inline Tensor operator/(const Tensor& a, Scalar b) { return divide(a, b); }
inline Tensor operator/(Scalar a, const Tensor& b) { return divide(a, b); }

}  // namespace xtg
