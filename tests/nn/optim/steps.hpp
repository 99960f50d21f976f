#pragma once

// What the tests of the optimizers share.

#include <doctest/doctest.h>

#include <cstring>

#include "nn/optim/optimizer.hpp"
#include "tensor/create.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

namespace xtg::testing {

/// Makes `value` the parameter's gradient: that of <parameter, value>.
inline void set_grad(Variable& parameter, const Tensor& value) {
  parameter.zero_grad();
  parameter.alias().backward(value);
}

/// Entry `i` along the first axis, of the given shape.
inline Tensor slice(const Tensor& x, std::size_t i, const Shape& shape) {
  Tensor result = empty(shape);
  std::memcpy(result.data(), x.data() + i * result.size(), result.size() * sizeof(Scalar));
  return result;
}

/// Takes the case's steps with an optimizer of its parameters a and b, and compares both after each.
inline void check_steps(const Reference::Case& at, nn::Optimizer& optimizer, Variable& a, Variable& b) {
  const double tolerance = sizeof(Scalar) == 8 ? 1e-12 : 1e-6;
  const bool b_is_absent = contains(at.name, "b_absent");
  const Tensor& lr = at("lr");
  REQUIRE(lr.size() == 6);
  for (std::size_t s = 0; s < lr.size(); ++s) {
    CAPTURE(s);
    set_grad(a, slice(at("a_grads"), s, a.shape()));
    set_grad(b, slice(at("b_grads"), s, b.shape()));
    if (b_is_absent && (s == 0 || s == 3)) b.zero_grad();
    optimizer.step(static_cast<double>(lr.data()[s]));
    CHECK(relative_error(a.value(), slice(at("a_after"), s, a.shape())) < tolerance);
    CHECK(relative_error(b.value(), slice(at("b_after"), s, b.shape())) < tolerance);
  }
}

}  // namespace xtg::testing
