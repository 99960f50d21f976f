#include "autograd/ops/pool2d.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-13 : 1e-6;

}  // namespace

TEST_CASE("pool2d op: PyTorch's values and gradients, analytic and derived") {
  const Reference ops("ops.safetensors");
  for (const bool derived : {false, true})
    for (const char* name : {"max_pool2d_2x2_stride_2", "max_pool2d_3x3_stride_2", "max_pool2d_2x2_stride_2_ties",
                             "max_pool2d_3x3_stride_2_ties", "avg_pool2d_2x2_stride_2", "avg_pool2d_3x3_stride_2"}) {
      CAPTURE(name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      const Reference::Case at = ops[name];
      const auto size = [&](const char* key) { return static_cast<std::size_t>(at.integer(key)); };
      Variable x(at("x"), true);
      const Variable y =
          (starts_with(name, "max") ? max_pool2d : avg_pool2d)(x, size("kernel"), size("stride"), size("padding"));
      y.backward(at("dy"));
      CHECK(relative_error(y.value(), at("y")) < kTolerance);
      CHECK(relative_error(x.grad(), at("dx")) < kTolerance);
    }
}

TEST_CASE("pool2d op: PyTorch's global average") {
  const Reference ops("ops.safetensors");
  const Reference::Case at = ops["global_avg_pool"];
  Variable x(at("x"), true);
  const Variable y = global_avg_pool2d(x);
  y.backward(at("dy"));
  CHECK(relative_error(y.value(), at("y")) < kTolerance);
  CHECK(relative_error(x.grad(), at("dx")) < kTolerance);
}

TEST_CASE("pool2d op: avg_pool2d and its gradient against nested loops") {
  const std::size_t h = 7, w = 5, c = 3;
  const Tensor x0 = normal({2, h, w, c}, 1);
  for (const std::size_t kernel : {1, 2, 3, 5})
    for (const std::size_t stride : {1, 2, 3})
      for (const std::size_t padding : {0, 1}) {
        CAPTURE(kernel);
        CAPTURE(stride);
        CAPTURE(padding);
        const std::size_t oh = (h + 2 * padding - kernel) / stride + 1, ow = (w + 2 * padding - kernel) / stride + 1;
        const Shape shape = {2, oh, ow, c};
        const Tensor dy = normal(shape, 2);
        std::vector<double> y(count(shape), 0.0), dx(x0.size(), 0.0);
        const auto area = static_cast<double>(kernel * kernel);
        for (std::size_t i = 0; i < y.size(); ++i) {
          const auto at = index_of(i, shape);
          for (std::size_t a = 0; a < kernel; ++a)
            for (std::size_t b = 0; b < kernel; ++b) {
              const std::size_t p = at[1] * stride + a, q = at[2] * stride + b;
              if (p < padding || q < padding || p - padding >= h || q - padding >= w) continue;
              const std::size_t from = offset_of({at[0], p - padding, q - padding, at[3]}, x0.shape());
              y[i] += static_cast<double>(x0.data()[from]) / area;
              dx[from] += static_cast<double>(dy.data()[i]) / area;
            }
        }
        Variable x(x0, true);
        const Variable pooled = avg_pool2d(x, kernel, stride, padding);
        pooled.backward(dy);
        CHECK(max_error(pooled.value(), tensor(y, shape)) < kTolerance);
        CHECK(max_error(x.grad(), tensor(dx, x0.shape())) < kTolerance);
      }
}

TEST_CASE("pool2d op: an empty batch, and no channels") {
  for (const bool derived : {false, true})
    for (const Shape& shape : {Shape{0, 5, 4, 3}, Shape{2, 5, 4, 0}}) {
      CAPTURE(to_string(shape));
      const DerivedGradients mode(derived);
      Variable x(zeros(shape), true);
      const Variable a = max_pool2d(x, 3, 2, 1), b = avg_pool2d(x, 3, 2, 1), c = global_avg_pool2d(x);
      CHECK(a.shape() == Shape{shape[0], 3, 2, shape[3]});
      CHECK(b.shape() == Shape{shape[0], 3, 2, shape[3]});
      CHECK(c.shape() == Shape{shape[0], shape[3]});
      for (const Variable& y : {a, b, c}) {
        x.zero_grad();
        y.backward(zeros(y.shape()));
        CHECK(x.grad().shape() == shape);
      }
    }
}

TEST_CASE("pool2d op: windows full of NaN or of -inf have it as their maximum, and its gradient at the first") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    Variable x(tensor({nan, nan, -infinity, -infinity, nan, nan, -infinity, -infinity}, {1, 2, 4, 1}), true);
    const Variable y = max_pool2d(x, 2, 2);
    y.backward(tensor({3, 5}, {1, 1, 2, 1}));
    CHECK(std::isnan(y.value().data()[0]));
    CHECK(y.value().data()[1] == -std::numeric_limits<Scalar>::infinity());
    CHECK(identical(x.grad(), tensor({3, 0, 5, 0, 0, 0, 0, 0}, x.shape())));
  }
}

