#include "autograd/ops/conv2d.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("conv2d op: PyTorch's values and gradients, analytic and derived") {
  const Reference ops("ops.safetensors");
  const double tolerance = sizeof(Scalar) == 8 ? 1e-12 : 5e-6;
  for (const bool derived : {false, true})
    for (const char* name : {"conv2d_3x3", "conv2d_3x3_no_bias", "conv2d_3x3_stride_2", "conv2d_3x3_stride_2_no_bias",
                             "conv2d_1x1_stride_2", "conv2d_5x3_no_padding"}) {
      CAPTURE(name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      const Reference::Case at = ops[name];
      Variable x(at("x"), true), w(at("weight"), true), b;
      if (at.has("bias")) b = Variable(at("bias"), true);
      const Variable y = conv2d(x, w, b, static_cast<std::size_t>(at.integer("stride")),
                                static_cast<std::size_t>(at.integer("padding")));
      CHECK(relative_error(y.value(), at("y")) < tolerance);
      y.backward(at("dy"));
      CHECK(relative_error(x.grad(), at("dx")) < tolerance);
      CHECK(relative_error(w.grad(), at("dweight")) < tolerance);
      if (b.defined()) CHECK(relative_error(b.grad(), at("dbias")) < tolerance);
    }
}

TEST_CASE("conv2d op: the bias gradient is accurate over a whole batch") {
  // 128 images of 32 × 32: a float sum over so many tenths is off by 9e-7, more with more images.
  const Shape shape = {128, 32, 32, 2};
  Variable x(zeros({128, 32, 32, 1})), w(zeros({2, 1, 1, 1})), b(zeros({2}), true);
  conv2d(x, w, b).backward(full(shape, Scalar(0.1)));
  const double expected = 128 * 32 * 32 * static_cast<double>(Scalar(0.1));
  for (std::size_t i = 0; i < 2; ++i) CHECK(std::abs(static_cast<double>(b.grad().data()[i]) / expected - 1) < 2e-7);
}

TEST_CASE("conv2d op: only the gradients that are wanted") {
  const Tensor dy = normal({2, 5, 4, 3}, 4);
  Variable x(normal({2, 5, 4, 2}, 1)), w(normal({3, 3, 3, 2}, 2), true), b(normal({3}, 3));
  conv2d(x, w, b, 1, 1).backward(dy);
  CHECK(w.has_grad());
  CHECK_FALSE(x.has_grad());
  CHECK_FALSE(b.has_grad());
}

TEST_CASE("conv2d op: bad arguments are refused, by the definition too") {
  const Variable x(zeros({2, 5, 4, 3}), true), w(zeros({6, 3, 3, 3}), true);
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    CHECK(error_of([&] { conv2d(x, w, Variable(zeros({5})), 1, 1); }) ==
          "ShapeError: conv2d: expected bias of shape (6), got (5)");
    CHECK(error_of([&] { conv2d(x, w, Variable(zeros({1})), 1, 1); }) ==
          "ShapeError: conv2d: expected bias of shape (6), got (1)");
    CHECK(error_of([&] { conv2d(x, w, Variable(), 0, 1); }) ==
          "ValueError: conv2d: expected a stride of at least 1, got 0");
    CHECK(starts_with(error_of([&] {
                        conv2d(w, Variable(zeros({2, 1, 1, 4})), Variable());
                      }),
                      "ShapeError: conv2d: expected x"));
  }
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("conv2d op: analytic, derived and numeric gradients agree, and so do second derivatives") {
  struct Setting {
    Shape x, w;
    std::size_t stride, padding;
    bool bias;
  };
  for (const Setting& s :
       {Setting{{2, 5, 4, 3}, {2, 3, 3, 3}, 1, 1, true}, Setting{{2, 6, 5, 2}, {3, 3, 2, 2}, 2, 1, true},
        Setting{{1, 4, 5, 3}, {4, 1, 1, 3}, 2, 0, false}, Setting{{2, 6, 3, 1}, {2, 5, 3, 1}, 1, 2, true}}) {
    CAPTURE(to_string(s.x));
    std::vector<Tensor> inputs = {normal(s.x, 1), normal(s.w, 2)};
    if (s.bias) inputs.push_back(normal({s.w[0]}, 3));
    const auto f = [&](const Variables& v) {
      return square(conv2d(v[0], v[1], s.bias ? v[2] : Variable(), s.stride, s.padding));
    };
    CHECK(check_two_orders(f, inputs) == "");
  }
}

TEST_CASE("conv2d op: one Variable as image and weights, to second order") {
  const std::vector<Tensor> inputs = {normal({3, 3, 3, 3}, 1)};
  const auto f = [](const Variables& v) { return conv2d(v[0], v[0], Variable(), 1, 1); };
  CHECK(check_two_orders(f, inputs) == "");
  const Variable w(normal({3, 3, 3, 3}, 2));
  const auto g = [&](const Variables& v) {
    GradOptions options;
    options.create_graph = true;
    return grad({f(v)}, {v[0]}, {w}, options)[0];
  };
  // With a graph wanted the definition is differentiated: the same gradient, each place counted once.
  const Variable x(inputs[0], true);
  const Variable analytic = grad({f({x})}, {x}, {w})[0];
  CHECK(largest(analytic.value()) > 0.1);
  CHECK(max_error(g({x}).value(), analytic.value()) < 1e-12);
}

TEST_CASE("conv2d op: unfold and fold are each other's gradient") {
  const Conv2dGeometry g = conv2d_geometry({2, 5, 4, 3}, {1, 3, 2, 3}, 2, 1);
  Variable x(normal(g.input_shape(), 1), true), p(normal({g.n * g.oh * g.ow, g.kh * g.kw * g.in}, 2), true);
  unfold(x, g).backward(p.value());
  CHECK(identical(x.grad(), fold(p.value(), g)));
  fold(p, g).backward(x.value());
  CHECK(identical(p.grad(), unfold(x.value(), g)));
}

#endif
