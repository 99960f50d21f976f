// expect: E3.same: an empty list of axes means all axes
#pragma once

// Exercise 03, of docs/03-broadcast-reduce.md: the sum that undoes a broadcast.
// Check it with: tools/assignment check . 03

#include "assignment/not_implemented.hpp"
#include "tensor/create.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shaping.hpp"

namespace student {

using namespace xtg;

/// The gradient of b in y = x + b, for the gradient dy of y: dy summed over the axes along which b, of this shape, was
/// repeated. The result has b's shape: dy (2, 3, 4), shape (3, 1) -> (3, 1).
///
/// Of use: dy.shape()[i] and shape[i], sizes; shape.size(), the number of axes; sum(x, {0, 2}, true), over axes 0 and
/// 2, which stay with size 1 (without `true` they go); reshape(x, shape).
inline Tensor unbroadcast(const Tensor& dy, const Shape& shape) {
  const std::size_t missing = dy.shape().size() - shape.size();  // axes that b does not have
  Axes repeated;
  for (std::size_t i = 0; i < dy.shape().size(); ++i)
    if (i < missing || (shape[i - missing] == 1 && dy.shape()[i] != 1)) repeated.push_back(static_cast<int>(i));
  return reshape(sum(dy, repeated, true), shape);
}

}  // namespace student
