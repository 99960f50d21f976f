#include "tensor/pool2d.hpp"

#include <doctest/doctest.h>

#include "tensor/indexing.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("pool2d: max_pool2d and its positions against nested loops") {
  const std::size_t n = 2, h = 7, w = 5, c = 3;
  const Tensor x = normal({n, h, w, c}, 1);
  for (const std::size_t kernel : {1, 2, 3, 4})
    for (const std::size_t stride : {1, 2, 3})
      for (std::size_t padding = 0; 2 * padding <= kernel; ++padding) {
        const auto [y, positions] = max_pool2d(x, kernel, stride, padding);
        const std::size_t oh = (h + 2 * padding - kernel) / stride + 1, ow = (w + 2 * padding - kernel) / stride + 1;
        REQUIRE(y.shape() == Shape{n, oh, ow, c});
        REQUIRE(positions.shape() == y.shape());
        for (std::size_t i = 0; i < y.size(); ++i) {
          const auto at = index_of(i, y.shape());
          double best = -1e30;
          std::size_t where_best = 0;
          for (std::size_t a = 0; a < kernel; ++a)
            for (std::size_t b = 0; b < kernel; ++b) {
              const std::size_t p = at[1] * stride + a, q = at[2] * stride + b;
              if (p < padding || q < padding || p - padding >= h || q - padding >= w) continue;
              const std::size_t from = offset_of({at[0], p - padding, q - padding, at[3]}, x.shape());
              if (static_cast<double>(x.data()[from]) > best) {
                best = static_cast<double>(x.data()[from]);
                where_best = from;
              }
            }
          CHECK(static_cast<double>(y.data()[i]) == best);
          CHECK(positions.data()[i] == static_cast<std::int64_t>(where_best));
        }
      }
}

TEST_CASE("pool2d: among equal elements the first wins, and padding never does") {
  const auto [y, positions] = max_pool2d(full({1, 4, 4, 1}, -3), 2, 2, 0);
  CHECK(identical(y, full({1, 2, 2, 1}, -3)));
  CHECK(equals(positions, {0, 2, 8, 10}, {1, 2, 2, 1}));
  const auto [z, padded] = max_pool2d(full({1, 4, 4, 1}, -3), 3, 2, 1);
  CHECK(identical(z, full({1, 2, 2, 1}, -3)));
  CHECK(equals(padded, {0, 1, 4, 5}, {1, 2, 2, 1}));
}

TEST_CASE("pool2d: PyTorch's values and its choice among ties") {
  const Reference ops("ops.safetensors");
  for (const char* name : {"max_pool2d_2x2_stride_2", "max_pool2d_3x3_stride_2", "max_pool2d_2x2_stride_2_ties",
                           "max_pool2d_3x3_stride_2_ties"}) {
    CAPTURE(name);
    const Reference::Case at = ops[name];
    const auto size = [&](const char* key) { return static_cast<std::size_t>(at.integer(key)); };
    const auto [y, positions] = max_pool2d(at("x"), size("kernel"), size("stride"), size("padding"));
    CHECK(identical(y, at("y")));
    CHECK(relative_error(put(at("dy"), positions, at("x").shape()), at("dx")) < 1e-6);
  }
}

TEST_CASE("pool2d: a NaN in a window is its maximum, wherever it stands") {
  for (std::size_t at = 0; at < 4; ++at) {
    Tensor x = tensor({1, 4, 2, 3}, {1, 2, 2, 1});
    x.data()[at] = std::numeric_limits<Scalar>::quiet_NaN();
    CAPTURE(at);
    CHECK(std::isnan(max_pool2d(x, 2, 2, 0).first.data()[0]));
  }
}

TEST_CASE("pool2d: bad windows are refused") {
  const Tensor x = zeros({2, 5, 4, 3});
  CHECK(error_of([] {
          max_pool2d(zeros({5, 4, 3}), 2, 2, 0);
        }) == "ShapeError: max_pool2d: expected x (N, H, W, C), got (5, 4, 3)");
  CHECK(
      error_of([&] { max_pool2d(x, 2, 0, 0); }) ==
      "ValueError: max_pool2d: expected kernel and stride of at least 1 and padding of at most kernel/2, got 2, 0, 0");
  CHECK(starts_with(error_of([&] { max_pool2d(x, 3, 1, 2); }), "ValueError: max_pool2d: "));
  CHECK(starts_with(error_of([&] { max_pool2d(x, 0, 1, 0); }), "ValueError: max_pool2d: "));
  CHECK(error_of([&] { max_pool2d(x, 5, 1, 0); }) ==
        "ShapeError: max_pool2d: a window of 5 does not fit into (2, 5, 4, 3) with padding 0");
}
