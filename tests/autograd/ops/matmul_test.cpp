#include "autograd/ops/matmul.hpp"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("matmul: gradients with every transpose against three nested loops") {
  const std::size_t m = 3, k = 5, n = 4;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      CAPTURE(ta);
      CAPTURE(tb);
      Variable a(normal(ta ? Shape{k, m} : Shape{m, k}, 1), true), b(normal(tb ? Shape{n, k} : Shape{k, n}, 2), true);
      const Variable y = matmul(a, b, ta, tb);
      const Tensor dy = normal({m, n}, 3);
      std::vector<double> c(m * n, 0.0), da(m * k, 0.0), db(k * n, 0.0);
      for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j)
          for (std::size_t p = 0; p < k; ++p) {
            const std::size_t at_a = ta ? p * m + i : i * k + p, at_b = tb ? j * k + p : p * n + j;
            const double u = static_cast<double>(a.value().data()[at_a]),
                         v = static_cast<double>(b.value().data()[at_b]);
            const double d = static_cast<double>(dy.data()[i * n + j]);
            c[i * n + j] += u * v;
            da[at_a] += d * v;
            db[at_b] += d * u;
          }
      y.backward(dy);
      CHECK(max_error(y.value(), tensor(c, {m, n})) < kRounding);
      CHECK(max_error(a.grad(), tensor(da, a.shape())) < kRounding);
      CHECK(max_error(b.grad(), tensor(db, b.shape())) < kRounding);
    }
}

TEST_CASE("matmul: PyTorch's linear layer") {
  const Reference ops("ops.safetensors");
  const Reference::Case at = ops["linear"];
  Variable x(at("x"), true), w(at("weight"), true), b(at("bias"), true);
  const Variable y = matmul(x, w, false, true) + b;
  y.backward(at("dy"));
  const double tolerance = sizeof(Scalar) == 8 ? 1e-13 : 1e-6;
  CHECK(relative_error(y.value(), at("y")) < tolerance);
  CHECK(relative_error(x.grad(), at("dx")) < tolerance);
  CHECK(relative_error(w.grad(), at("dweight")) < tolerance);
  CHECK(relative_error(b.grad(), at("dbias")) < tolerance);
}

TEST_CASE("matmul: a zero inner size") {
  Variable a(zeros({3, 0}), true), b(zeros({0, 4}), true);
  matmul(a, b).backward(ones({3, 4}));
  CHECK(a.grad().shape() == Shape{3, 0});
  CHECK(b.grad().shape() == Shape{0, 4});
}

TEST_CASE("matmul: matrices that do not fit are refused") {
  CHECK(error_of([] {
          matmul(Variable(zeros({2, 3}), true), Variable(zeros({4, 5})));
        }) == "ShapeError: matmul: inner sizes 3 and 4 differ, a is (2, 3) and b is (4, 5)");
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("matmul: first and second derivatives, with every transpose and with one matrix in both places") {
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const bool same : {false, true}) {
        CAPTURE(ta);
        CAPTURE(tb);
        CAPTURE(same);
        const auto f = [&](const Variables& v) {
          const Variable y = same ? matmul(v[0], v[0], ta, tb) : matmul(v[0], v[1], ta, tb);
          return square(y);
        };
        std::vector<Tensor> inputs = {normal({4, 4}, 1)};
        if (!same) inputs = {normal(ta ? Shape{5, 3} : Shape{3, 5}, 1), normal(tb ? Shape{4, 5} : Shape{5, 4}, 2)};
        CHECK(check_two_orders(f, inputs) == "");
      }
}

#endif
