// A relu behind a convolution, its backward, and both gradients of a convolution at once.

#include <doctest/doctest.h>

#include <cmath>

#include "tensor/elementwise.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-12 : 1e-5;

}  // namespace

TEST_CASE("conv2d with relu: the convolution, then relu, for every kind of shape") {
  struct Setting {
    Shape x, w;
    std::size_t stride, padding, dilation, groups;
  };
  for (const Setting& s :
       {Setting{{2, 9, 8, 3}, {16, 3, 3, 3}, 1, 1, 1, 1}, Setting{{2, 9, 8, 16}, {16, 3, 3, 16}, 2, 1, 1, 1},
        Setting{{2, 8, 8, 64}, {64, 3, 3, 64}, 1, 1, 1, 1}, Setting{{2, 8, 7, 6}, {4, 3, 3, 3}, 1, 1, 1, 2},
        Setting{{2, 8, 7, 4}, {4, 3, 3, 1}, 1, 1, 1, 4}, Setting{{1, 16, 17, 5}, {1, 7, 7, 5}, 1, 5, 2, 1},
        Setting{{2, 5, 4, 7}, {5, 1, 1, 7}, 1, 0, 1, 1}})
    for (const bool with_bias : {false, true}) {
      CAPTURE(to_string(s.w));
      CAPTURE(with_bias);
      const Conv2dGeometry g = conv2d_geometry(s.x, s.w, s.stride, s.padding, s.dilation, s.groups);
      const Tensor x = normal(s.x, 1), w = normal(s.w, 2), b = normal({s.w[0]}, 3);
      Tensor expected = NaiveConv2d(x, w, with_bias ? &b : nullptr, zeros(g.output_shape()), g).y;
      std::size_t negative = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        negative += expected.data()[i] < 0;
        expected.data()[i] = std::max(expected.data()[i], Scalar{0});
      }
      CHECK(negative > expected.size() / 10);
      CHECK(negative < expected.size() - expected.size() / 10);
      const Tensor y = conv2d(x, w, with_bias ? &b : nullptr, s.stride, s.padding, s.dilation, s.groups, true);
      CHECK(l2_error(y, expected) < kTolerance);
      for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(y.data()[i] >= 0);
    }
  CHECK(conv2d(zeros({0, 5, 4, 3}), ones({2, 3, 3, 3}), nullptr, 1, 1, 1, 1, true).shape() == Shape{0, 5, 4, 2});
}

TEST_CASE("conv2d with relu: NaN stays NaN, and infinity infinity") {
  const auto nan = std::numeric_limits<Scalar>::quiet_NaN();
  for (const std::size_t channels : {1, 3, 16, 64})
    for (const std::size_t kernel : {1, 3}) {
      CAPTURE(channels);
      CAPTURE(kernel);
      Tensor x = ones({2, 6, 6, channels});
      const Tensor w = ones({16, kernel, kernel, channels});
      x.data()[0] = nan;  // the first pixel of the first image
      const Tensor plain = conv2d(x, w, nullptr, 1, kernel / 2), y = conv2d(x, w, nullptr, 1, kernel / 2, 1, 1, true);
      REQUIRE(std::isnan(plain.data()[0]));
      std::size_t differing = 0;
      for (std::size_t i = 0; i < y.size(); ++i) differing += std::isnan(y.data()[i]) != std::isnan(plain.data()[i]);
      CHECK(differing == 0);
      CHECK_FALSE(std::isnan(y.data()[y.size() - 1]));
    }
  Tensor x = ones({1, 3, 3, 16});
  x.data()[0] = std::numeric_limits<Scalar>::infinity();
  CHECK(std::isinf(conv2d(x, ones({16, 1, 1, 16}), nullptr, 1, 0, 1, 1, true).data()[0]));
}

TEST_CASE("relu_bias_backward: dz is dy where y is positive, dbias its sum over all but the last axis") {
  for (const Shape& shape :
       {Shape{3, 4, 5, 1}, Shape{3, 4, 5, 3}, Shape{4, 4, 4, 16}, Shape{3, 5, 7, 16}, Shape{2, 3, 4, 64},
        Shape{2, 3, 4, 130}, Shape{9, 32, 32, 16}, Shape{7}, Shape{5, 4}, Shape{1, 1, 1, 8}}) {
    CAPTURE(to_string(shape));
    const Tensor dy = normal(shape, 1);
    Tensor y = normal(shape, 2);
    for (std::size_t i = 0; i < y.size(); i += 3) y.data()[i] = 0;
    Tensor dz = zeros(shape);
    for (std::size_t i = 0; i < y.size(); ++i)
      if (y.data()[i] > 0) dz.data()[i] = dy.data()[i];
    const ReluBiasGradients found = relu_bias_backward(dy, y);
    CHECK(identical(found.dz, dz));
    CHECK(max_error(found.dbias, naive_sum_to(dz, {shape.back()})) < 10 * kRounding);
  }
  CHECK(identical(relu_bias_backward(zeros({0, 3, 3, 4}), zeros({0, 3, 3, 4})).dbias, zeros({4})));
  CHECK(relu_bias_backward(zeros({2, 3, 3, 0}), zeros({2, 3, 3, 0})).dbias.shape() == Shape{0});
}

