#pragma once

#include "tensor/tensor.hpp"

namespace xtg {

// Element by element, with NumPy broadcasting. Each returns a new array. Shapes that do not fit throw ShapeError.

Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);

Tensor add(const Tensor& a, Scalar b);
Tensor multiply(const Tensor& a, Scalar b);
/// x^p, as std::pow.
Tensor pow(const Tensor& x, Scalar p);

Tensor negative(const Tensor& x);
Tensor exp(const Tensor& x);
/// The natural logarithm.
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
/// 1/√x.
Tensor rsqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor tanh(const Tensor& x);
/// max(x, 0); NaN stays NaN.
Tensor relu(const Tensor& x);

/// x ≤ value; false for NaN.
Mask less_equal(const Tensor& x, Scalar value);
/// a where the mask is true, else b; the three shapes broadcast.
Tensor where(const Mask& mask, const Tensor& a, const Tensor& b);
/// dy where y > 0, else 0: the gradient of relu from its output. Same shapes.
Tensor relu_backward(const Tensor& dy, const Tensor& y);

/// a += b and a += factor·b, same shapes, in place.
void add_in_place(Tensor& a, const Tensor& b);
void add_in_place(Tensor& a, Scalar factor, const Tensor& b);
void multiply_in_place(Tensor& a, Scalar factor);

bool all_finite(const Tensor& x);

}  // namespace xtg
