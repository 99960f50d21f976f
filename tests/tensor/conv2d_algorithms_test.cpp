// Which algorithm a convolution gets, and that each of them computes it.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/create.hpp"
#include "tensor/kernels/conv2d_choice.hpp"
#include "tensor/kernels/onednn_conv2d.hpp"
#include "tensor/precision.hpp"
#include "tests/conv2d_algorithms.hpp"
#include "tests/precision.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

std::string onednn_name(const Conv2dGeometry& g, Conv2dPass pass, Conv2dAlgorithm algorithm, bool bfloat16 = false) {
  const std::string name = kernels::onednn_implementation(g, pass, algorithm, bfloat16);
  return kernels::is_reference(name) ? "" : name;
}

/// Whether this build has oneDNN, and that more than reference loops for channels-last arrays: not so on ARM.
bool has_direct() {
  return onednn_name(conv2d_geometry({1, 8, 8, 16}, {16, 3, 3, 16}, 1, 1), kPasses[0], kAlgorithms[0]) != "";
}

std::vector<Conv2dGeometry> geometries() {
  struct Setting {
    Shape x, w;
    std::size_t stride, padding, dilation, groups;
  };
  std::vector<Conv2dGeometry> list;
  for (const Setting& s :
       {Setting{{3, 12, 12, 3}, {16, 3, 3, 3}, 1, 1, 1, 1}, Setting{{3, 12, 10, 16}, {16, 3, 3, 16}, 1, 1, 1, 1},
        Setting{{3, 12, 12, 16}, {32, 3, 3, 16}, 2, 1, 1, 1}, Setting{{3, 9, 8, 32}, {32, 3, 3, 32}, 1, 1, 1, 1},
        Setting{{3, 8, 8, 32}, {64, 3, 3, 32}, 2, 1, 1, 1}, Setting{{2, 8, 8, 64}, {64, 3, 3, 64}, 1, 1, 1, 1},
        Setting{{1, 7, 9, 64}, {48, 3, 3, 64}, 1, 0, 1, 1}, Setting{{2, 6, 7, 48}, {64, 3, 3, 48}, 1, 2, 1, 1},
        Setting{{2, 8, 8, 32}, {64, 1, 1, 32}, 2, 0, 1, 1}, Setting{{2, 9, 9, 32}, {32, 3, 3, 32}, 1, 2, 2, 1},
        Setting{{2, 8, 8, 32}, {32, 3, 3, 8}, 1, 1, 1, 4}, Setting{{2, 7, 8, 16}, {16, 5, 5, 16}, 1, 2, 1, 1}})
    list.push_back(conv2d_geometry(s.x, s.w, s.stride, s.padding, s.dilation, s.groups));
  return list;
}

}  // namespace