TEST_CASE("pool2d op: bad arguments are refused by name") {
  const Variable x(zeros({2, 5, 4, 3}), true), flat(zeros({5, 4}), true);
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    CHECK(error_of([&] { max_pool2d(flat, 2, 2); }) == "ShapeError: max_pool2d: expected x (N, H, W, C), got (5, 4)");
    CHECK(error_of([&] { avg_pool2d(flat, 2, 2); }) == "ShapeError: avg_pool2d: expected x (N, H, W, C), got (5, 4)");
    CHECK(error_of([&] { global_avg_pool2d(flat); }) ==
          "ShapeError: global_avg_pool2d: expected x (N, H, W, C), got (5, 4)");
    CHECK(error_of([&] { max_pool2d(x, 0, 1); }) ==
          "ValueError: max_pool2d: expected kernel and stride of at least 1 and padding of at most kernel/2, got 0, 1, "
          "0");
    CHECK(error_of([&] { max_pool2d(x, 3, 2, 2); }) ==
          "ValueError: max_pool2d: expected kernel and stride of at least 1 and padding of at most kernel/2, got 3, 2, "
          "2");
    CHECK(error_of([&] { max_pool2d(x, 5, 1); }) ==
          "ShapeError: max_pool2d: a window of 5 does not fit into (2, 5, 4, 3) with padding 0");
    CHECK(error_of([&] {
            max_pool2d(Variable(zeros({1, 0, 4, 3})), 2, 1, 1);
          }) == "ShapeError: max_pool2d: a window of 2 does not fit into (1, 0, 4, 3) with padding 1");
    CHECK(error_of([&] { avg_pool2d(x, 2, 0); }) ==
          "ValueError: avg_pool2d: expected kernel and stride of at least 1, got 2 and 0");
    CHECK(error_of([&] { avg_pool2d(x, 0, 1); }) ==
          "ValueError: avg_pool2d: expected kernel and stride of at least 1, got 0 and 1");
    CHECK(error_of([&] { avg_pool2d(x, 5, 1); }) ==
          "ShapeError: avg_pool2d: a window of 5 does not fit into (2, 5, 4, 3) with padding 0");
    CHECK(error_of([&] {
            global_avg_pool2d(Variable(zeros({2, 5, 0, 3})));
          }) == "ShapeError: global_avg_pool2d: no pixels in (2, 5, 0, 3)");
  }
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("pool2d op: gradients and second derivatives against finite differences") {
  const std::vector<std::function<Variable(const Variable&)>> list = {
      [](const Variable& x) { return square(max_pool2d(x, 3, 2, 1)); },
      [](const Variable& x) { return square(max_pool2d(x, 3, 1)); },  // windows overlap
      [](const Variable& x) { return square(avg_pool2d(x, 3, 2, 1)); },
      [](const Variable& x) { return square(global_avg_pool2d(x)); },
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    CAPTURE(i);
    CHECK(check_two_orders([&](const Variables& v) { return list[i](v[0]); }, {normal({2, 5, 4, 3}, 1)}) == "");
  }
}

#endif
