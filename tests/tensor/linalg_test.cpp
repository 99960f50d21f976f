#include "tensor/linalg.hpp"

#include <doctest/doctest.h>

#include "tensor/kernels/gemm.hpp"
#include "tensor/shaping.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

Tensor naive_matmul(const Tensor& a, const Tensor& b, bool ta, bool tb, std::size_t m, std::size_t k, std::size_t n) {
  std::vector<double> c(m * n, 0.0);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t p = 0; p < k; ++p)
        c[i * n + j] += static_cast<double>(a.data()[ta ? p * m + i : i * k + p]) *
                        static_cast<double>(b.data()[tb ? j * k + p : p * n + j]);
  return tensor(c, {m, n});
}

}  // namespace

TEST_CASE("linalg: matmul with every transpose, sizes from one up") {
  const std::vector<std::size_t> sizes = {1, 2, 5, 13};
  std::uint64_t seed = 1;
  for (const std::size_t m : sizes)
    for (const std::size_t k : sizes)
      for (const std::size_t n : sizes)
        for (const bool ta : {false, true})
          for (const bool tb : {false, true}) {
            CAPTURE(m);
            CAPTURE(k);
            CAPTURE(n);
            CAPTURE(ta);
            CAPTURE(tb);
            const Tensor a = normal(ta ? Shape{k, m} : Shape{m, k}, ++seed),
                         b = normal(tb ? Shape{n, k} : Shape{k, n}, ++seed);
            CHECK(l2_error(xtg::matmul(a, b, ta, tb), naive_matmul(a, b, ta, tb, m, k, n)) < kRounding);
          }
}

TEST_CASE("linalg: larger products, a matrix with itself included") {
  const Tensor a = normal({97, 211}, 1), b = normal({211, 83}, 2);
  CHECK(l2_error(xtg::matmul(a, b), naive_matmul(a, b, false, false, 97, 211, 83)) < 10 * kRounding);
  CHECK(l2_error(xtg::matmul(a, a, true, false), naive_matmul(a, a, true, false, 211, 97, 211)) < 10 * kRounding);
  CHECK(l2_error(xtg::matmul(a, a, false, true), naive_matmul(a, a, false, true, 97, 211, 97)) < 10 * kRounding);
  const Tensor s = normal({61, 61}, 3);
  CHECK(l2_error(xtg::matmul(s, s), naive_matmul(s, s, false, false, 61, 61, 61)) < 10 * kRounding);
}

TEST_CASE("linalg: matrices along leading axes, which broadcast, and vectors") {
  const std::vector<std::pair<Shape, Shape>> leading = {{{6}, {6}},          {{6}, {}},     {{}, {6}},  {{2, 3}, {3}},
                                                        {{2, 1}, {7, 1, 3}}, {{1, 1}, {2}}, {{0}, {1}}, {{2, 0}, {}}};
  const std::size_t m = 3, k = 5, n = 4;
  for (const auto& shapes : leading)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        Shape sa = shapes.first, sb = shapes.second, whole = broadcast_shapes("test", sa, sb), sc = whole;
        for (const std::size_t size : {ta ? k : m, ta ? m : k}) sa.push_back(size);
        for (const std::size_t size : {tb ? n : k, tb ? k : n}) sb.push_back(size);
        for (const std::size_t size : {m, n}) sc.push_back(size);
        CAPTURE(to_string(sa));
        CAPTURE(to_string(sb));
        const Tensor a = normal(sa, 1), b = normal(sb, 2);
        Tensor expected = zeros(sc);
        for (std::size_t i = 0; i < count(whole); ++i) {
          Tensor one_a = zeros({sa[sa.size() - 2], sa.back()}), one_b = zeros({sb[sb.size() - 2], sb.back()});
          std::copy_n(a.data() + broadcast_offset(i, whole, shapes.first) * m * k, m * k, one_a.data());
          std::copy_n(b.data() + broadcast_offset(i, whole, shapes.second) * k * n, k * n, one_b.data());
          const Tensor c = naive_matmul(one_a, one_b, ta, tb, m, k, n);
          std::copy_n(c.data(), m * n, expected.data() + i * m * n);
        }
        CHECK(l2_error(xtg::matmul(a, b, ta, tb), expected) < kRounding);
      }
  // a vector is a row on the left and a column on the right, and leaves no axis
  const Tensor row = normal({1, 5}, 3), column = normal({5, 1}, 4), b = normal({2, 5, 3}, 5), a = normal({2, 3, 5}, 6);
  const Tensor v = xtg::reshape(row, Shape{5}), w = xtg::reshape(column, Shape{5});
  CHECK(identical(xtg::matmul(v, b), xtg::reshape(xtg::matmul(row, b), Shape{2, 3})));
  CHECK(identical(xtg::matmul(a, w), xtg::reshape(xtg::matmul(a, column), Shape{2, 3})));
  CHECK(identical(xtg::matmul(v, a, false, true), xtg::reshape(xtg::matmul(row, a, false, true), Shape{2, 3})));
  CHECK(identical(xtg::matmul(b, w, true), xtg::reshape(xtg::matmul(b, column, true), Shape{2, 3})));
  CHECK(identical(xtg::matmul(v, w), xtg::reshape(xtg::matmul(row, column), Shape{})));
}