TEST_CASE("conv2d algorithms: each that oneDNN has computes each pass") {
  std::array<int, 3> compared{};
  const KeepAlgorithms keep;
  for (const Conv2dGeometry& g : geometries()) {
    const Tensor x = normal(g.input_shape(), 1), w = normal(g.weight_shape(), 2), b = normal({g.out}, 3),
                 dy = normal(g.output_shape(), 4);
    const NaiveConv2d plain(x, w, nullptr, dy, g), naive(x, w, &b, dy, g);
    Tensor open = naive.y;
    for (std::size_t i = 0; i < open.size(); ++i) open.data()[i] = std::max(open.data()[i], Scalar{0});
    for (const Conv2dAlgorithm algorithm : kAlgorithms) {
      CAPTURE(to_string(algorithm));
      CAPTURE(to_string(g.input_shape()));
      CAPTURE(to_string(g.weight_shape()));
      for (const Conv2dPass pass : kPasses) {
        set_conv2d_algorithm({g, pass, false, algorithm, ""}, algorithm);
        const std::string name = onednn_name(g, pass, algorithm);
        if (name.empty()) continue;
        CHECK(conv2d_implementation(g, pass) == name);
        ++compared[static_cast<std::size_t>(algorithm)];
      }
      CHECK(l2_error(conv2d(x, w, nullptr, g.stride, g.padding, g.dilation, g.groups), plain.y) < 1e-4);
      CHECK(l2_error(conv2d(x, w, &b, g.stride, g.padding, g.dilation, g.groups), naive.y) < 1e-4);
      CHECK(l2_error(conv2d(x, w, &b, g.stride, g.padding, g.dilation, g.groups, true), open) < 1e-4);
      CHECK(l2_error(conv2d_backward_input(dy, w, g), naive.dx) < 1e-4);
      CHECK(l2_error(conv2d_backward_weight(dy, x, g), naive.dw) < 1e-4);
      const Conv2dGradients both = conv2d_backward(dy, x, w, g, true, true);
      CHECK(l2_error(*both.dx, naive.dx) < 1e-4);
      CHECK(l2_error(*both.dw, naive.dw) < 1e-4);
    }
    // Both gradients at once, by two algorithms: what they share of dy may lie differently.
    for (const auto& two : {std::pair(0, 1), {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}}) {
      const int for_x = two.first, for_w = two.second;
      CAPTURE(for_x);
      CAPTURE(for_w);
      set_conv2d_algorithm({g, Conv2dPass::BackwardInput, false, kAlgorithms[0], ""},
                           static_cast<Conv2dAlgorithm>(for_x));
      set_conv2d_algorithm({g, Conv2dPass::BackwardWeight, false, kAlgorithms[0], ""},
                           static_cast<Conv2dAlgorithm>(for_w));
      const Conv2dGradients both = conv2d_backward(dy, x, w, g, true, true);
      CHECK(l2_error(*both.dx, naive.dx) < 1e-4);
      CHECK(l2_error(*both.dw, naive.dw) < 1e-4);
    }
  }
  if (!has_direct()) {
    MESSAGE("no oneDNN in this build, or none that is fast on this processor");
    CHECK(compared[0] == 0);
  } else {
    CHECK(compared[0] >= 20);
    CHECK(compared[1] >= 20);
    if (compared[2] == 0) MESSAGE("oneDNN has no Winograd on this processor");
  }
}

TEST_CASE("conv2d algorithms: the table's choice, and what runs, is never a reference implementation") {
  std::vector<Conv2dGeometry> list = geometries();
  for (const std::size_t n : {1, 128})
    for (const auto& [size, channels] : {std::pair<std::size_t, std::size_t>{32, 16}, {16, 32}, {8, 64}, {4, 512}})
      list.push_back(conv2d_geometry({n, size, size, channels}, {channels, 3, 3, channels}, 1, 1));
  for (const Precision precision : {Precision::Full, Precision::BFloat16}) {
    const bool bfloat16 = precision == Precision::BFloat16;
    if (bfloat16 && !bfloat16_available()) {
      MESSAGE("bfloat16 skipped: not in this build or on this processor");
      continue;
    }
    const MatmulPrecision set(precision);
    for (const Conv2dGeometry& g : list)
      for (const Conv2dPass pass : kPasses) {
        CAPTURE(to_string(g.input_shape()));
        CAPTURE(to_string(g.weight_shape()));
        CAPTURE(to_string(pass));
        CAPTURE(bfloat16);
        const std::string name = conv2d_implementation(g, pass);
        CHECK_FALSE(name.empty());
        CHECK_FALSE(contains(name, "ref"));
        const Conv2dAlgorithm chosen = kernels::chosen_algorithm(g, pass, bfloat16);
        CHECK(chosen == kernels::table_algorithm(g, pass, bfloat16));
        if (bfloat16) CHECK(chosen == Conv2dAlgorithm::Direct);
        if (chosen != Conv2dAlgorithm::Direct) {
          CHECK(g.kh == 3);
          CHECK(g.stride == 1);
          CHECK(std::min(g.in, g.out) >= 32);
        }
      }
  }
}

