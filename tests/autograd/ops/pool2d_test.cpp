#include "autograd/ops/pool2d.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-13 : 1e-6;

}  // namespace

TEST_CASE("pool2d op: PyTorch's values and gradients, analytic and derived") {
  const Reference ops("ops.safetensors");
  for (const bool derived : {false, true})
    for (const char* name : {"max_pool2d_2x2_stride_2", "max_pool2d_3x3_stride_2", "max_pool2d_2x2_stride_2_ties",
                             "max_pool2d_3x3_stride_2_ties", "avg_pool2d_2x2_stride_2", "avg_pool2d_3x3_stride_2"}) {
      CAPTURE(name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      const Reference::Case at = ops[name];
      const auto size = [&](const char* key) { return static_cast<std::size_t>(at.integer(key)); };
      Variable x(at("x"), true);
      const Variable y =
          (starts_with(name, "max") ? max_pool2d : avg_pool2d)(x, size("kernel"), size("stride"), size("padding"));
      y.backward(at("dy"));
      CHECK(relative_error(y.value(), at("y")) < kTolerance);
      CHECK(relative_error(x.grad(), at("dx")) < kTolerance);
    }
}

TEST_CASE("pool2d op: PyTorch's global average") {
  const Reference ops("ops.safetensors");
  const Reference::Case at = ops["global_avg_pool"];
  Variable x(at("x"), true);
  const Variable y = global_avg_pool2d(x);
  y.backward(at("dy"));
  CHECK(relative_error(y.value(), at("y")) < kTolerance);
  CHECK(relative_error(x.grad(), at("dx")) < kTolerance);
}

TEST_CASE("pool2d op: bad arguments are refused by name") {
  const Variable x(zeros({2, 5, 4, 3}), true), flat(zeros({5, 4}), true);
  CHECK(starts_with(error_of([&] { max_pool2d(flat, 2, 2); }), "ShapeError: max_pool2d: "));
  CHECK(starts_with(error_of([&] { avg_pool2d(flat, 2, 2); }), "ShapeError: avg_pool2d: "));
  CHECK(starts_with(error_of([&] { global_avg_pool2d(flat); }), "ShapeError: global_avg_pool2d: "));
  CHECK(starts_with(error_of([&] { avg_pool2d(x, 2, 0); }), "ValueError: avg_pool2d: "));
  CHECK(starts_with(error_of([&] { avg_pool2d(x, 5, 1); }), "ShapeError: avg_pool2d: "));
  CHECK(starts_with(error_of([&] { avg_pool2d(x, 0, 1); }), "ValueError: avg_pool2d: "));
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("pool2d op: gradients and second derivatives against finite differences") {
  const std::vector<std::function<Variable(const Variable&)>> list = {
      [](const Variable& x) { return square(max_pool2d(x, 3, 2, 1)); },
      [](const Variable& x) { return square(max_pool2d(x, 3, 1)); },  // windows overlap
      [](const Variable& x) { return square(avg_pool2d(x, 3, 2, 1)); },
      [](const Variable& x) { return square(global_avg_pool2d(x)); },
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    CAPTURE(i);
    CHECK(check_two_orders([&](const Variables& v) { return list[i](v[0]); }, {normal({2, 5, 4, 3}, 1)}) == "");
  }
}

#endif
