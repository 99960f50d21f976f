#pragma once

#include "../variable.hpp"

namespace xtg {

// Element by element, with NumPy broadcasting. d… in the comments is the gradient that flows back for upstream dy,
// which is summed over the axes along which the argument was repeated. minimum, maximum, clamp and sign pass NaN
// on. Shapes that do not fit throw ShapeError.

Variable add(const Variable& a, const Variable& b);       // da = dy, db = dy
Variable subtract(const Variable& a, const Variable& b);  // da = dy, db = −dy
Variable multiply(const Variable& a, const Variable& b);  // da = dy·b, db = dy·a
Variable divide(const Variable& a, const Variable& b);    // da = dy/b, db = −dy·a/b²
Variable add(const Variable& a, Scalar b);
Variable subtract(const Variable& a, Scalar b);
Variable subtract(Scalar a, const Variable& b);  // db = −dy
Variable multiply(const Variable& a, Scalar b);
Variable divide(const Variable& a, Scalar b);        // each quotient is rounded once, here and below
Variable divide(Scalar a, const Variable& b);        // y = a/b, db = −dy·y/b
Variable pow(const Variable& x, Scalar p);           // dx = dy·p·x^(p−1)
Variable pow(const Variable& a, const Variable& b);  // da = dy·b·a^(b−1), db = dy·y·log a, 0 at a = 0 ≤ b

Variable negative(const Variable& x);
Variable exp(const Variable& x);     // dx = dy·y
Variable expm1(const Variable& x);   // e^x − 1, dx = dy·e^x
Variable log(const Variable& x);     // dx = dy/x
Variable log1p(const Variable& x);   // log(1 + x), dx = dy/(1 + x)
Variable sqrt(const Variable& x);    // dx = dy/(2y)
Variable rsqrt(const Variable& x);   // y = 1/√x, dx = −dy·y³/2
Variable square(const Variable& x);  // dx = 2·dy·x
Variable sin(const Variable& x);     // dx = dy·cos x
Variable cos(const Variable& x);     // dx = −dy·sin x
Variable tanh(const Variable& x);    // dx = dy·(1 − y²)
Variable erf(const Variable& x);     // dx = dy·2/√π·exp(−x²)
Variable erfc(const Variable& x);    // 1 − erf(x), dx = −dy·2/√π·exp(−x²)
Variable abs(const Variable& x);     // dx = dy·sign x, 0 at 0
Variable sign(const Variable& x);    // −1, 0 or 1; dx = 0

Variable minimum(const Variable& a, const Variable& b);  // dy to the smaller one; where equal, half to each
Variable maximum(const Variable& a, const Variable& b);  // dy to the larger one; where equal, half to each
/// x, but at least low and at most high; dx = dy where low ≤ x ≤ high, else 0. Throws ValueError unless low ≤ high.
Variable clamp(const Variable& x, Scalar low, Scalar high);
/// a where the mask is true, else b. The mask is a constant.
Variable where(const Mask& mask, const Variable& a, const Variable& b);

// Comparisons give a Mask, not a Variable: a truth value is not differentiable, and no gradient flows through it.
Mask less(const Variable& a, const Variable& b);
Mask less_equal(const Variable& a, const Variable& b);
Mask greater(const Variable& a, const Variable& b);
Mask greater_equal(const Variable& a, const Variable& b);
Mask equal(const Variable& a, const Variable& b);
Mask not_equal(const Variable& a, const Variable& b);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return subtract(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return multiply(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return divide(a, b); }
inline Variable operator-(const Variable& x) { return negative(x); }
inline Variable operator+(const Variable& a, Scalar b) { return add(a, b); }
inline Variable operator+(Scalar a, const Variable& b) { return add(b, a); }
inline Variable operator-(const Variable& a, Scalar b) { return subtract(a, b); }
inline Variable operator-(Scalar a, const Variable& b) { return subtract(a, b); }
inline Variable operator*(const Variable& a, Scalar b) { return multiply(a, b); }
inline Variable operator*(Scalar a, const Variable& b) { return multiply(b, a); }
inline Variable operator/(const Variable& a, Scalar b) { return divide(a, b); }
inline Variable operator/(Scalar a, const Variable& b) { return divide(a, b); }

}  // namespace xtg