TEST_CASE("conv2d algorithms: one that is set is what runs, for any number of images, and for nothing else") {
  const KeepAlgorithms keep;
  const Conv2dGeometry g = conv2d_geometry({2, 8, 8, 64}, {64, 3, 3, 64}, 1, 1);
  Conv2dGeometry more = g, other = g;
  more.n = 5;
  other.h = other.oh = 9;
  for (const Conv2dPass pass : kPasses)
    for (const Conv2dAlgorithm algorithm : kAlgorithms) {
      set_conv2d_algorithms("");
      CAPTURE(to_string(algorithm));
      CAPTURE(to_string(pass));
      set_conv2d_algorithm({g, pass, false, Conv2dAlgorithm::Direct, ""}, algorithm);
      for (const Conv2dGeometry& same : {g, more}) {
        CHECK(kernels::chosen_algorithm(same, pass, false) == algorithm);
        std::string expected = onednn_name(same, pass, algorithm);
        if (expected.empty()) expected = onednn_name(same, pass, Conv2dAlgorithm::Direct);
        if (has_direct()) CHECK(expected != "");
        CHECK(conv2d_implementation(same, pass) == (expected.empty() ? "gemm" : expected));
      }
      CHECK(kernels::chosen_algorithm(g, pass, true) == Conv2dAlgorithm::Direct);  // another precision
      CHECK(kernels::chosen_algorithm(other, pass, false) == kernels::table_algorithm(other, pass, false));
      for (const Conv2dPass another : kPasses)
        if (another != pass)
          CHECK(kernels::chosen_algorithm(g, another, false) == kernels::table_algorithm(g, another, false));
    }
}

namespace {

/// For its lifetime.
struct Exact {
  explicit Exact(bool on) : before(exact_convolutions()) { set_exact_convolutions(on); }
  ~Exact() { set_exact_convolutions(before); }
  bool before;
};

/// 3x3 and stride 1, as the table gives Winograd to it; images of 16x16 in tiles of 4x4.
Conv2dGeometry square(std::size_t channels) {
  return conv2d_geometry({2, 16, 16, channels}, {channels, 3, 3, channels}, 1, 1);
}

/// The largest |a − b|, and |a| with b null, of image 0 where neither row nor column is within a pixel of 7.
double far_from_the_middle(const Tensor& a, const Tensor* b) {
  double largest = 0;
  for (std::size_t i = 0; i < 16; ++i)
    for (std::size_t j = 0; j < 16; ++j)
      for (std::size_t c = 0; c < a.shape()[3]; ++c)
        if (i < 6 || i > 8 || j < 6 || j > 8) {
          const double difference =
              static_cast<double>(a(0, i, j, c)) - (b ? static_cast<double>((*b)(0, i, j, c)) : 0);
          largest = std::isnan(difference) ? INFINITY : std::max(largest, std::abs(difference));
        }
  return largest;
}

/// What docs/performance.md says of Winograd's accuracy, of the convolution of x, or its backward on dy.
struct Accuracy {
  double normal, outlier, zeros, infinity;
};
Accuracy accuracy(Conv2dPass pass, const Conv2dGeometry& g) {
  const bool forward = pass == Conv2dPass::Forward;
  const Tensor x = normal(g.input_shape(), 1);
  Tensor w = normal(g.weight_shape(), 2);
  for (Scalar& v : w) v *= std::sqrt(Scalar(2) / Scalar(9 * g.in));  // as a network begins (He et al. 2015)
  const auto run = [&](const Tensor& t) {
    return forward ? conv2d(t, w, nullptr, 1, 1) : conv2d_backward_input(t, w, g);
  };
  const NaiveConv2d naive(x, w, nullptr, x, g);
  const Tensor y = run(x);
  Accuracy result{l2_error(y, forward ? naive.y : naive.dx), 0, 0, 0};
  Tensor changed = x;
  changed(0, 7, 7, 3) = Scalar(1e6);
  result.outlier = far_from_the_middle(run(changed), &y);
  changed(0, 7, 7, 3) = std::numeric_limits<Scalar>::infinity();
  result.infinity = far_from_the_middle(run(changed), &y);
  changed = zeros(g.input_shape());
  for (std::size_t c = 0; c < g.in; ++c) changed(0, 7, 7, c) = 1000 * x(0, 7, 7, c);
  result.zeros = far_from_the_middle(run(changed), nullptr);
  return result;
}

}  // namespace

