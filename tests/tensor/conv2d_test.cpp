#include "tensor/conv2d.hpp"

#include <doctest/doctest.h>

#include "tensor/kernels/conv2d_choice.hpp"
#include "tensor/kernels/onednn_conv2d.hpp"
#include "tests/conv2d_algorithms.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-12 : 1e-5;

void compare(const Shape& x_shape, const Shape& w_shape, std::size_t stride, std::size_t padding, bool with_bias,
             std::size_t dilation = 1, std::size_t groups = 1) {
  CAPTURE(to_string(x_shape));
  CAPTURE(to_string(w_shape));
  CAPTURE(stride);
  CAPTURE(padding);
  CAPTURE(with_bias);
  CAPTURE(dilation);
  CAPTURE(groups);
  const Conv2dGeometry g = conv2d_geometry(x_shape, w_shape, stride, padding, dilation, groups);
  const Tensor x = normal(x_shape, 1), w = normal(w_shape, 2), b = normal({w_shape[0]}, 3),
               dy = normal(g.output_shape(), 4);
  const NaiveConv2d naive(x, w, with_bias ? &b : nullptr, dy, g);
  CHECK(l2_error(conv2d(x, w, with_bias ? &b : nullptr, stride, padding, dilation, groups), naive.y) < kTolerance);
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

TEST_CASE("conv2d: dilated kernels and groups against seven nested loops") {
  struct Channels {
    std::size_t in, out, groups;
  };
  for (const Channels& c : {Channels{3, 5, 1}, Channels{6, 4, 2}, Channels{6, 9, 3}, Channels{5, 5, 5},
                            Channels{4, 8, 4}, Channels{1, 1, 1}, Channels{32, 16, 2}, Channels{16, 16, 16}})
    for (const std::size_t dilation : {1, 2, 3})
      for (const std::size_t stride : {1, 2})
        for (const std::size_t padding : {0, 3})
          for (const bool with_bias : {false, true})
            compare({2, 9, 8, c.in}, {c.out, 3, 2, c.in / c.groups}, stride, padding, with_bias, dilation, c.groups);
  compare({2, 16, 17, 5}, {1, 7, 7, 5}, 1, 5, true, 2, 1);  // oneDNN has its reference loops alone for this one
  compare({2, 16, 17, 10}, {2, 7, 7, 5}, 1, 5, true, 2, 2);
  compare({2, 6, 5, 4}, {4, 1, 1, 2}, 2, 0, true, 7, 2);  // one element is as wide at any dilation
}

TEST_CASE("conv2d: a dilated kernel is one with zeros between its elements") {
  const Tensor x = normal({2, 9, 8, 3}, 1), w = normal({4, 3, 2, 3}, 2);
  Tensor wide = zeros({4, 5, 3, 3});
  for (std::size_t i = 0; i < w.size(); ++i) {
    const auto at = index_of(i, w.shape());
    wide.data()[offset_of({at[0], 2 * at[1], 2 * at[2], at[3]}, wide.shape())] = w.data()[i];
  }
  CHECK(l2_error(conv2d(x, w, nullptr, 2, 1, 2), conv2d(x, wide, nullptr, 2, 1)) < kTolerance);
}

TEST_CASE("conv2d: the same sizes with another dilation or other groups are another convolution") {
  // All of them have results of the same shape: a plan kept for one must not run for another.
  for (int repetition = 0; repetition < 2; ++repetition) {
    compare({1, 12, 12, 4}, {4, 3, 3, 4}, 7, 1, false, 1, 1);
    compare({1, 12, 12, 4}, {4, 3, 3, 4}, 7, 1, false, 2, 1);
    compare({1, 12, 12, 4}, {4, 3, 3, 2}, 7, 1, false, 1, 2);
    compare({1, 12, 12, 4}, {4, 3, 3, 1}, 7, 1, false, 1, 4);
  }
}

TEST_CASE("conv2d: more geometries than plans are kept for") {
  const Tensor w = normal({1, 1, 1, 1}, 1);
  const Tensor x = normal({1, 1, 1100, 1}, 2);
  for (std::size_t n = 1; n <= 1100; ++n) {
    Tensor part(Shape{1, 1, n, 1});
    std::copy_n(x.data(), n, part.data());
    const Tensor y = conv2d(part, w, nullptr, 1, 0);
    REQUIRE(y.data()[n - 1] == doctest::Approx(x.data()[n - 1] * w.data()[0]));
  }
}

TEST_CASE("conv2d: more geometries than plans are kept for, both gradients at once") {
  // Each takes two plans; a third one in between, so that room runs out before the first as well as the second of them.
  const Tensor w = normal({16, 1, 1, 16}, 1);
  for (const bool odd : {false, true}) {
    if (odd) conv2d(zeros({1, 2, 1, 16}), w, nullptr, 1, 0);
    for (std::size_t n = 1; n <= 520; ++n) {
      const Conv2dGeometry g = conv2d_geometry({1, odd ? 2U : 1U, n, 16}, w.shape(), 1, 0);
      const Conv2dGradients d = conv2d_backward(ones(g.output_shape()), ones(g.input_shape()), w, g, true, true);
      REQUIRE(d.dw->data()[0] == doctest::Approx(static_cast<double>(g.h * n)));
      double sum = 0;
      for (std::size_t o = 0; o < 16; ++o) sum += static_cast<double>(w.data()[16 * o]);
      REQUIRE(d.dx->data()[0] == doctest::Approx(sum).epsilon(1e-5));
    }
  }
}

TEST_CASE("conv2d: an empty batch, image, input or output") {
  const Conv2dGeometry g = conv2d_geometry({0, 5, 4, 3}, {2, 3, 3, 3}, 1, 1);
  CHECK(conv2d(zeros({0, 5, 4, 3}), ones({2, 3, 3, 3}), nullptr, 1, 1).shape() == Shape{0, 5, 4, 2});
  CHECK(conv2d_backward_input(zeros(g.output_shape()), ones({2, 3, 3, 3}), g).shape() == Shape{0, 5, 4, 3});
  CHECK(identical(conv2d_backward_weight(zeros(g.output_shape()), zeros({0, 5, 4, 3}), g), zeros({2, 3, 3, 3})));
  const Tensor bias = tensor({1, 2}, {2});
  struct Empty {
    Shape x, w;
    std::size_t groups;
  };
  for (const Empty& e : {Empty{{3, 0, 2, 4}, {2, 1, 1, 4}, 1}, Empty{{3, 0, 2, 4}, {2, 1, 1, 2}, 2},
                         Empty{{3, 1, 2, 0}, {2, 1, 1, 0}, 1}, Empty{{3, 1, 2, 0}, {2, 1, 1, 0}, 2}}) {
    CAPTURE(to_string(e.x));
    CAPTURE(e.groups);
    const Conv2dGeometry h = conv2d_geometry(e.x, e.w, 1, 1, 1, e.groups);
    const Tensor y = conv2d(zeros(e.x), ones(e.w), &bias, 1, 1, 1, e.groups);
    REQUIRE(y.shape() == h.output_shape());
    REQUIRE(y.size() > 0);
    for (std::size_t i = 0; i < y.size(); ++i) CHECK(y.data()[i] == bias.data()[i % 2]);
    CHECK(conv2d_backward_input(y, ones(e.w), h).shape() == e.x);
    CHECK(identical(conv2d_backward_weight(y, zeros(e.x), h), zeros(e.w)));
  }
  for (const std::size_t groups : {1, 2}) {  // no output channels
    const Conv2dGeometry h = conv2d_geometry({3, 5, 4, 6}, {0, 3, 3, 6 / groups}, 1, 1, 1, groups);
    CHECK(conv2d(ones({3, 5, 4, 6}), zeros(h.weight_shape()), nullptr, 1, 1, 1, groups).shape() == Shape{3, 5, 4, 0});
    CHECK(identical(conv2d_backward_input(zeros(h.output_shape()), zeros(h.weight_shape()), h), zeros({3, 5, 4, 6})));
    CHECK(conv2d_backward_weight(zeros(h.output_shape()), ones({3, 5, 4, 6}), h).shape() == h.weight_shape());
  }
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
    for (const Conv2dPass pass : kPasses) {
      if (pass == Conv2dPass::BackwardInput && l.in == 3) continue;  // the images need no gradient
      const std::string name = conv2d_implementation(g, pass);
      CAPTURE(name);
      CAPTURE(to_string(pass));
      CAPTURE(to_string(g.input_shape()));
      CHECK_FALSE(name.empty());
      CHECK_FALSE(contains(name, "ref"));
#ifdef __x86_64__  // on ARM, oneDNN has reference loops alone, and they are given up for the matrix product
      const std::string onednn =
          kernels::onednn_implementation(g, pass, kernels::chosen_algorithm(g, pass, false), false);
      CHECK(name == (onednn.empty() ? "gemm" : onednn));
#endif
#ifdef XTGRAD_DOUBLE
      CHECK(name == "gemm");
#endif
    }
  }
}

