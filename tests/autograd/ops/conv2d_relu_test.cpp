// conv2d with relu in one operation, against the two operations; and the layers that use it.

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/elementwise.hpp"
#include "nn/conv2d.hpp"
#include "tensor/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

struct Setting {
  Shape x, w;
  std::size_t stride, padding, dilation, groups;
  bool bias;
};

const std::vector<Setting>& settings() {
  static const std::vector<Setting> list = {
      {{2, 7, 8, 3}, {5, 3, 2, 3}, 1, 1, 1, 1, true},    {{2, 7, 8, 6}, {4, 3, 2, 3}, 2, 1, 1, 2, true},
      {{2, 8, 8, 16}, {16, 3, 3, 16}, 1, 1, 1, 1, true}, {{2, 8, 8, 32}, {64, 3, 3, 32}, 1, 1, 1, 1, false},
      {{2, 7, 8, 4}, {4, 3, 3, 1}, 1, 2, 2, 4, true},    {{2, 5, 4, 3}, {6, 1, 1, 3}, 2, 0, 1, 1, false}};
  return list;
}

Variable apply(const Setting& s, const Variables& v, bool relu_follows) {
  return conv2d(v[0], v[1], s.bias ? v[2] : Variable(), s.stride, s.padding, s.dilation, s.groups, relu_follows);
}

Variables arguments(const Setting& s) {
  Variables v = {Variable(normal(s.x, 1), true), Variable(normal(s.w, 2), true)};
  if (s.bias) v.emplace_back(normal({s.w[0]}, 3), true);
  return v;
}

}  // namespace

TEST_CASE("conv2d with relu: value and gradients are those of the two operations, analytic and derived") {
  for (const Setting& s : settings())
    for (const bool derived : {false, true}) {
      CAPTURE(to_string(s.x));
      CAPTURE(derived);
      const Variables separate = arguments(s), fused = arguments(s);
      const Variable expected = relu(apply(s, separate, false));
      const Tensor dy = normal(expected.shape(), 4);
      expected.backward(dy);
      const DerivedGradients mode(derived);
      const Variable y = apply(s, fused, true);
      CHECK(std::string(y.node()->name) == (derived ? "where" : "conv2d_relu"));
      y.backward(dy);
      const double tolerance = sizeof(Scalar) == 8 ? 1e-13 : 1e-5;
      CHECK(max_error(y.value(), expected.value()) < tolerance);
      CHECK(largest(expected.value()) > 1);
      for (std::size_t i = 0; i < fused.size(); ++i) {
        CHECK(max_error(fused[i].grad(), separate[i].grad()) < tolerance);
        CHECK(largest(separate[i].grad()) > 1);
      }
    }
}

TEST_CASE("conv2d with relu: only the gradients that are wanted") {
  const Setting& s = settings()[0];
  const Tensor dy = normal({2, 7, 9, 5}, 4);
  const Variables all = arguments(s);
  apply(s, all, true).backward(dy);
  for (std::size_t wanted = 0; wanted < 3; ++wanted) {
    Variables v;
    for (std::size_t i = 0; i < 3; ++i) v.emplace_back(all[i].value(), i == wanted);
    apply(s, v, true).backward(dy);
    for (std::size_t i = 0; i < 3; ++i) CHECK(v[i].has_grad() == (i == wanted));
    CHECK(max_error(v[wanted].grad(), all[wanted].grad()) < kRounding);
  }
}

TEST_CASE("conv2d with relu: NaN stays NaN, and its gradient flows") {
  for (const bool derived : {false, true})
    for (const std::size_t channels : {3, 16}) {
      const DerivedGradients mode(derived);
      Tensor at = ones({1, 4, 4, channels});
      at.data()[0] = std::numeric_limits<Scalar>::quiet_NaN();
      const Variable x(at), w(ones({16, 1, 1, channels})), b(full({16}, Scalar(0.5)), true);
      const Variable y = conv2d(x, w, b, 1, 0, 1, 1, true);
      CHECK(std::isnan(y.value().data()[0]));
      CHECK(y.value().data()[16] == static_cast<Scalar>(channels) + Scalar(0.5));
      y.backward(ones(y.shape()));
      CHECK(identical(b.grad(), full({16}, 16)));
    }
}

TEST_CASE("conv2d with relu: a result that was modified is noticed, for its backward reads it") {
  const Variables v = arguments(settings()[0]);
  Variable y = apply(settings()[0], v, true);
  const Tensor dy = ones(y.shape());
  y.mutable_value().data()[0] = 1;
  CHECK(error_of([&] { y.backward(dy); }) != "");
}

TEST_CASE("Conv2d::activated: relu of the layer, in one operation, or in two where a hook looks on") {
  Generator generator(1);
  nn::Conv2dOptions options;
  options.stride = 2;
  options.padding = 1;
  options.groups = 2;
  nn::Conv2d layer(4, 6, 3, options, generator);
  const Variable x(normal({2, 8, 7, 4}, 1), true), y = layer.activated(x), plain = layer(x);
  CHECK(std::string(y.node()->name) == "conv2d_relu");
  CHECK(max_error(y.value(), relu(plain).value()) < kRounding);
  CHECK(largest(y.value()) > 0.5);

  std::vector<Tensor> seen;
  const std::size_t hook = layer.add_forward_hook([&](nn::Module&, const Variable& input, const Variable& output) {
    CHECK(identical(input.value(), x.value()));
    seen.push_back(output.value());
  });
  const Variable watched = layer.activated(x);
  CHECK(std::string(watched.node()->name) == "relu");
  CHECK(max_error(watched.value(), y.value()) < kRounding);
  REQUIRE(seen.size() == 1);
  CHECK(identical(seen[0], plain.value()));  // the layer's own result, negative numbers too
  layer.remove_forward_hook(hook);
  CHECK(std::string(layer.activated(x).node()->name) == "conv2d_relu");
  CHECK(seen.size() == 1);
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("conv2d with relu: analytic, derived and numeric gradients agree, and so do second derivatives") {
  for (const Setting& s :
       {Setting{{2, 5, 4, 3}, {2, 3, 3, 3}, 1, 1, 1, 1, true}, Setting{{2, 4, 5, 6}, {4, 2, 3, 3}, 2, 1, 1, 2, true},
        Setting{{1, 5, 6, 2}, {3, 2, 2, 2}, 1, 1, 2, 1, false}}) {
    CAPTURE(to_string(s.x));
    std::vector<Tensor> inputs = {normal(s.x, 1), normal(s.w, 2)};
    if (s.bias) inputs.push_back(normal({s.w[0]}, 3));
    CHECK(check_two_orders([&](const Variables& v) { return square(apply(s, v, true)); }, inputs) == "");
  }
  // One Variable as image and weights.
  CHECK(check_two_orders([](const Variables& v) { return conv2d(v[0], v[0], Variable(), 1, 1, 1, 1, true); },
                         {normal({3, 3, 3, 3}, 1)}) == "");
}

#endif