TEST_CASE("conv2d algorithms: exact, an output depends on its window alone, and zeros give 0") {
  const KeepAlgorithms keep;
  for (const Conv2dPass pass : {Conv2dPass::Forward, Conv2dPass::BackwardInput})
    for (const std::size_t channels : {32, 64}) {
      const Conv2dGeometry g = square(channels);
      CAPTURE(to_string(pass));
      CAPTURE(channels);
      for (const bool set : {false, true}) {  // by the table, and where somebody asked for Winograd
        set_conv2d_algorithms("");
        if (set) set_conv2d_algorithm({g, pass, false, Conv2dAlgorithm::Direct, ""}, Conv2dAlgorithm::Winograd);
        const Exact on(true);
        CHECK(kernels::chosen_algorithm(g, pass, false) != Conv2dAlgorithm::Winograd);
        CHECK(!contains(conv2d_implementation(g, pass), "wino"));
        const Accuracy exact = accuracy(pass, g);
        if (!set) MESSAGE(to_string(pass) << ", " << channels << " channels, exact: normal data " << exact.normal);
        CHECK(exact.normal < 5e-7);
        CHECK(exact.outlier == 0);
        CHECK(exact.zeros == 0);
        CHECK(exact.infinity == 0);
        CHECK(!time_conv2d({g, pass, false, Conv2dAlgorithm::Direct, ""}, 1)[2].has_value());
      }
      const Exact off(false);
      set_conv2d_algorithms("");
      if (onednn_name(g, pass, Conv2dAlgorithm::Winograd).empty()) continue;
      set_conv2d_algorithm({g, pass, false, Conv2dAlgorithm::Direct, ""}, Conv2dAlgorithm::Winograd);
      const Accuracy fast = accuracy(pass, g);  // as on the page
      MESSAGE(to_string(pass) << ", " << channels << " channels, by Winograd: normal data " << fast.normal
                              << ", an outlier of 1e6 " << fast.outlier << ", zeros beside normal data times 1000 "
                              << fast.zeros << ", an infinity " << fast.infinity);
      CHECK(fast.normal < 2e-6);
      CHECK(fast.outlier > 0.001);
      CHECK(fast.outlier < 10);
      CHECK(fast.zeros > 0);
      CHECK(fast.zeros < 0.01);
      CHECK(fast.infinity == INFINITY);
    }
}

TEST_CASE("conv2d algorithms: exact, the weight gradient of a channel depends on that channel alone") {
  const Conv2dGeometry g = square(64);
  const Exact on(true);
  const Tensor dy = normal(g.output_shape(), 1);
  Tensor x = normal(g.input_shape(), 2);
  const Tensor before = conv2d_backward_weight(dy, x, g);
  x(0, 7, 7, 3) = Scalar(1e6);
  const Tensor after = conv2d_backward_weight(dy, x, g);
  std::size_t changed = 0, others = 0;
  for (std::size_t i = 0; i < after.size(); ++i)
    if (after.data()[i] != before.data()[i]) ++(i % 64 == 3 ? changed : others);
  CHECK(changed == 64 * 9);
  CHECK(others == 0);
}

