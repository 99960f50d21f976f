// An array of another shape put into a Variable behind the tape, by mutable_value() or by a hook: no operation and no
// backward may meet it, for a backward reads and writes by the recorded shapes.

#include <doctest/doctest.h>

#include <functional>

#include "autograd/functional.hpp"
#include "autograd/graph.hpp"
#include "autograd/operation.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/dropout.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/indexing.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

using Unary = std::function<Variable(const Variable&)>;

/// One way to call each operation with an x of shape (2, 3, 4, 6), and with one of (2, 3, 4, 12).
std::vector<std::pair<std::string, Unary>> operations() {
  const auto channels = [](const Variable& x) { return x.shape().back(); };
  const auto weight = [=](const Variable& x) { return Variable(normal({5, 2, 2, channels(x)}, 7)); };
  return {
      {"take", [](const Variable& x) { return take(x, indices({static_cast<std::int64_t>(x.size()) - 1})); }},
      {"index_select",
       [=](const Variable& x) { return index_select(x, 3, indices({static_cast<std::int64_t>(channels(x)) - 1})); }},
      {"gather", [](const Variable& x) { return gather(x, 1, Indices(x.shape(), 2)); }},
      {"square", [](const Variable& x) { return square(x); }},
      {"pow", [](const Variable& x) { return pow(x, 3); }},
      {"exp", [](const Variable& x) { return exp(x); }},
      {"add", [](const Variable& x) { return x + Scalar{1}; }},
      {"multiply", [](const Variable& x) { return x * x; }},
      {"where", [](const Variable& x) { return where(less(x, Variable(scalar(0))), x, x); }},
      {"clamp", [](const Variable& x) { return clamp(x, -1, 1); }},
      {"maximum", [](const Variable& x) { return maximum(x, Variable(scalar(0))); }},
      {"relu", [](const Variable& x) { return relu(x); }},
      {"add_relu", [](const Variable& x) { return add_relu(x, x); }},
      {"gelu", [](const Variable& x) { return gelu(x); }},
      {"sigmoid", [](const Variable& x) { return sigmoid(x); }},
      {"dropout",
       [](const Variable& x) {
         Generator g(1);
         return dropout(x, 0.5, g);
       }},
      {"softmax", [](const Variable& x) { return softmax(x); }},
      {"sum", [](const Variable& x) { return sum(x, {1}); }},
      {"mean", [](const Variable& x) { return mean(x, {3}); }},
      {"max", [](const Variable& x) { return max(x, {3}); }},
      {"variance", [](const Variable& x) { return variance(x, {3}); }},
      {"reshape", [](const Variable& x) { return reshape(x, {-1}); }},
      {"transpose", [](const Variable& x) { return transpose(x); }},
      {"slice",
       [=](const Variable& x) {
         return slice(x, {{}, {}, {}, {channels(x) - 1, -1, 1}});
       }},
      {"pad",
       [](const Variable& x) {
         return pad(x, {0, 0, 0, 1}, {0, 0, 0, 1});
       }},
      {"concatenate",
       [](const Variable& x) {
         return concatenate({x, x}, 3);
       }},
      {"matmul",
       [=](const Variable& x) {
         return matmul(x, Variable(normal({channels(x), 2}, 3)));
       }},
      {"conv2d", [=](const Variable& x) { return conv2d(x, weight(x), Variable()); }},
      {"unfold", [=](const Variable& x) { return unfold(x, conv2d_geometry(x.shape(), weight(x).shape(), 1, 0)); }},
      {"max_pool2d", [](const Variable& x) { return max_pool2d(x, 2, 2); }},
      {"avg_pool2d", [](const Variable& x) { return avg_pool2d(x, 2, 2); }},
      {"mse_loss", [](const Variable& x) { return mse_loss(x, x); }},
      {"binary_cross_entropy_with_logits",
       [](const Variable& x) { return binary_cross_entropy_with_logits(x, Variable(zeros(x.shape()))); }},
      {"batch_norm", [](const Variable& x) { return nn::batch_norm(x, Variable(), Variable()); }},
      {"layer_norm", [](const Variable& x) { return nn::layer_norm(x, Variable(), Variable(), 1); }},
      {"instance_norm", [](const Variable& x) { return nn::instance_norm(x, Variable(), Variable()); }},
      {"group_norm", [](const Variable& x) { return nn::group_norm(x, Variable(), Variable(), 3); }},
      {"batch_norm_relu",
       [](const Variable& x) {
         return nn::batch_norm(x, Variable(), Variable(), 1e-5, std::nullopt, {true, x});
       }},
      {"alias", [](const Variable& x) { return x.alias(); }},
  };
}

const Shape kRecorded = {2, 3, 4, 6}, kOther = {2, 3, 4, 12};

/// Calls check(operation) for each of them, in each form of gradients.
template <class Check>
void for_each_operation(const Check& check) {
  for (const GradientForm form : {GradientForm::Fused, GradientForm::ByHand, GradientForm::Derived})
    for (const auto& operation : operations()) {
      const std::string& name = operation.first;  // clang captures no structured bindings
      CAPTURE(name);
      const GradientMode mode(form);
      check(operation.second);
    }
}

}  // namespace