TEST_CASE("linalg: sizes of zero") {
  CHECK(identical(xtg::matmul(zeros({3, 0}), zeros({0, 4})), zeros({3, 4})));
  CHECK(identical(xtg::matmul(zeros({0, 3}), zeros({4, 0}), true, true), zeros({3, 4})));
  CHECK(xtg::matmul(zeros({0, 5}), zeros({5, 4})).shape() == Shape{0, 4});
  CHECK(xtg::matmul(zeros({3, 5}), zeros({5, 0})).shape() == Shape{3, 0});
  CHECK(identical(xtg::matmul(zeros({2, 3, 0}), zeros({0, 4})), zeros({2, 3, 4})));
  CHECK(identical(xtg::matmul(zeros({0}), zeros({0, 4})), zeros({4})));
  CHECK(identical(xtg::matmul(zeros({0}), zeros({0})), scalar(0)));
  CHECK(xtg::matmul(zeros({0, 3, 5}), zeros({2, 1, 5, 4})).shape() == Shape{2, 0, 3, 4});
}

TEST_CASE("linalg: matrices that do not fit are refused") {
  CHECK(error_of([] {
          xtg::matmul(zeros({2, 3}), zeros({4, 5}));
        }) == "ShapeError: matmul: inner sizes 3 and 4 differ, a is (2, 3) and b is (4, 5)");
  CHECK(error_of([] {
          xtg::matmul(zeros({2, 3}), zeros({4, 5}), true, true);
        }) == "ShapeError: matmul: inner sizes 2 and 5 differ, a is (2, 3) transposed and b is (4, 5) transposed");
  CHECK(error_of([] {
          xtg::matmul(zeros({3}), zeros({4, 5}));
        }) == "ShapeError: matmul: inner sizes 3 and 4 differ, a is (3) and b is (4, 5)");
  CHECK(error_of([] {
          xtg::matmul(zeros({2, 3}), zeros({4}));
        }) == "ShapeError: matmul: inner sizes 3 and 4 differ, a is (2, 3) and b is (4)");
  CHECK(error_of([] {
          xtg::matmul(scalar(1), zeros({4, 5}));
        }) == "ShapeError: matmul: expected vectors or matrices, got () and (4, 5)");
  CHECK(error_of([] {
          xtg::matmul(zeros({2, 7, 3}), zeros({5, 3, 4}));
        }) == "ShapeError: matmul: leading axes: shapes (2) and (5) do not broadcast");
  CHECK(error_of([] {
          xtg::matmul(zeros({3}), zeros({3, 4}), true);
        }) == "ValueError: matmul: a vector cannot be transposed, a is (3) and b is (3, 4)");
  CHECK(error_of([] {
          xtg::matmul(zeros({4, 3}), zeros({3}), false, true);
        }) == "ValueError: matmul: a vector cannot be transposed, a is (4, 3) and b is (3)");
}

TEST_CASE("linalg: the kernel and its naive twin, with and without accumulation") {
  const std::size_t m = 7, n = 11, k = 19;
  const Tensor a = normal({m, k}, 1), b = normal({k, n}, 2), start = normal({m, n}, 3);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const bool accumulate : {false, true}) {
        Tensor fast = start, slow = start;
        kernels::gemm(m, n, k, a.data(), ta, b.data(), tb, fast.data(), accumulate);
        kernels::gemm_naive(m, n, k, a.data(), ta, b.data(), tb, slow.data(), accumulate);
        CHECK(l2_error(fast, slow) < kRounding);
        Tensor expected = naive_matmul(a, b, ta, tb, m, k, n);
        for (std::size_t i = 0; accumulate && i < expected.size(); ++i) expected.data()[i] += start.data()[i];
        CHECK(l2_error(fast, expected) < kRounding);
      }
  Tensor c = start;  // nothing to add
  kernels::gemm(m, n, 0, a.data(), false, b.data(), false, c.data(), true);
  CHECK(identical(c, start));
  kernels::gemm(m, n, 0, a.data(), false, b.data(), false, c.data(), false);
  CHECK(identical(c, zeros({m, n})));
}