TEST_CASE("conv2d algorithms: as text, and back") {
  const KeepAlgorithms keep;
  set_conv2d_algorithms("");
  CHECK(conv2d_algorithms() == "");
  const Conv2dGeometry g = conv2d_geometry({2, 8, 9, 64}, {48, 3, 4, 32}, 2, 1, 3, 2);
  set_conv2d_algorithm({g, Conv2dPass::Forward, false, Conv2dAlgorithm::Direct, ""}, Conv2dAlgorithm::Blocked);
  CHECK(conv2d_algorithms() == "forward 8x9 64->48 kernel 3x4 stride 2 padding 1 dilation 3 groups 2 fp32: blocked");
  set_conv2d_algorithm({g, Conv2dPass::BackwardInput, true, Conv2dAlgorithm::Direct, ""}, Conv2dAlgorithm::Winograd);
  set_conv2d_algorithm({g, Conv2dPass::BackwardWeight, false, Conv2dAlgorithm::Blocked, ""}, Conv2dAlgorithm::Direct);
  const std::string text = conv2d_algorithms();
  CHECK(contains(text, "; backward_input 8x9 64->48 kernel 3x4 stride 2 padding 1 dilation 3 groups 2 bf16: winograd"));
  CHECK(contains(text, "backward_weight 8x9 64->48 kernel 3x4 stride 2 padding 1 dilation 3 groups 2 fp32: direct"));

  set_conv2d_algorithms("");
  CHECK(conv2d_algorithms() == "");
  CHECK(kernels::chosen_algorithm(g, Conv2dPass::Forward, false) == Conv2dAlgorithm::Direct);
  set_conv2d_algorithms(text);
  CHECK(conv2d_algorithms() == text);
  CHECK(kernels::chosen_algorithm(g, Conv2dPass::Forward, false) == Conv2dAlgorithm::Blocked);
  CHECK(kernels::chosen_algorithm(g, Conv2dPass::BackwardInput, true) == Conv2dAlgorithm::Winograd);
  CHECK(kernels::chosen_algorithm(g, Conv2dPass::BackwardInput, false) == Conv2dAlgorithm::Direct);

  const std::string one = "forward 8x9 64->48 kernel 3x4 stride 2 padding 1 dilation 3 groups 2 fp32: direct";
  set_conv2d_algorithms(one);  // instead of what was set before
  CHECK(conv2d_algorithms() == one);
}

TEST_CASE("conv2d algorithms: those that are set and that are not here are named") {
  const KeepAlgorithms keep;
  set_conv2d_algorithms("");
  CHECK(missing_conv2d_algorithms(2) == "");
  const Conv2dGeometry g = conv2d_geometry({2, 8, 8, 64}, {64, 3, 3, 64}, 1, 1);
  set_conv2d_algorithm({g, Conv2dPass::Forward, false, Conv2dAlgorithm::Direct, ""}, Conv2dAlgorithm::Direct);
  const std::string direct = conv2d_algorithms();
  CHECK(missing_conv2d_algorithms(2) == (has_direct() ? "" : direct));
  set_conv2d_algorithm({g, Conv2dPass::BackwardInput, true, Conv2dAlgorithm::Direct, ""}, Conv2dAlgorithm::Winograd);
  const std::string half = "backward_input 8x8 64->64 kernel 3x3 stride 1 padding 1 dilation 1 groups 1 bf16: winograd";
  CHECK(missing_conv2d_algorithms(2) == (has_direct() ? half : direct + "; " + half));
  set_conv2d_algorithms("");
  for (const Conv2dPass pass : kPasses) {
    set_conv2d_algorithm({g, pass, false, Conv2dAlgorithm::Direct, ""}, Conv2dAlgorithm::Winograd);
    const bool there = onednn_name(g, pass, Conv2dAlgorithm::Winograd) != "";
    CHECK(contains(missing_conv2d_algorithms(2), to_string(pass) + " ") != there);
  }
}

TEST_CASE("conv2d algorithms: any other text is refused, and changes nothing") {
  const KeepAlgorithms keep;
  const std::string good = "forward 8x8 64->64 kernel 3x3 stride 1 padding 1 dilation 1 groups 1 fp32: direct";
  set_conv2d_algorithms(good);
  const auto refused = [&](const std::string& text, const std::string& entry) {
    std::string message;
    try {
      set_conv2d_algorithms(text);
    } catch (const FormatError& error) {
      message = error.what();
    }
    CHECK(message == "set_conv2d_algorithms: expected 'forward 8x8 64->64 kernel …: direct', got '" + entry + "'");
    CHECK(conv2d_algorithms() == good);
  };
  refused("fast", "fast");
  refused(" ", " ");
  refused(";", "");
  refused(good + "; quickly", " quickly");
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"direct", "indirect"},
                                                                                 {"direct", ""},
                                                                                 {"direct", "direct now"},
                                                                                 {"forward", "sideways"},
                                                                                 {"8x8", "8x-8"},
                                                                                 {"fp32", "fp64"},
                                                                                 {"fp32", "fp3"},
                                                                                 {"stride 1", "stride one"},
                                                                                 {"groups 1 ", ""},
                                                                                 {"8x8", "8x8.5"}}) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    refused(text, text);
  }
}

