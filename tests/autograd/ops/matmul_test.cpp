#include "autograd/ops/matmul.hpp"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.hpp"
#include "tensor/shaping.hpp"
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

namespace {

/// visit(offset in a, offset in b, offset in y) for every product of a batched matmul.
template <class Visit>
void for_each_product(const Shape& a, const Shape& b, const Shape& y, bool ta, bool tb, const Visit& visit) {
  const std::size_t k = a[a.size() - (ta ? 2 : 1)];
  for (std::size_t i = 0; i < count(y); ++i)
    for (std::size_t p = 0; p < k; ++p) {
      const std::vector<std::size_t> at = index_of(i, y);
      const std::size_t row = at[at.size() - 2], column = at.back();
      const auto offset = [&](const Shape& shape, std::size_t u, std::size_t v) {
        std::vector<std::size_t> inner(at.end() - static_cast<std::ptrdiff_t>(shape.size()), at.end());
        for (std::size_t d = 0; d + 2 < shape.size(); ++d)
          if (shape[d] == 1) inner[d] = 0;
        inner[shape.size() - 2] = u;
        inner[shape.size() - 1] = v;
        return offset_of(inner, shape);
      };
      visit(ta ? offset(a, p, row) : offset(a, row, p), tb ? offset(b, column, p) : offset(b, p, column), i);
    }
}

Shape matrices(const Shape& leading, std::size_t rows, std::size_t columns, bool transposed) {
  Shape shape = leading;
  shape.push_back(transposed ? columns : rows);
  shape.push_back(transposed ? rows : columns);
  return shape;
}

const std::vector<std::pair<Shape, Shape>>& leading_axes() {
  static const std::vector<std::pair<Shape, Shape>> list = {
      {{6}, {6}}, {{6}, {}}, {{}, {6}}, {{2, 6}, {6}}, {{2, 1}, {7, 1, 6}}, {{1, 1}, {2}}, {{0}, {1}}, {{2, 0}, {}}};
  return list;
}

}  // namespace

TEST_CASE("matmul: batches, with gradients summed over the axes that were repeated") {
  const std::size_t m = 3, k = 5, n = 4;
  for (const auto& shapes : leading_axes())
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const Shape sa = matrices(shapes.first, m, k, ta), sb = matrices(shapes.second, k, n, tb);
        const Shape sy = matrices(broadcast_shapes("test", shapes.first, shapes.second), m, n, false);
        CAPTURE(to_string(sa));
        CAPTURE(to_string(sb));
        Variable a(normal(sa, 1), true), b(normal(sb, 2), true);
        const Variable y = matmul(a, b, ta, tb);
        const Tensor dy = normal(sy, 3);
        std::vector<double> c(count(sy), 0.0), da(count(sa), 0.0), db(count(sb), 0.0);
        for_each_product(sa, sb, sy, ta, tb, [&](std::size_t i, std::size_t j, std::size_t o) {
          const double u = static_cast<double>(a.value().data()[i]), v = static_cast<double>(b.value().data()[j]);
          c[o] += u * v;
          da[i] += static_cast<double>(dy.data()[o]) * v;
          db[j] += static_cast<double>(dy.data()[o]) * u;
        });
        CHECK(max_error(y.value(), tensor(c, sy)) < kRounding);
        y.backward(dy);
        CHECK(max_error(a.grad(), tensor(da, sa)) < 10 * kRounding);
        CHECK(max_error(b.grad(), tensor(db, sb)) < 10 * kRounding);
      }
}

TEST_CASE("matmul: a vector is a row on the left and a column on the right") {
  const Tensor va = normal({5}, 1), vb = normal({5}, 2), matrix = normal({5, 3}, 3), batch = normal({2, 3, 5}, 4);
  struct Product {
    Tensor a, b;
    bool ta, tb;
    Shape row, column, result;  // a and b as matrices
  };
  const std::vector<Product> list = {{va, vb, false, false, {1, 5}, {5, 1}, {}},
                                     {va, matrix, false, false, {1, 5}, {5, 3}, {3}},
                                     {matrix, vb, true, false, {5, 3}, {5, 1}, {3}},
                                     {va, batch, false, true, {1, 5}, {2, 3, 5}, {2, 3}},
                                     {batch, vb, false, false, {2, 3, 5}, {5, 1}, {2, 3}}};
  for (const Product& p : list) {
    CAPTURE(to_string(p.a.shape()));
    CAPTURE(to_string(p.b.shape()));
    Variable a(p.a, true), b(p.b, true);
    Variable row(xtg::reshape(p.a, p.row), true), column(xtg::reshape(p.b, p.column), true);
    const Variable y = matmul(a, b, p.ta, p.tb), expected = matmul(row, column, p.ta, p.tb);
    CHECK(identical(y.value(), xtg::reshape(expected.value(), p.result)));
    const Tensor dy = normal(p.result, 5);
    y.backward(dy);
    expected.backward(xtg::reshape(dy, expected.shape()));
    CHECK(identical(a.grad(), xtg::reshape(row.grad(), a.shape())));
    CHECK(identical(b.grad(), xtg::reshape(column.grad(), b.shape())));
  }
}

