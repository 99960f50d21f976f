#pragma once

#include "autograd/variable.hpp"

namespace xtg {

// Element by element, with NumPy broadcasting. d… in the comments is the gradient that flows back for upstream dy,
// which is summed over the axes along which the argument was repeated. Shapes that do not fit throw ShapeError.

Variable add(const Variable& a, const Variable& b);       // da = dy, db = dy
Variable subtract(const Variable& a, const Variable& b);  // da = dy, db = −dy
Variable multiply(const Variable& a, const Variable& b);  // da = dy·b, db = dy·a
Variable divide(const Variable& a, const Variable& b);    // da = dy/b, db = −dy·a/b²
Variable add(const Variable& a, Scalar b);
Variable multiply(const Variable& a, Scalar b);

Variable negative(const Variable& x);
Variable exp(const Variable& x);            // dx = dy·y
Variable log(const Variable& x);            // dx = dy/x
Variable sqrt(const Variable& x);           // dx = dy/(2y)
Variable rsqrt(const Variable& x);          // y = 1/√x, dx = −dy·y³/2
Variable square(const Variable& x);         // dx = 2·dy·x
Variable pow(const Variable& x, Scalar p);  // dx = dy·p·x^(p−1)
Variable tanh(const Variable& x);           // dx = dy·(1 − y²)
Variable relu(const Variable& x);           // where(x ≤ 0, 0, x); dx = dy where x > 0, else 0 (also at x = 0)
/// a where the mask is true, else b. The mask is a constant.
Variable where(const Mask& mask, const Variable& a, const Variable& b);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return subtract(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return multiply(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return divide(a, b); }
inline Variable operator-(const Variable& x) { return negative(x); }
inline Variable operator+(const Variable& a, Scalar b) { return add(a, b); }
inline Variable operator+(Scalar a, const Variable& b) { return add(b, a); }
inline Variable operator-(const Variable& a, Scalar b) { return add(a, -b); }
inline Variable operator-(Scalar a, const Variable& b) { return add(negative(b), a); }
inline Variable operator*(const Variable& a, Scalar b) { return multiply(a, b); }
inline Variable operator*(Scalar a, const Variable& b) { return multiply(b, a); }
inline Variable operator/(const Variable& a, Scalar b) { return multiply(a, 1 / b); }
inline Variable operator/(Scalar a, const Variable& b) { return multiply(pow(b, -1), a); }

}  // namespace xtg