TEST_CASE("relu_bias_backward: where y is NaN the gradient flows, as through relu") {
  const auto nan = std::numeric_limits<Scalar>::quiet_NaN();
  const ReluBiasGradients d = relu_bias_backward(tensor({1, 2, 3, nan}, {2, 2}), tensor({nan, -1, 0, -2}, {2, 2}));
  CHECK(identical(d.dz, tensor({1, 0, 0, 0}, {2, 2})));
  CHECK(identical(d.dbias, tensor({1, 0}, {2})));
}

TEST_CASE("relu_bias_backward: sums of many rows keep their digits") {
  const Tensor dy = full({128, 64, 64, 2}, Scalar(0.1));
  const Tensor dbias = relu_bias_backward(dy, ones(dy.shape())).dbias;
  CHECK(dbias.data()[1] == doctest::Approx(52428.8).epsilon(1e-6));
}

TEST_CASE("conv2d_backward: what is wanted, and as the passes alone") {
  struct Setting {
    Shape x, w;
    std::size_t stride, groups;
  };
  for (const Setting& s : {Setting{{2, 9, 8, 16}, {32, 3, 3, 16}, 1, 1}, Setting{{2, 9, 8, 64}, {64, 3, 3, 64}, 1, 1},
                           Setting{{2, 9, 8, 16}, {32, 3, 3, 16}, 2, 1}, Setting{{2, 7, 6, 6}, {4, 3, 3, 3}, 1, 2},
                           Setting{{2, 7, 6, 3}, {5, 3, 3, 3}, 1, 1}}) {
    CAPTURE(to_string(s.w));
    const Conv2dGeometry g = conv2d_geometry(s.x, s.w, s.stride, 1, 1, s.groups);
    const Tensor x = normal(s.x, 1), w = normal(s.w, 2), dy = normal(g.output_shape(), 3);
    const NaiveConv2d naive(x, w, nullptr, dy, g);
    for (const bool wants_dx : {false, true})
      for (const bool wants_dw : {false, true}) {
        const Conv2dGradients d = conv2d_backward(dy, x, w, g, wants_dx, wants_dw);
        REQUIRE(d.dx.has_value() == wants_dx);
        REQUIRE(d.dw.has_value() == wants_dw);
        if (wants_dx) CHECK(l2_error(*d.dx, naive.dx) < kTolerance);
        if (wants_dw) CHECK(l2_error(*d.dw, naive.dw) < kTolerance);
      }
  }
  const Conv2dGeometry empty = conv2d_geometry({0, 5, 4, 3}, {2, 3, 3, 3}, 1, 1);
  const Conv2dGradients d =
      conv2d_backward(zeros(empty.output_shape()), zeros(empty.input_shape()), ones({2, 3, 3, 3}), empty, true, true);
  CHECK(d.dx->shape() == empty.input_shape());
  CHECK(identical(*d.dw, zeros({2, 3, 3, 3})));
}

TEST_CASE("conv2d_backward and relu_bias_backward: other shapes are refused") {
  const Tensor x = zeros({2, 5, 4, 3}), w = zeros({6, 3, 3, 3});
  const Conv2dGeometry g = conv2d_geometry(x.shape(), w.shape(), 1, 1);
  const Tensor dy = zeros(g.output_shape());
  CHECK(error_of([&] { conv2d_backward(x, x, w, g, true, true); }) ==
        "ShapeError: conv2d_backward: expected dy of shape (2, 5, 4, 6), got (2, 5, 4, 3)");
  CHECK(error_of([&] { conv2d_backward(dy, w, w, g, true, true); }) ==
        "ShapeError: conv2d_backward: expected x of shape (2, 5, 4, 3), got (6, 3, 3, 3)");
  CHECK(error_of([&] { conv2d_backward(dy, x, x, g, true, true); }) ==
        "ShapeError: conv2d_backward: expected w of shape (6, 3, 3, 3), got (2, 5, 4, 3)");
  CHECK(error_of([&] { conv2d_backward_input(dy, x, g); }) ==
        "ShapeError: conv2d_backward_input: expected w of shape (6, 3, 3, 3), got (2, 5, 4, 3)");
  CHECK(error_of([&] { relu_bias_backward(dy, x); }) ==
        "ShapeError: relu_bias_backward: expected dy of shape (2, 5, 4, 3), got (2, 5, 4, 6)");
}