TEST_CASE("replaced: an operation on a Variable that got an array of another shape is not recorded") {
  for_each_operation([](const Unary& f) {
    Variable x(normal(kRecorded, 1), true);
    f(x);
    x.mutable_value() = normal(kOther, 2);
    const std::string error = error_of([&] { f(x); });
    CHECK(contains(error,
                   ": 'leaf' was recorded with shape (2, 3, 4, 6), but mutable_value() gave it an array of "
                   "shape (2, 3, 4, 12); make a new Variable"));
    CHECK(starts_with(error, "ShapeError: "));
    const NoGrad off;
    CHECK(error_of([&] { f(x); }) == "");  // without the tape there is nothing to contradict
  });
}

TEST_CASE("replaced: 100 million elements where two were recorded") {
  Variable x(ones({2}), true);
  x.mutable_value() = ones({100'000'000});
  CHECK(error_of([&] { take(x, Indices(Shape{1}, 99'999'999)).backward(); }) ==
        "ShapeError: take: 'leaf' was recorded with shape (2), but mutable_value() gave it an array of shape "
        "(100000000); make a new Variable");
  CHECK(!x.has_grad());
}

TEST_CASE("replaced: a backward does not start from an array of another shape") {
  for_each_operation([](const Unary& f) {
    for (const Shape& other : {Shape{1}, Shape{}, kOther}) {
      const Variable x(normal(kRecorded, 1), true);
      Variable y = f(x);
      if (y.shape() == other) continue;
      const std::string recorded = to_string(y.shape());
      y.mutable_value() = ones(other);
      const std::string text =
          "was recorded with shape " + recorded + ", but mutable_value() gave it an array of shape " + to_string(other);
      const std::string implicit = error_of([&] { y.backward(true); });
      const std::string given = error_of([&] { y.backward(ones(other), true); });
      const std::string by_grad = error_of([&] { grad({y}, {x}, {Variable(ones(other))}); });
      const std::string visited = error_of([&] { visit_gradients(y, Variable(ones(other)), [](auto&, auto&) {}); });
      CHECK(contains(implicit, text));
      CHECK(starts_with(implicit, "ShapeError: backward: "));
      CHECK(contains(given, text));
      CHECK(contains(by_grad, text));
      CHECK(starts_with(by_grad, "ShapeError: grad: "));
      CHECK(contains(visited, text));
      CHECK(!x.has_grad());
    }
  });
}

TEST_CASE("replaced: grad() does not give a gradient of another shape than its input has") {
  Variable x(normal({2, 3}, 1), true);
  const Variable y = x + Scalar{1};
  x.mutable_value() = ones({7});
  CHECK(error_of([&] {
          grad({y}, {x}, {Variable(ones({2, 3}))});
        }) ==
        "ShapeError: grad: 'leaf' was recorded with shape (2, 3), but mutable_value() gave it an array of shape (7); "
        "make a new Variable");
}

TEST_CASE("replaced: a constant, an input in the middle, a detached handle") {
  Variable x(normal({2, 3}, 1), true), c(normal({2, 3}, 2));
  const Variable y = x * Scalar{2};
  c.mutable_value() = normal({2, 4}, 3);
  CHECK(contains(error_of([&] {
                   concatenate({x, c}, 1);
                 }),
                 "concatenate: 'leaf' was recorded with shape (2, 3), but "));
  Variable(y).mutable_value() = normal({5}, 3);
  CHECK(contains(error_of([&] { exp(y); }), "exp: 'multiply' was recorded with shape (2, 3), but "));
  x.detach().mutable_value() = normal({5}, 3);
  CHECK(contains(error_of([&] { exp(x); }), "exp: 'leaf' was recorded with shape (2, 3), but "));
}

TEST_CASE("replaced: through a reference that was kept, whose version does not tell") {
  for_each_operation([](const Unary& f) {
    Variable x(normal(kRecorded, 1), true);
    Tensor& numbers = x.mutable_value();
    const Variable y = f(x);
    numbers = ones({1});
    const std::string error = error_of([&] { y.backward(ones(y.shape())); });
    if (error.empty()) {  // nothing of x was saved: its gradient has the recorded shape
      CHECK(x.grad().shape() == kRecorded);
    } else {
      CHECK(contains(error,
                     "was recorded with shape (2, 3, 4, 6), but mutable_value() gave it an array of "
                     "shape (1)"));
    }
  });
}

TEST_CASE("replaced: a hook that puts another array into the gradient it is shown") {
  for_each_operation([](const Unary& f) {
    const Variable x(normal(kRecorded, 1), true);
    const Variable y = f(x);
    if (y.size() == 1) return;
    y.register_hook([](const Variable& gradient) {
      Variable(gradient).mutable_value() = ones({1});
      return Variable();
    });
    CHECK(contains(error_of([&] { y.backward(ones(y.shape())); }),
                   "backward: the gradient of '" + std::string(y.node()->name) +
                       "' has become one of shape (1), expected " + to_string(y.shape())));
    CHECK(!x.has_grad());
  });
  // The gradient of a sum is one array for both of its inputs: the hook of one meets the other's.
  const Variable a(ones({2, 3}), true), b(ones({2, 3}), true);
  const Variable z = a + b;
  b.register_hook([](const Variable& gradient) {
    Variable(gradient).mutable_value() = ones({1});
    return Variable();
  });
  CHECK(contains(error_of([&] { z.backward(ones({2, 3})); }), "has become one of shape (1), expected (2, 3)"));
}

TEST_CASE("replaced: a gradient of another shape in a leaf is refused when more is added") {
  const Variable x(ones({2}), true);
  sum(x).backward();
  x.mutable_grad() = ones({3});
  CHECK(error_of([&] { sum(x).backward(); }) ==
        "ShapeError: backward: a leaf of shape (2) holds a gradient of shape (3); zero_grad() clears it");
}