TEST_CASE("conv2d: nothing runs on a reference implementation, with dilation and groups neither") {
  struct Setting {
    Shape x, w;
    std::size_t stride, padding, dilation, groups;
  };
  for (const Setting& s :
       {Setting{{128, 16, 16, 32}, {32, 3, 3, 32}, 1, 2, 2, 1}, Setting{{128, 16, 16, 32}, {32, 3, 3, 8}, 1, 1, 1, 4},
        Setting{{128, 16, 16, 32}, {32, 3, 3, 1}, 1, 1, 1, 32}, Setting{{128, 16, 16, 30}, {20, 3, 3, 15}, 2, 2, 2, 2},
        Setting{{2, 16, 17, 5}, {1, 7, 7, 5}, 1, 5, 2, 1}, Setting{{2, 16, 17, 10}, {2, 7, 7, 5}, 1, 5, 2, 2}}) {
    const Conv2dGeometry g = conv2d_geometry(s.x, s.w, s.stride, s.padding, s.dilation, s.groups);
    for (const Conv2dPass pass : kPasses) {
      const std::string name = conv2d_implementation(g, pass);
      CHECK_FALSE(name.empty());
      CHECK_FALSE(contains(name, "ref"));
    }
  }
}

TEST_CASE("conv2d: fold is the transpose of unfold") {
  for (const std::size_t dilation : {1, 2}) {
    const Conv2dGeometry g = conv2d_geometry({2, 7, 5, 3}, {4, 3, 2, 3}, 2, 1, dilation);
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
}

TEST_CASE("conv2d: bad arguments are refused") {
  const Tensor x = zeros({2, 5, 4, 3}), w = zeros({6, 3, 3, 3});
  const auto error = [&](const Tensor& images, const Tensor& weight, std::size_t stride, std::size_t padding,
                         std::size_t dilation, std::size_t groups) {
    return error_of([&] { conv2d(images, weight, nullptr, stride, padding, dilation, groups); });
  };
  CHECK(error(x, zeros({6, 3, 3, 4}), 1, 1, 1, 1) ==
        "ShapeError: conv2d: expected x (N, H, W, I) and weight (O, KH, KW, I/groups) with groups 1, got (2, 5, 4, 3) "
        "and (6, 3, 3, 4)");
  CHECK(error(zeros({5, 4, 3}), w, 1, 1, 1, 1) ==
        "ShapeError: conv2d: expected x (N, H, W, I) and weight (O, KH, KW, I/groups) with groups 1, got (5, 4, 3) and "
        "(6, 3, 3, 3)");
  CHECK(error(x, w, 1, 1, 1, 3) ==
        "ShapeError: conv2d: expected x (N, H, W, I) and weight (O, KH, KW, I/groups) with groups 3, got (2, 5, 4, 3) "
        "and (6, 3, 3, 3)");
  CHECK(error(x, zeros({6, 3, 3, 1}), 1, 1, 1, 2) ==
        "ValueError: conv2d: 2 groups do not divide the channels of x (2, 5, 4, 3) and weight (6, 3, 3, 1)");
  CHECK(error(x, zeros({4, 3, 3, 1}), 1, 1, 1, 3) ==
        "ValueError: conv2d: 3 groups do not divide the channels of x (2, 5, 4, 3) and weight (4, 3, 3, 1)");
  CHECK(error(x, w, 0, 1, 1, 1) ==
        "ValueError: conv2d: expected stride, dilation and groups of at least 1, got 0, 1 and 1");
  CHECK(error(x, w, 1, 1, 0, 1) ==
        "ValueError: conv2d: expected stride, dilation and groups of at least 1, got 1, 0 and 1");
  CHECK(error(x, w, 1, 1, 1, 0) ==
        "ValueError: conv2d: expected stride, dilation and groups of at least 1, got 1, 1 and 0");
  CHECK(error(x, zeros({6, 7, 3, 3}), 1, 0, 1, 1) ==
        "ShapeError: conv2d: a kernel of 7 x 3 with dilation 1 does not fit into (2, 5, 4, 3) with padding 0");
  CHECK(error(x, zeros({6, 3, 0, 3}), 1, 0, 1, 1) ==
        "ShapeError: conv2d: a kernel of 3 x 0 with dilation 1 does not fit into (2, 5, 4, 3) with padding 0");
  CHECK(error(x, zeros({6, 3, 2, 3}), 1, 0, 2, 1) == "");  // 5 x 3 elements: just fits
  CHECK(error(x, zeros({6, 2, 3, 3}), 1, 0, 2, 1) ==
        "ShapeError: conv2d: a kernel of 2 x 3 with dilation 2 does not fit into (2, 5, 4, 3) with padding 0");
  CHECK(error(x, zeros({6, 2, 2, 3}), 1, 1, static_cast<std::size_t>(-1), 1) ==
        "ValueError: conv2d: dilation -1 is not a size (0 … 2^48)");
  CHECK(error(x, zeros({6, 2, 2, 3}), 1, 1, std::size_t{1} << 48, 1) ==
        "ShapeError: conv2d: a kernel of 2 x 2 with dilation 281474976710656 does not fit into (2, 5, 4, 3) with "
        "padding 1");
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
