#include "tensor/conv2d.hpp"

#include <doctest/doctest.h>

#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-12 : 1e-5;

void compare(const Shape& x_shape, const Shape& w_shape, std::size_t stride, std::size_t padding, bool with_bias) {
  CAPTURE(to_string(x_shape));
  CAPTURE(to_string(w_shape));
  CAPTURE(stride);
  CAPTURE(padding);
  CAPTURE(with_bias);
  const Conv2dGeometry g = conv2d_geometry(x_shape, w_shape, stride, padding);
  const Tensor x = normal(x_shape, 1), w = normal(w_shape, 2), b = normal({w_shape[0]}, 3),
               dy = normal(g.output_shape(), 4);
  const NaiveConv2d naive(x, w, with_bias ? &b : nullptr, dy, g);
  CHECK(l2_error(conv2d(x, w, with_bias ? &b : nullptr, stride, padding), naive.y) < kTolerance);
  CHECK(l2_error(conv2d_backward_input(dy, w, g), naive.dx) < kTolerance);
  CHECK(l2_error(conv2d_backward_weight(dy, x, g), naive.dw) < kTolerance);
}

}  // namespace

TEST_CASE("conv2d: the three passes against seven nested loops") {
  for (const auto& [kh, kw] : std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {3, 3}, {5, 3}, {2, 4}})
    for (const std::size_t stride : {1, 2, 3})
      for (const std::size_t padding : {0, 1, 2})
        for (const bool with_bias : {false, true}) compare({2, 9, 6, 3}, {5, kh, kw, 3}, stride, padding, with_bias);
}

TEST_CASE("conv2d: channel counts of vector width, one channel, one image, windows that end early") {
  compare({3, 8, 10, 16}, {32, 3, 3, 16}, 1, 1, true);
  compare({3, 8, 10, 16}, {32, 3, 3, 16}, 2, 1, true);
  compare({3, 9, 7, 16}, {32, 3, 3, 16}, 2, 1, false);
  compare({3, 10, 8, 16}, {24, 1, 1, 16}, 2, 0, true);
  compare({2, 11, 8, 3}, {16, 3, 3, 3}, 1, 1, false);
  compare({1, 5, 7, 1}, {1, 3, 3, 1}, 1, 1, true);
  compare({1, 3, 3, 4}, {2, 3, 3, 4}, 1, 0, true);
  compare({4, 1, 1, 5}, {3, 1, 1, 5}, 1, 0, true);
  compare({2, 2, 3, 5}, {4, 3, 3, 5}, 5, 2, true);
}

TEST_CASE("conv2d: an empty batch") {
  const Conv2dGeometry g = conv2d_geometry({0, 5, 4, 3}, {2, 3, 3, 3}, 1, 1);
  CHECK(conv2d(zeros({0, 5, 4, 3}), ones({2, 3, 3, 3}), nullptr, 1, 1).shape() == Shape{0, 5, 4, 2});
  CHECK(conv2d_backward_input(zeros(g.output_shape()), ones({2, 3, 3, 3}), g).shape() == Shape{0, 5, 4, 3});
  CHECK(identical(conv2d_backward_weight(zeros(g.output_shape()), zeros({0, 5, 4, 3}), g), zeros({2, 3, 3, 3})));
}

TEST_CASE("conv2d: results are bitwise the same in every repetition") {
  const Conv2dGeometry g = conv2d_geometry({6, 9, 10, 16}, {16, 3, 3, 16}, 1, 1);
  const Tensor x = normal(g.input_shape(), 1), w = normal(g.weight_shape(), 2), dy = normal(g.output_shape(), 3);
  const Tensor y = conv2d(x, w, nullptr, 1, 1), dx = conv2d_backward_input(dy, w, g),
               dw = conv2d_backward_weight(dy, x, g);
  for (int repetition = 0; repetition < 20; ++repetition) {
    CHECK(identical(conv2d(x, w, nullptr, 1, 1), y));
    CHECK(identical(conv2d_backward_input(dy, w, g), dx));
    CHECK(identical(conv2d_backward_weight(dy, x, g), dw));
  }
}

TEST_CASE("conv2d: PyTorch's values") {
  const Reference ops("ops.safetensors");
  const double tolerance = sizeof(Scalar) == 8 ? 1e-12 : 5e-6;
  for (const char* name : {"conv2d_3x3", "conv2d_3x3_no_bias", "conv2d_3x3_stride_2", "conv2d_3x3_stride_2_no_bias",
                           "conv2d_1x1_stride_2", "conv2d_5x3_no_padding"}) {
    CAPTURE(name);
    const Reference::Case at = ops[name];
    const auto stride = static_cast<std::size_t>(at.integer("stride")),
               padding = static_cast<std::size_t>(at.integer("padding"));
    const Conv2dGeometry g = conv2d_geometry(at("x").shape(), at("weight").shape(), stride, padding);
    CHECK(relative_error(conv2d(at("x"), at("weight"), at.has("bias") ? &at("bias") : nullptr, stride, padding),
                         at("y")) < tolerance);
    CHECK(relative_error(conv2d_backward_input(at("dy"), at("weight"), g), at("dx")) < tolerance);
    CHECK(relative_error(conv2d_backward_weight(at("dy"), at("x"), g), at("dweight")) < tolerance);
  }
}

