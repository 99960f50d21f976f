#include "tensor/precision.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>

#include "tensor/kernels/gemm.hpp"
#include "tensor/shaping.hpp"
#include "tests/precision.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

/// To the nearest number of 8 bits of precision, the even one of two: what bfloat16 keeps.
float to_bfloat16(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  bits += 0x7fff + (bits >> 16 & 1);
  bits &= 0xffff0000;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

Tensor to_bfloat16(Tensor x) {
  for (std::size_t i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<Scalar>(to_bfloat16(static_cast<float>(x.data()[i])));
  return x;
}

}  // namespace

TEST_CASE("precision: this test's own rounding to bfloat16") {
  CHECK(to_bfloat16(1.0F) == 1.0F);
  CHECK(to_bfloat16(1.0F + 1.0F / 256) == 1.0F);               // half way, down to the even one
  CHECK(to_bfloat16(1.0F + 3.0F / 256) == 1.0F + 4.0F / 256);  // half way, up to the even one
  CHECK(to_bfloat16(1.0F + 1.01F / 256) == 1.0F + 2.0F / 256);
  CHECK(to_bfloat16(-3.14159F) == -3.140625F);
}

TEST_CASE("precision: full unless set, bfloat16 only in float, and refused where it is not available") {
  CHECK(matmul_precision() == Precision::Full);
  set_matmul_precision(Precision::Full);
  CHECK(matmul_precision() == Precision::Full);
  if (sizeof(Scalar) == 8) CHECK_FALSE(bfloat16_available());
  if (bfloat16_available()) {
    const MatmulPrecision precision(Precision::BFloat16);
    CHECK(matmul_precision() == Precision::BFloat16);
  } else {
    CHECK(error_of([] { set_matmul_precision(Precision::BFloat16); }) ==
          "ValueError: set_matmul_precision: bfloat16 needs a float build with oneDNN and a processor with "
          "AVX512_BF16");
  }
  CHECK(matmul_precision() == Precision::Full);
}

TEST_CASE("precision: a bfloat16 convolution is the float convolution of rounded inputs, all three passes") {
  if (!bfloat16_available()) {
    MESSAGE("skipped: no bfloat16 in this build or on this processor");
    return;
  }
  struct Setting {
    Shape x, w;
    std::size_t stride;
    bool relu;
  };
  for (const Setting& s :
       {Setting{{4, 16, 16, 32}, {64, 3, 3, 32}, 1, false}, Setting{{4, 9, 7, 16}, {16, 3, 3, 16}, 1, true},
        Setting{{3, 16, 16, 3}, {16, 3, 3, 3}, 1, false}, Setting{{3, 10, 9, 16}, {32, 3, 3, 16}, 2, true},
        Setting{{2, 8, 8, 64}, {64, 3, 3, 64}, 1, false}, Setting{{3, 8, 6, 16}, {32, 1, 1, 16}, 2, false}}) {
    CAPTURE(to_string(s.x));
    CAPTURE(to_string(s.w));
    const std::size_t padding = s.w[1] / 2;
    const Conv2dGeometry g = conv2d_geometry(s.x, s.w, s.stride, padding);
    const Tensor x = normal(s.x, 1), w = normal(s.w, 2), b = normal({s.w[0]}, 3), dy = normal(g.output_shape(), 4);
    NaiveConv2d exact(x, w, &b, dy, g), rounded(to_bfloat16(x), to_bfloat16(w), &b, to_bfloat16(dy), g);
    for (Tensor* y : {&exact.y, &rounded.y})
      for (std::size_t i = 0; s.relu && i < y->size(); ++i) y->data()[i] = std::max(y->data()[i], Scalar{0});

    const MatmulPrecision precision(Precision::BFloat16);
    for (const Conv2dPass pass : {Conv2dPass::Forward, Conv2dPass::BackwardInput, Conv2dPass::BackwardWeight})
      CHECK((contains(conv2d_implementation(g, pass), "bf16") || contains(conv2d_implementation(g, pass), "amx")));
    const Tensor y = conv2d(x, w, &b, s.stride, padding, 1, 1, s.relu);
    const Conv2dGradients d = conv2d_backward(dy, x, w, g, true, true);
    CHECK(l2_error(y, rounded.y) < 1e-5);
    CHECK(l2_error(*d.dx, rounded.dx) < 1e-5);
    CHECK(l2_error(*d.dw, rounded.dw) < 1e-5);
    CHECK(l2_error(conv2d_backward_input(dy, w, g), rounded.dx) < 1e-5);
    CHECK(l2_error(conv2d_backward_weight(dy, x, g), rounded.dw) < 1e-5);
    // It did round, by about as much as 8 bits say.
    for (const double error : {l2_error(y, exact.y), l2_error(*d.dx, exact.dx), l2_error(*d.dw, exact.dw)}) {
      CHECK(error > 1e-4);
      CHECK(error < 1e-2);
    }
  }
}

TEST_CASE("precision: a bfloat16 matrix product is the product of rounded factors, transposed or not, added or not") {
  if (!bfloat16_available()) {
    MESSAGE("skipped: no bfloat16 in this build or on this processor");
    return;
  }
  const MatmulPrecision precision(Precision::BFloat16);
  const std::size_t m = 7, n = 19, k = 33;
  const Tensor a = normal({m, k}, 1), b = normal({k, n}, 2), before = normal({m, n}, 3);
  const Tensor a_t = transpose(a, {1, 0}), b_t = transpose(b, {1, 0});
  for (const bool add : {false, true}) {
    Tensor rounded = before, exact = before;
    kernels::gemm_naive(m, n, k, to_bfloat16(a).data(), false, to_bfloat16(b).data(), false, rounded.data(), add);
    kernels::gemm_naive(m, n, k, a.data(), false, b.data(), false, exact.data(), add);
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true}) {
        CAPTURE(add);
        CAPTURE(transpose_a);
        CAPTURE(transpose_b);
        Tensor c = before;
        kernels::gemm(m, n, k, (transpose_a ? a_t : a).data(), transpose_a, (transpose_b ? b_t : b).data(), transpose_b,
                      c.data(), add);
        CHECK(l2_error(c, rounded) < 1e-5);
        CHECK(l2_error(c, exact) > 1e-4);  // it did round
        CHECK(l2_error(c, exact) < 1e-2);
      }
  }
}

TEST_CASE("precision: what has no fast bfloat16 kernel is computed all the same") {
  if (!bfloat16_available()) {
    MESSAGE("skipped: no bfloat16 in this build or on this processor");
    return;
  }
  const MatmulPrecision precision(Precision::BFloat16);
  for (const std::size_t groups : {1, 2}) {
    const Conv2dGeometry g = conv2d_geometry({2, 16, 17, 5 * groups}, {groups, 7, 7, 5}, 1, 5, 2, groups);
    const Tensor x = to_bfloat16(normal(g.input_shape(), 1)), w = to_bfloat16(normal(g.weight_shape(), 2)),
                 dy = to_bfloat16(normal(g.output_shape(), 3));
    const NaiveConv2d naive(x, w, nullptr, dy, g);
    CHECK(l2_error(conv2d(x, w, nullptr, 1, 5, 2, groups), naive.y) < 1e-5);
    CHECK(l2_error(conv2d_backward_input(dy, w, g), naive.dx) < 1e-5);
    CHECK(l2_error(conv2d_backward_weight(dy, x, g), naive.dw) < 1e-5);
  }
}
