#include "autograd/ops/conv2d.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "nn/conv2d.hpp"
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

TEST_CASE("conv2d op: dilation and groups against seven nested loops, analytic and derived") {
  struct Setting {
    Shape x, w;
    std::size_t stride, padding, dilation, groups;
  };
  const double tolerance = sizeof(Scalar) == 8 ? 1e-12 : 5e-6;
  for (const Setting& s :
       {Setting{{2, 7, 8, 3}, {5, 3, 2, 3}, 1, 1, 2, 1}, Setting{{2, 7, 8, 6}, {4, 3, 2, 3}, 2, 1, 1, 2},
        Setting{{2, 7, 8, 6}, {9, 2, 3, 2}, 1, 2, 3, 3}, Setting{{2, 7, 8, 4}, {4, 3, 3, 1}, 1, 1, 1, 4},
        Setting{{2, 7, 8, 3}, {6, 3, 3, 1}, 2, 2, 2, 3}})
    for (const bool derived : {false, true})
      for (const bool with_bias : {false, true}) {
        CAPTURE(to_string(s.w));
        CAPTURE(derived);
        const DerivedGradients mode(derived);
        const Conv2dGeometry g = conv2d_geometry(s.x, s.w, s.stride, s.padding, s.dilation, s.groups);
        Variable x(normal(s.x, 1), true), w(normal(s.w, 2), true), b;
        if (with_bias) b = Variable(normal({s.w[0]}, 3), true);
        const Tensor dy = normal(g.output_shape(), 4);
        const NaiveConv2d naive(x.value(), w.value(), with_bias ? &b.value() : nullptr, dy, g);
        const Variable y = conv2d(x, w, b, s.stride, s.padding, s.dilation, s.groups);
        y.backward(dy);
        CHECK(max_error(y.value(), naive.y) < tolerance);
        CHECK(max_error(x.grad(), naive.dx) < tolerance);
        CHECK(max_error(w.grad(), naive.dw) < tolerance);
        if (with_bias) CHECK(max_error(b.grad(), naive_sum_to(dy, b.shape())) < tolerance);
      }
}

TEST_CASE("conv2d op: one group for each channel convolves the channels one by one") {
  const Variable x(normal({2, 6, 5, 3}, 1)), w(normal({3, 3, 3, 1}, 2));
  const Tensor y = conv2d(x, w, Variable(), 1, 1, 1, 3).value();
  for (std::size_t c = 0; c < 3; ++c) {
    Tensor channel(Shape{2, 6, 5, 1}), filter(Shape{1, 3, 3, 1});
    for (std::size_t i = 0; i < channel.size(); ++i) channel.data()[i] = x.value().data()[3 * i + c];
    std::copy_n(w.value().data() + 9 * c, 9, filter.data());
    const Tensor alone = conv2d(Variable(channel), Variable(filter), Variable(), 1, 1).value();
    double difference = 0;
    for (std::size_t i = 0; i < alone.size(); ++i)
      difference = std::max(difference, std::abs(static_cast<double>(alone.data()[i] - y.data()[3 * i + c])));
    CHECK(difference < 10 * kRounding);
  }
}

TEST_CASE("conv2d op: the layer passes dilation and groups on, and its weight has I/groups channels") {
  Generator generator(1);
  nn::Conv2dOptions options;
  options.stride = 2;
  options.padding = 3;
  options.bias = false;
  options.dilation = 3;
  options.groups = 2;
  nn::Conv2d layer(4, 6, 3, options, generator);
  const Variable w = layer.parameters()[0], x(normal({2, 8, 7, 4}, 1));
  REQUIRE(w.shape() == Shape{6, 3, 3, 2});
  CHECK(identical(layer(x).value(), conv2d(x, w, Variable(), 2, 3, 3, 2).value()));
  for (const std::size_t groups : {0, 3, 4}) {  // 3 does not divide the input's channels, 4 not the output's
    options.groups = groups;
    CHECK(error_of([&] { nn::Conv2d(4, 6, 3, options, generator); }) ==
          fmt::format("ValueError: Conv2d: {} groups do not divide 4 input and 6 output channels", groups));
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
          "ValueError: conv2d: expected stride, dilation and groups of at least 1, got 0, 1 and 1");
    CHECK(error_of([&] { conv2d(x, w, Variable(), 1, 0, 2); }) ==
          "ShapeError: conv2d: a kernel of 3 x 3 with dilation 2 does not fit into (2, 5, 4, 3) with padding 0");
    CHECK(error_of([&] { conv2d(x, w, Variable(), 1, 1, 1, 2); }) ==
          "ValueError: conv2d: 2 groups do not divide the channels of x (2, 5, 4, 3) and weight (6, 3, 3, 3)");
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
    std::size_t dilation, groups;
  };
  for (const Setting& s :
       {Setting{{2, 5, 4, 3}, {2, 3, 3, 3}, 1, 1, true, 1, 1}, Setting{{2, 6, 5, 2}, {3, 3, 2, 2}, 2, 1, true, 1, 1},
        Setting{{1, 4, 5, 3}, {4, 1, 1, 3}, 2, 0, false, 1, 1}, Setting{{2, 6, 3, 1}, {2, 5, 3, 1}, 1, 2, true, 1, 1},
        Setting{{2, 5, 6, 2}, {3, 2, 3, 2}, 1, 1, true, 2, 1}, Setting{{2, 4, 5, 6}, {4, 2, 3, 3}, 1, 1, true, 1, 2},
        Setting{{1, 5, 6, 3}, {3, 2, 2, 1}, 2, 1, true, 2, 3},
        Setting{{1, 4, 3, 4}, {6, 2, 2, 2}, 1, 1, false, 1, 2}}) {
    CAPTURE(to_string(s.w));
    CAPTURE(to_string(s.x));
    std::vector<Tensor> inputs = {normal(s.x, 1), normal(s.w, 2)};
    if (s.bias) inputs.push_back(normal({s.w[0]}, 3));
    const auto f = [&](const Variables& v) {
      return square(conv2d(v[0], v[1], s.bias ? v[2] : Variable(), s.stride, s.padding, s.dilation, s.groups));
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
  const Conv2dGeometry g = conv2d_geometry({2, 5, 4, 3}, {1, 3, 2, 3}, 2, 1, 2);
  Variable x(normal(g.input_shape(), 1), true), p(normal({g.n * g.oh * g.ow, g.kh * g.kw * g.in}, 2), true);
  unfold(x, g).backward(p.value());
  CHECK(identical(x.grad(), fold(p.value(), g)));
  fold(p, g).backward(x.value());
  CHECK(identical(p.grad(), unfold(x.value(), g)));
}

#endif