TEST_CASE("conv2d: no pass of a CIFAR ResNet runs on a reference implementation") {
  struct Layer {
    std::size_t in, out, size, stride;
  };
  for (const Layer& l : {Layer{3, 16, 32, 1}, Layer{16, 16, 32, 1}, Layer{16, 32, 32, 2}, Layer{32, 32, 16, 1},
                         Layer{32, 64, 16, 2}, Layer{64, 64, 8, 1}}) {
    const Conv2dGeometry g = conv2d_geometry({128, l.size, l.size, l.in}, {l.out, 3, 3, l.in}, l.stride, 1);
    for (const std::string pass : {"forward", "backward_input", "backward_weight"}) {
      if (pass == "backward_input" && l.in == 3) continue;  // the images need no gradient
      const std::string name = conv2d_implementation(g, pass);
      CAPTURE(name);
      CAPTURE(pass);
      CAPTURE(to_string(g.input_shape()));
      CHECK_FALSE(name.empty());
      CHECK_FALSE(contains(name, "ref"));
#ifdef XTGRAD_DOUBLE
      CHECK(name == "gemm");
#endif
    }
  }
}

TEST_CASE("conv2d: fold is the transpose of unfold") {
  const Conv2dGeometry g = conv2d_geometry({2, 7, 5, 3}, {4, 3, 2, 3}, 2, 1);
  const Tensor x = normal(g.input_shape(), 1);
  const Tensor patches = unfold(x, g);
  REQUIRE(patches.shape() == Shape{g.n * g.oh * g.ow, g.kh * g.kw * g.in});
  const Tensor p = normal(patches.shape(), 2);
  const Tensor folded = fold(p, g);
  double left = 0, right = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    left += static_cast<double>(p.data()[i]) * static_cast<double>(patches.data()[i]);
  for (std::size_t i = 0; i < x.size(); ++i)
    right += static_cast<double>(x.data()[i]) * static_cast<double>(folded.data()[i]);
  CHECK(std::abs(left) > 1);
  CHECK(left == doctest::Approx(right).epsilon(1e-5));
}

TEST_CASE("conv2d: bad arguments are refused") {
  const Tensor x = zeros({2, 5, 4, 3}), w = zeros({6, 3, 3, 3});
  CHECK(error_of([&] {
          conv2d(x, zeros({6, 3, 3, 4}), nullptr, 1, 1);
        }) ==
        "ShapeError: conv2d: expected x (N, H, W, I) and weight (O, KH, KW, I), got (2, 5, 4, 3) and (6, 3, 3, 4)");
  CHECK(error_of([&] {
          conv2d(zeros({5, 4, 3}), w, nullptr, 1, 1);
        }) == "ShapeError: conv2d: expected x (N, H, W, I) and weight (O, KH, KW, I), got (5, 4, 3) and (6, 3, 3, 3)");
  CHECK(error_of([&] { conv2d(x, w, nullptr, 0, 1); }) == "ValueError: conv2d: expected a stride of at least 1, got 0");
  CHECK(error_of([&] {
          conv2d(x, zeros({6, 7, 3, 3}), nullptr, 1, 0);
        }) == "ShapeError: conv2d: a kernel of 7 x 3 does not fit into (2, 5, 4, 3) with padding 0");
  const Tensor bias = zeros({5});
  CHECK(error_of([&] { conv2d(x, w, &bias, 1, 1); }) == "ShapeError: conv2d: expected bias of shape (6), got (5)");
  const Conv2dGeometry g = conv2d_geometry(x.shape(), w.shape(), 1, 1);
  CHECK(error_of([&] { conv2d_backward_input(x, w, g); }) ==
        "ShapeError: conv2d_backward_input: expected dy of shape (2, 5, 4, 6), got (2, 5, 4, 3)");
  CHECK(error_of([&] { conv2d_backward_weight(zeros(g.output_shape()), w, g); }) ==
        "ShapeError: conv2d_backward_weight: expected x of shape (2, 5, 4, 3), got (6, 3, 3, 3)");
  CHECK(error_of([&] { unfold(w, g); }) == "ShapeError: unfold: expected x of shape (2, 5, 4, 3), got (6, 3, 3, 3)");
  CHECK(error_of([&] { fold(x, g); }) == "ShapeError: fold: expected patches of shape (40, 27), got (2, 5, 4, 3)");
}
