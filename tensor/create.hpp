#pragma once

#include <initializer_list>
#include <vector>

#include "tensor.hpp"

namespace xtg {

/// An array whose elements are not set; every one must be written before it is read.
Tensor empty(const Shape& shape);
Tensor zeros(const Shape& shape);
Tensor ones(const Shape& shape);
Tensor full(const Shape& shape, Scalar value);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);

/// A scalar, shape ().
Tensor scalar(Scalar value);

/// `tensor({1, 2, 3, 4, 5, 6}, {2, 3})`: the values in row-major order. Throws ShapeError if they do not fill the
/// shape.
Tensor tensor(const std::vector<double>& values, const Shape& shape);

/// `indices({3, 1, 2})`: a list of integers, shape (n).
Indices indices(const std::vector<std::int64_t>& values);
/// The same in another shape, in row-major order. Throws ShapeError if the values do not fill it.
Indices indices(const std::vector<std::int64_t>& values, const Shape& shape);

/// 0, 1, …, n−1; in float, those above 2^24 are the nearest float, as PyTorch's. Throws ValueError for an n that is no
/// size.
Tensor arange(std::size_t n);

}  // namespace xtg