TEST_CASE("conv2d algorithms: times of all there are, which leave the settings as they were") {
  const KeepAlgorithms keep;
  const Conv2dGeometry g = conv2d_geometry({2, 8, 8, 32}, {32, 3, 3, 32}, 1, 1);
  for (const std::string& before :
       {std::string(),
        std::string("forward 8x8 32->32 kernel 3x3 stride 1 padding 1 dilation 1 groups 1 fp32: blocked")}) {
    set_conv2d_algorithms(before);
    for (const Conv2dPass pass : kPasses) {
      const auto seconds = time_conv2d({g, pass, false, Conv2dAlgorithm::Direct, ""}, 3);
      REQUIRE(seconds.size() == 3);
      for (std::size_t k = 0; k < 3; ++k) {
        CHECK(seconds[k].has_value() == (onednn_name(g, pass, kAlgorithms[k]) != ""));
        if (seconds[k]) CHECK((*seconds[k] > 0 && *seconds[k] < 10));
      }
      CHECK(seconds[0].has_value() == has_direct());
      CHECK(conv2d_algorithms() == before);
    }
  }
  const auto timed = [&](int repetitions) {
    return error_of([&] { time_conv2d({g, Conv2dPass::Forward, false, Conv2dAlgorithm::Direct, ""}, repetitions); });
  };
  CHECK(timed(1) == "");
  CHECK(timed(0) == "ValueError: time_conv2d: expected at least 1 repetition, got 0");
}

TEST_CASE("conv2d algorithms: what ran is listed, once, and what was only asked about is not") {
  const KeepAlgorithms keep;
  set_conv2d_algorithms("");
  const Conv2dGeometry g = conv2d_geometry({3, 13, 11, 16}, {48, 3, 3, 16}, 1, 1);  // no other test's
  const auto listed = [&] {
    std::vector<Conv2dChoice> of_g;
    for (const Conv2dChoice& c : conv2d_choices())
      if (c.geometry.h == 13 && c.geometry.w == 11 && c.geometry.n == 3 && c.geometry.out == 48) of_g.push_back(c);
    return of_g;
  };
  const Tensor x = normal(g.input_shape(), 1), w = normal(g.weight_shape(), 2), b = normal({48}, 3),
               dy = normal(g.output_shape(), 4);
  conv2d_implementation(g, Conv2dPass::Forward);
  CHECK(listed().empty());
  conv2d(x, w, nullptr, 1, 1);
  conv2d(x, w, &b, 1, 1);
  conv2d(x, w, &b, 1, 1, 1, 1, true);
  const std::size_t one = has_direct() ? 1 : 0;
  REQUIRE(listed().size() == one);
  conv2d_backward(dy, x, w, g, false, true);
  conv2d_backward(dy, x, w, g, true, true);
  REQUIRE(listed().size() == 3 * one);
  for (const Conv2dChoice& c : listed()) {
    CHECK(c.implementation == conv2d_implementation(g, c.pass));
    CHECK(c.algorithm == Conv2dAlgorithm::Direct);
    CHECK_FALSE(c.bfloat16);
  }
  if (bfloat16_available()) {  // timing is running, in the precision that is asked about
    const auto seconds = time_conv2d({g, Conv2dPass::Forward, true, Conv2dAlgorithm::Direct, ""}, 1);
    CHECK(seconds[0].has_value());
    std::size_t in_bfloat16 = 0;
    for (const Conv2dChoice& c : listed()) in_bfloat16 += c.bfloat16 && c.algorithm == Conv2dAlgorithm::Direct;
    CHECK(in_bfloat16 == 1);
    CHECK(matmul_precision() == Precision::Full);
  }
}
