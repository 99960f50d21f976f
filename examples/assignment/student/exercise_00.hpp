#pragma once

// Exercise 00, to see how exercises work: the mean of a list.
// Check it with: tools/assignment check . 00

#include "assignment/not_implemented.hpp"
#include "tensor/tensor.hpp"

namespace student {

using namespace xtg;

/// x (N), N ≥ 1 -> the sum of its elements divided by N.
inline double mean_of(const Tensor& x) {
  // TODO: replace the two lines below.
  (void)x;
  throw assignment::NotImplemented("exercise 00: mean_of");
}

}  // namespace student