TEST_CASE("matmul: dot and outer") {
  Variable a(tensor({1, 2, 3}, {3}), true), b(tensor({4, -5, 6}, {3}), true), c(tensor({7, 8}, {2}), true);
  dot(a, b).backward();
  CHECK(dot(a, b).shape() == Shape{});
  CHECK(dot(a, b).item() == 12);
  CHECK(identical(a.grad(), b.value()));
  CHECK(identical(b.grad(), a.value()));
  a.zero_grad();
  const Variable y = outer(a, c);
  CHECK(identical(y.value(), tensor({7, 8, 14, 16, 21, 24}, {3, 2})));
  y.backward(tensor({1, 0, 0, 1, 10, 100}, {3, 2}));
  CHECK(identical(a.grad(), tensor({7, 8, 870}, {3})));
  CHECK(identical(c.grad(), tensor({31, 302}, {2})));
  const Variable none(zeros({0}));
  CHECK(dot(none, none).item() == 0);
  CHECK(outer(a, none).shape() == Shape{3, 0});
  CHECK(outer(none, c).shape() == Shape{0, 2});
  const Variable matrix(zeros({3, 3}));
  CHECK(error_of([&] { dot(a, c); }) == "ShapeError: dot: expected two vectors of equal size, got (3) and (2)");
  CHECK(error_of([&] { dot(matrix, matrix); }) ==
        "ShapeError: dot: expected two vectors of equal size, got (3, 3) and (3, 3)");
  CHECK(error_of([&] { outer(a, matrix); }) == "ShapeError: outer: expected two vectors, got (3) and (3, 3)");
  CHECK(error_of([&] { outer(matrix, a); }) == "ShapeError: outer: expected two vectors, got (3, 3) and (3)");
}

TEST_CASE("matmul: a zero inner size") {
  Variable a(zeros({3, 0}), true), b(zeros({0, 4}), true);
  matmul(a, b).backward(ones({3, 4}));
  CHECK(a.grad().shape() == Shape{3, 0});
  CHECK(b.grad().shape() == Shape{0, 4});
  a.zero_grad();
  Variable batch(zeros({2, 0, 4}), true), tall(zeros({2, 3, 0}), true);
  const Variable y = matmul(a, batch), z = matmul(tall, b);
  CHECK(identical(y.value(), zeros({2, 3, 4})));
  CHECK(identical(z.value(), zeros({2, 3, 4})));
  y.backward(ones({2, 3, 4}));
  z.backward(ones({2, 3, 4}));
  CHECK(a.grad().shape() == Shape{3, 0});
  CHECK(batch.grad().shape() == Shape{2, 0, 4});
  CHECK(tall.grad().shape() == Shape{2, 3, 0});
  CHECK(matmul(Variable(zeros({0})), Variable(zeros({0}))).item() == 0);
}

TEST_CASE("matmul: matrices that do not fit are refused") {
  CHECK(error_of([] {
          matmul(Variable(zeros({2, 3}), true), Variable(zeros({4, 5})));
        }) == "ShapeError: matmul: inner sizes 3 and 4 differ, a is (2, 3) and b is (4, 5)");
  const Variable a(zeros({7, 2, 3}), true), v(zeros({3}), true);
  CHECK(error_of([&] {
          matmul(a, Variable(zeros({4, 5})));
        }) == "ShapeError: matmul: inner sizes 3 and 4 differ, a is (7, 2, 3) and b is (4, 5)");
  CHECK(error_of([&] {
          matmul(a, Variable(zeros({6, 3, 5})));
        }) == "ShapeError: matmul: leading axes: shapes (7) and (6) do not broadcast");
  CHECK(error_of([&] { matmul(v, a); }) ==
        "ShapeError: matmul: inner sizes 3 and 2 differ, a is (3) and b is (7, 2, 3)");
  CHECK(error_of([&] { matmul(v, a, true); }) ==
        "ValueError: matmul: a vector cannot be transposed, a is (3) and b is (7, 2, 3)");
  CHECK(error_of([&] { matmul(a, v, false, true); }) ==
        "ValueError: matmul: a vector cannot be transposed, a is (7, 2, 3) and b is (3)");
  CHECK(error_of([&] { matmul(Variable(scalar(2)), v); }) ==
        "ShapeError: matmul: expected vectors or matrices, got () and (3)");
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

TEST_CASE("matmul: first and second derivatives of batches and vectors, with one array in both places") {
  for (const auto& shapes : {std::pair<Shape, Shape>{{2}, {2}}, {{2}, {}}, {{}, {2}}, {{2, 1}, {3}}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const Shape sa = matrices(shapes.first, 2, 3, ta), sb = matrices(shapes.second, 3, 2, tb);
        CAPTURE(to_string(sa));
        CAPTURE(to_string(sb));
        const auto f = [&](const Variables& v) { return square(matmul(v[0], v[1], ta, tb)); };
        CHECK(check_two_orders(f, {normal(sa, 1), normal(sb, 2)}) == "");
      }
  const Tensor v = normal({3}, 1), w = normal({4}, 2), batch = normal({2, 3, 4}, 3);
  const auto check = [](Variable (*f)(const Variables&), const std::vector<Tensor>& inputs) {
    return check_two_orders(f, inputs);
  };
  CHECK(check([](const Variables& x) { return square(matmul(x[0], x[1])); }, {v, batch}) == "");
  CHECK(check([](const Variables& x) { return square(matmul(x[0], x[1])); }, {batch, w}) == "");
  CHECK(check([](const Variables& x) { return square(matmul(x[0], x[0])); }, {v}) == "");
  CHECK(check([](const Variables& x) { return square(matmul(x[0], x[0], false, true)); }, {batch}) == "");
  CHECK(check([](const Variables& x) { return square(dot(x[0], x[0])) * square(x[0]); }, {v}) == "");
  CHECK(check([](const Variables& x) { return square(dot(x[0], x[1])); }, {v, normal({3}, 4)}) == "");
  CHECK(check([](const Variables& x) { return square(outer(x[0], x[0])); }, {v}) == "");
  CHECK(check([](const Variables& x) { return square(outer(x[0], x[1])); }, {v, w}) == "");
}

#endif
