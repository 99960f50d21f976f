#include "autograd/functional.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/linear.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("functional: the Jacobian of a matrix product, and of an input that is not used") {
  // y = A·x: ∂y_i/∂x_k = A_ik, ∂y_i/∂A_jk = δ_ij x_k.
  const Tensor a = normal({2, 3}, 1), x = normal({3, 1}, 2), unused = normal({4}, 3);
  const auto product = [](const Variables& v) { return matmul(v[0], v[1]); };
  const std::vector<Tensor> j = jacobian(product, {a, x, unused});
  REQUIRE(j.size() == 3);
  CHECK(j[0].shape() == Shape{2, 1, 2, 3});
  CHECK(j[1].shape() == Shape{2, 1, 3, 1});
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK(j[1](i, 0, k, 0) == a(i, k));
      for (std::size_t row = 0; row < 2; ++row) CHECK(j[0](i, 0, row, k) == (row == i ? x(k, 0) : 0));
    }
  CHECK(identical(j[2], zeros({2, 1, 4})));
}

TEST_CASE("functional: the Jacobian of a constant is zero, of a scalar its gradient, under NoGrad too") {
  const NoGrad off;
  const Tensor x = normal({3}, 1);
  const Tensor two = jacobian([](const Variables&) { return Variable(ones({2})); }, {x})[0];
  CHECK(identical(two, zeros({2, 3})));
  const Tensor slope = jacobian([](const Variables& v) { return sum(square(v[0])); }, {x})[0];
  for (std::size_t i = 0; i < 3; ++i) CHECK(slope(i) == 2 * x(i));
}

TEST_CASE("functional: the product with a Hessian written by hand") {
  // f = x²·y + e^y: ∂xx = 2y, ∂xy = 2x, ∂yy = e^y.
  const auto f = [](const Variables& v) { return square(v[0]) * v[1] + exp(v[1]); };
  const Tensor x = scalar(3), y = scalar(0.5), u = scalar(0.7), w = scalar(-1.3);
  const std::vector<Tensor> product = hessian_vector_product(f, {x, y}, {u, w});
  CHECK(product[0]() == doctest::Approx(2 * 0.5 * 0.7 + 2 * 3 * -1.3).epsilon(1e-14));
  CHECK(product[1]() == doctest::Approx(2 * 3 * 0.7 + std::exp(0.5) * -1.3).epsilon(1e-14));
  // Of a linear function it is zero, and it does not matter whether recording is on.
  const NoGrad off;
  CHECK(identical(hessian_vector_product([](const Variables& v) { return sum(v[0]); }, {ones({2})}, {ones({2})})[0],
                  zeros({2})));
}

TEST_CASE("functional: the Hessian of a small network with batch norm equals differences of its gradients") {
  // loss = <w, tanh(batch_norm(x·A))>, in A, gamma and beta.
  const Variable x(normal({7, 3}, 1)), w(normal({7, 4}, 2));
  const auto loss = [&](const Variables& p) {
    return sum(w * tanh(nn::batch_norm(matmul(x, p[0]), p[1], p[2], 1e-3)));
  };
  const std::vector<Tensor> at = {normal({3, 4}, 3), normal({4}, 4), normal({4}, 5)};
  const std::vector<Tensor> v = {normal({3, 4}, 6), normal({4}, 7), normal({4}, 8)};
  const auto gradient = [&](double step) {
    Variables p;
    for (std::size_t i = 0; i < at.size(); ++i) {
      Tensor moved = at[i];
      for (std::size_t k = 0; k < moved.size(); ++k) moved.data()[k] += step * v[i].data()[k];
      p.emplace_back(moved, true);
    }
    return grad({loss(p)}, p);
  };
  const double h = 1e-5;
  const Variables ahead = gradient(h), behind = gradient(-h);
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    const std::vector<Tensor> product = hessian_vector_product(loss, at, v);
    for (std::size_t i = 0; i < at.size(); ++i) {
      const Tensor difference = ((ahead[i] - behind[i]) / (2 * h)).value();
      CHECK(largest(difference) > 0.1);
      CHECK(max_error(product[i], difference) < 1e-7);
    }
  }
}

TEST_CASE("functional: the product with the Hessian of a network's loss over its parameters") {
  Generator g(1);
  nn::Linear layer(3, 4, g);
  const Variable x(normal({5, 3}, 2)), w(normal({5, 4}, 3));
  const auto loss = [&] { return sum(w * tanh(layer(x))); };
  const std::vector<Tensor> at = {layer.parameters()[0].value(), layer.parameters()[1].value()};
  const std::vector<Tensor> v = {normal({4, 3}, 4), normal({4}, 5)};
  const NoGrad off;
  const std::vector<Tensor> product = hessian_vector_product(loss, layer.parameters(), v);
  const std::vector<Tensor> expected = hessian_vector_product(
      [&](const Variables& p) { return sum(w * tanh(matmul(x, p[0], false, true) + p[1])); }, at, v);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(largest(expected[i]) > 0.1);
    CHECK(max_error(product[i], expected[i]) < 1e-12);
    CHECK(identical(layer.parameters()[i].value(), at[i]));
    CHECK(!layer.parameters()[i].has_grad());
  }
  CHECK(error_of([&] { hessian_vector_product(loss, layer.parameters(), {v[0]}); }) ==
        "ShapeError: hessian_vector_product: expected 2 vectors, one for each input, got 1");
  CHECK(error_of([&] { hessian_vector_product(loss, {}, {}); }) == "ValueError: grad: expected at least one input");
}

TEST_CASE("functional: functions that call grad themselves, and calls inside a walk") {
  // f = (dx³/dx)² = 9x⁴: its gradient 36x³, its second derivative 108x².
  const auto f = [](const Variables& v) {
    GradOptions options;
    options.create_graph = true;
    return square(grad({v[0] * v[0] * v[0]}, {v[0]}, {}, options)[0]);
  };
  const Tensor at = scalar(0.7);
  const auto check = [&] {
    CHECK(jacobian(f, {at})[0].item() == doctest::Approx(36 * 0.343).epsilon(1e-12));
    CHECK(hessian_vector_product(f, {at}, {scalar(2)})[0].item() == doctest::Approx(2 * 108 * 0.49).epsilon(1e-12));
  };
  check();
  const Variable x(ones({}), true);
  int calls = 0;
  x.register_hook([&](const Variable&) { return check(), ++calls, Variable(); });
  square(x).backward();
  CHECK(calls == 1);
}

TEST_CASE("functional: errors say what was expected") {
  const auto f = [](const Variables& v) { return v[0] * v[0]; };
  CHECK(error_of([&] { hessian_vector_product(f, {ones({2})}, {ones({2})}); }) ==
        "ShapeError: hessian_vector_product: expected a function that gives one number, got (2)");
  CHECK(error_of([&] { hessian_vector_product(f, {ones({2})}, {}); }) ==
        "ShapeError: hessian_vector_product: expected 1 vectors, one for each input, got 0");
  CHECK(error_of([&] { hessian_vector_product(f, {ones({2})}, {ones({3})}); }) ==
        "ShapeError: hessian_vector_product: expected vector 0 of shape (2), as the input, got (3)");
}
