#include <doctest/doctest.h>

#include <memory>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "autograd/variable.hpp"
#include "tensor/parallel.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-13 : 1e-5;

/// One value for each element of x, from a formula in double.
template <class F>
Tensor each(const Tensor& x, const F& f) {
  Tensor y(x.shape());
  for (std::size_t i = 0; i < x.size(); ++i) y.data()[i] = static_cast<Scalar>(f(static_cast<double>(x.data()[i]), i));
  return y;
}

}  // namespace

TEST_CASE("backward: a variable used many times, and a diamond") {
  const Tensor at = positive({4}, 1), dy = normal({4}, 2);
  Variable x(at, true);
  Variable y = x;
  for (int i = 0; i < 9; ++i) y = y * x;  // x^10
  y.backward(dy);
  CHECK(max_error(x.grad(), each(at, [&](double v, std::size_t i) {
                    return 10 * std::pow(v, 9) * static_cast<double>(dy.data()[i]);
                  })) < kTolerance);
  x.zero_grad();
  const Variable root = square(x);  // x² → (x⁴, 3x²) → their product 3x⁶
  (square(root) * (Scalar{3} * root)).backward(dy);
  CHECK(max_error(x.grad(), each(at, [&](double v, std::size_t i) {
                    return 18 * std::pow(v, 5) * static_cast<double>(dy.data()[i]);
                  })) < kTolerance);
  x.zero_grad();
  Variable doubled = x;  // 2^40 paths, each operation walked once
  for (int i = 0; i < 40; ++i) doubled = doubled + doubled;
  doubled.backward(dy);
  CHECK(max_error(x.grad(), each(dy, [](double v, std::size_t) { return v * std::pow(2.0, 40); })) < kTolerance);
}

TEST_CASE("backward: leaves accumulate over calls, and zero_grad forgets") {
  Variable x(full({3}, 2), true);
  sum(x * x).backward();
  CHECK(identical(x.grad(), full({3}, 4)));
  sum(x * x).backward();
  CHECK(identical(x.grad(), full({3}, 8)));
  x.zero_grad();
  CHECK_FALSE(x.has_grad());
  sum(x * x).backward();
  CHECK(identical(x.grad(), full({3}, 4)));
  x.mutable_grad().data()[0] = 7;
  CHECK(x.grad().data()[0] == 7);
  Variable leaf(scalar(5), true);  // of itself
  leaf.backward();
  CHECK(leaf.grad().item() == 1);
}

TEST_CASE("backward: leaves have gradients of their own, not shared with dy or each other") {
  Variable a(ones({2}), true), b(ones({2}), true);
  Tensor dy = tensor({3, 4}, {2});
  const Variable y = a + b;
  y.backward(dy, true);
  dy.data()[0] = 100;
  a.mutable_grad().data()[0] = 50;
  CHECK(identical(b.grad(), tensor({3, 4}, {2})));
  y.backward(ones({2}));
  CHECK(identical(b.grad(), tensor({4, 5}, {2})));
  CHECK(identical(a.grad(), tensor({51, 5}, {2})));
}

TEST_CASE("backward: what cannot be walked is refused") {
  Variable x(ones({2, 3}), true);
  const Variable y = x * x;
  CHECK(
      error_of([&] { y.backward(); }) ==
      "ShapeError: backward: the gradient of an output of shape (2, 3) is expected as an argument (only a one-element "
      "output can do without)");
  CHECK(error_of([&] { y.backward(ones({3})); }) ==
        "ShapeError: backward: expected an output gradient of shape (2, 3), got (3)");
  const std::string nothing =
      "ValueError: backward: nothing was recorded for this Variable; no input required a gradient, or recording was "
      "off "
      "(NoGrad)";
  CHECK(error_of([] { Variable(scalar(1)).backward(); }) == nothing);
  CHECK(error_of([] { Variable().backward(); }) == nothing);
  CHECK_FALSE(x.has_grad());
  sum(Variable(ones({1, 1}), true) * Scalar{2}, {}, true).backward();  // one element of any rank
}

TEST_CASE("backward: a graph is walked once, or again if it was retained") {
  Variable x(full({2}, 3), true);
  const Variable y = square(x);
  y.backward(ones({2}), true);
  y.backward(ones({2}), true);
  CHECK(identical(x.grad(), full({2}, 12)));
  y.backward(ones({2}));
  CHECK(identical(x.grad(), full({2}, 18)));
  CHECK(error_of([&] { y.backward(ones({2})); }) ==
        "ValueError: backward: the graph of 'square' was released by an earlier backward; set retain_graph there to "
        "walk it "
        "again");
  const Variable root = exp(x), one = square(root), other = negative(root);
  one.backward(ones({2}));
  CHECK(contains(error_of([&] { other.backward(ones({2})); }), "the graph of 'exp' was released"));
  CHECK_FALSE(y.is_leaf());
  CHECK(y.requires_grad());
}

TEST_CASE("backward: a tensor that was modified after an operation saved it is noticed") {
  const std::string message = "a tensor saved for the backward was modified after the operation ran";
  Variable w(full({2}, 3), true), x(full({2}, 2), true);
  const Variable y = w * x;
  w.mutable_value().data()[0] = 5;
  CHECK(contains(error_of([&] { y.backward(ones({2})); }), message));
  const Variable z = w + x;  // saves nothing
  w.mutable_value().data()[0] = 6;
  z.backward(ones({2}));
  CHECK(identical(w.grad(), ones({2})));
  Variable e = exp(x);  // saves its own result
  e.mutable_value().data()[0] = 0;
  CHECK(contains(error_of([&] { e.backward(ones({2})); }), message));
  Variable d = x.detach();  // shares its numbers with x
  const Variable s = square(x);
  d.mutable_value();
  CHECK(contains(error_of([&] { s.backward(ones({2})); }), message));
  const Variable image(ones({1, 3, 3, 1}), true);
  Variable kernel(ones({1, 2, 2, 1}), true);
  const Variable c = conv2d(image, kernel, Variable());
  kernel.mutable_value();
  CHECK(contains(error_of([&] { c.backward(ones({1, 2, 2, 1})); }), message));
}

TEST_CASE("grad: touches no leaf, takes several outputs, cotangents and repeated inputs") {
  Variable x(positive({3}, 1), true), z(positive({3}, 2), true);
  const Variable w1(normal({3}, 3)), w2(normal({3}, 4));
  const Variables d = grad({x * z, square(x)}, {x, z, x}, {w1, w2});
  REQUIRE(d.size() == 3);
  const auto at = [](const Variable& v, std::size_t i) { return static_cast<double>(v.value().data()[i]); };
  CHECK(max_error(d[0].value(), each(x.value(), [&](double v, std::size_t i) {
                    return at(w1, i) * at(z, i) + at(w2, i) * 2 * v;
                  })) < kTolerance);
  CHECK(max_error(d[1].value(), each(x.value(), [&](double v, std::size_t i) { return at(w1, i) * v; })) < kTolerance);
  CHECK(identical(d[2].value(), d[0].value()));
  CHECK_FALSE(x.has_grad());
  CHECK_FALSE(z.has_grad());
  CHECK_FALSE(d[0].requires_grad());
  CHECK(error_of([&] { grad({sum(x)}, {}); }) == "ValueError: grad: expected at least one input");
  const Variable y = square(x);
  CHECK(max_error(grad({y, y}, {x}, {w1, w2})[0].value(), each(x.value(), [&](double v, std::size_t i) {
                    return 2 * v * (at(w1, i) + at(w2, i));
                  })) < kTolerance);
  CHECK(grad({sum(x)}, {x})[0].value().data()[1] == 1);  // one element needs no cotangent
}

TEST_CASE("grad: inputs that are results, where the walk stops") {
  Variable x(positive({3}, 1), true);
  const Tensor dy = normal({3}, 2);
  const Variable h = exp(x);
  const Variable y = square(h);
  const Variable dh = grad({y}, {h}, {Variable(dy)})[0];
  CHECK(max_error(dh.value(), each(h.value(), [&](double v, std::size_t i) {
                    return 2 * v * static_cast<double>(dy.data()[i]);
                  })) < kTolerance);
  CHECK_FALSE(x.has_grad());
  h.backward(dh.value());  // what is behind h was not walked, and so not released
  CHECK(max_error(x.grad(), each(h.value(), [&](double v, std::size_t i) {
                    return 2 * v * v * static_cast<double>(dy.data()[i]);
                  })) < kTolerance);
  // Both an intermediate result and the leaf behind it.
  const Variable g = exp(x);
  const Variables both = grad({square(g)}, {g, x}, {Variable(dy)});
  CHECK(max_error(both[0].value(), dh.value()) < kTolerance);
  CHECK(max_error(both[1].value(), x.grad()) < kTolerance);
  CHECK(grad({g}, {g}, {Variable(dy)})[0].value().data()[2] == dy.data()[2]);  // of itself
}

TEST_CASE("grad: an input the outputs do not depend on") {
  Variable x(ones({2}), true), unused(ones({2, 3}), true), constant(ones({2}));
  GradOptions options;
  options.allow_unused = true;
  const Variables d = grad({sum(x * x)}, {unused, x}, {}, options);
  CHECK_FALSE(d[0].defined());
  CHECK(identical(d[1].value(), full({2}, 2)));
  CHECK(error_of([&] {
          grad({sum(x * x)}, {x, unused});
        }) ==
        "ValueError: grad: the outputs do not depend on input 1 of shape (2, 3); set allow_unused to get an undefined "
        "gradient");
  CHECK(error_of([&] { grad({sum(x)}, {constant}); }) ==
        "ValueError: grad: an input of shape (2) does not require a gradient");
  CHECK(error_of([&] { grad({sum(x)}, {Variable()}); }) ==
        "ValueError: grad: an input of shape (undefined) does not require a gradient");
  CHECK(starts_with(error_of([&] { grad({sum(constant)}, {x}); }), "ValueError: grad: nothing was recorded"));
  CHECK(error_of([&] {
          grad({sum(x), sum(x)}, {x}, {Variable(scalar(1))});
        }) == "ValueError: grad: expected one output gradient for each of 2 outputs, got 1");
  CHECK(starts_with(error_of([&] { grad({x * x}, {x}); }), "ShapeError: grad: the gradient of an output of shape (2)"));
  CHECK(error_of([&] { grad({x * x}, {x}, {Variable(ones({3}))}); }) ==
        "ShapeError: grad: expected an output gradient of shape (2), got (3)");
}

TEST_CASE("grad: differentiates through its own cotangents") {
  // d/dw <w, x³> walked for x and then for w gives 3x² back.
  const Variable x(positive({3}, 1), true), w(normal({3}, 2), true);
  GradOptions options;
  options.create_graph = true;
  const Variable dx = grad({x * x * x}, {x}, {w}, options)[0];
  const Variable dw = grad({dx}, {w}, {Variable(ones({3}))})[0];
  CHECK(max_error(dw.value(), each(x.value(), [](double v, std::size_t) { return 3 * v * v; })) < kTolerance);
}

TEST_CASE("backward: a hook sees the complete gradient, and may replace it") {
  const Variable x(tensor({1, 2}, {2}), true), y = x * x;
  std::vector<Tensor> seen;
  const std::size_t look = y.register_hook([&](const Variable& g) {
    seen.push_back(g.value());
    return Variable();
  });
  const std::size_t halve = x.register_hook([](const Variable& g) { return g * Scalar{0.5}; });
  sum(y * Scalar{3} + y).backward(true);  // y is used twice: one call, with the sum
  REQUIRE(seen.size() == 1);
  CHECK(identical(seen[0], full({2}, 4)));
  CHECK(identical(x.grad(), tensor({4, 8}, {2})));  // (4·2x)/2

  // Several hooks run in order, each on what the one before returned; grad() sees them, too.
  x.register_hook([](const Variable& g) { return g + Scalar{1}; });
  CHECK(identical(grad({sum(y)}, {x}, {}, {false, true, false})[0].value(), tensor({2, 3}, {2})));  // 2x/2 + 1

  x.remove_hook(halve);
  y.remove_hook(look);
  CHECK(identical(grad({sum(y)}, {x})[0].value(), tensor({3, 5}, {2})));
  CHECK(seen.size() == 2);
  CHECK(error_of([&] { x.remove_hook(halve); }) == "ValueError: remove_hook: there is no hook 0 on this Variable");
}

TEST_CASE("backward: a hook may remove itself, and is differentiated with a graph of the gradient") {
  const Variable x(tensor({3}, {1}), true);
  std::size_t id = 0;
  id = x.register_hook([&](const Variable& g) {
    x.remove_hook(id);
    return g * g;
  });
  GradOptions options;
  options.create_graph = true;
  const Variable d = grad({sum(x * x)}, {x}, {}, options)[0];  // (2x)²
  CHECK(d.item() == 36);
  CHECK(grad({d}, {x})[0].item() == 24);  // 8x
}

TEST_CASE("backward: a hook that removes others: those that come after it do not run") {
  const Variable x(tensor({3}, {1}), true), y = x * x;
  std::size_t later = 0, at_y = 0;
  int runs = 0;
  y.register_hook([&](const Variable&) {
    x.remove_hook(later);
    y.remove_hook(at_y);
    y.register_hook([&](const Variable&) { return ++runs, Variable(); });  // from the next walk on
    return Variable();
  });
  at_y = y.register_hook([&](const Variable& g) { return ++runs, g * Scalar{2}; });
  later = x.register_hook([&](const Variable& g) { return ++runs, g * Scalar{2}; });
  CHECK(grad({y}, {x})[0].item() == 6);
  CHECK(runs == 0);
}

TEST_CASE("backward: a hook that throws ends the walk, and the next is whole") {
  const Variable x(tensor({3}, {1}), true), y = x * x;
  const std::size_t bad = y.register_hook([](const Variable&) -> Variable { throw ValueError("a hook's own"); });
  CHECK(error_of([&] { y.backward(); }) == "ValueError: a hook's own");
  CHECK(!NoGrad::current());
  CHECK(!x.has_grad());
  y.remove_hook(bad);
  y.backward();
  CHECK(x.grad().item() == 6);
}

TEST_CASE("backward: a hook that holds its own Variable does not keep it after the walk") {
  const Variable x(tensor({3}, {1}), true);
  for (const bool by_grad : {false, true}) {
    std::weak_ptr<Storage> numbers, of_the_result;
    std::size_t calls = 0;
    {
      const Variable y = x * x, z = exp(y);
      numbers = y.storage();
      of_the_result = z.storage();
      const std::size_t id = y.register_hook([&calls, y, z](const Variable&) { return ++calls, Variable(); });
      if (by_grad)
        grad({z}, {x});
      else
        z.backward();
      y.remove_hook(id);  // it still has its number
      CHECK(error_of([&] { y.remove_hook(id); }) == "ValueError: remove_hook: there is no hook 0 on this Variable");
    }
    CHECK(calls == 1);
    CHECK(numbers.expired());
    CHECK(of_the_result.expired());
  }
  // Also if nobody removes it, and where the walk ends at the Variable later.
  std::weak_ptr<Storage> numbers;
  {
    const Variable y = x * x;
    numbers = y.storage();
    y.register_hook([y](const Variable& g) { return g + y.detach() - y.detach(); });
    y.backward();
    CHECK(grad({y * y}, {y})[0].item() == 18);
  }
  CHECK(numbers.expired());
  // A leaf's hooks stay: it is remove_hook, or a handle without them, that lets go.
  {
    const Variable leaf(ones({1}), true), other(ones({1}), true);
    numbers = leaf.storage();
    const std::size_t id = leaf.register_hook([leaf](const Variable&) { return Variable(); });
    leaf.remove_hook(id);
  }
  CHECK(numbers.expired());
  {
    const Variable leaf(ones({1}), true);
    numbers = leaf.storage();
    leaf.register_hook([values = leaf.detach()](const Variable& g) { return g * values; });
    exp(leaf).backward();
  }
  CHECK(numbers.expired());
}

TEST_CASE("backward: hooks that cannot be, or return another shape, are refused") {
  const Variable x(ones({2}), true), constant(ones({2}));
  CHECK(error_of([&] { constant.register_hook([](const Variable& g) { return g; }); }) ==
        "ValueError: register_hook: expected a Variable that requires a gradient; none will reach this one");
  const Variable y = x * x;
  y.register_hook([](const Variable&) { return Variable(ones({3})); });
  CHECK(error_of([&] { sum(y).backward(); }) ==
        "ShapeError: multiply: a hook returned a gradient of shape (3), expected (2)");
}

TEST_CASE("backward: visit_gradients shows every gradient, and changes nothing") {
  const Variable x(tensor({1, 2}, {2}), true), y = x * x, loss = sum(y);
  std::vector<std::string> names;
  Tensor at_y, at_x;
  visit_gradients(loss, Variable(), [&](const Node& node, const Tensor& gradient) {
    names.push_back(node.name);
    if (&node == y.node().get()) at_y = gradient;
    if (&node == x.node().get()) at_x = gradient;
  });
  CHECK(names == std::vector<std::string>{"sum", "multiply", "leaf"});
  CHECK(identical(at_y, ones({2})));
  CHECK(identical(at_x, tensor({2, 4}, {2})));
  CHECK(!x.has_grad());
  loss.backward();  // the graph is still there
  CHECK(identical(x.grad(), at_x));
  CHECK(
      starts_with(error_of([&] { visit_gradients(Variable(ones({})), Variable(), [](const Node&, const Tensor&) {}); }),
                  "ValueError: visit_gradients: nothing was recorded"));
}

TEST_CASE("backward: detach stops the gradient") {
  Variable x(full({2}, 3), true);
  const Variable h = x * x;
  (h.detach() * x).backward(ones({2}));
  CHECK(identical(x.grad(), full({2}, 9)));
}

TEST_CASE("backward: results of a small network are bitwise the same in every repetition, with four threads") {
  const int before = num_threads();
  set_num_threads(4);
  const Tensor images = normal({6, 12, 10, 3}, 1), w1 = normal({16, 3, 3, 3}, 2), w2 = normal({16, 7}, 3);
  const Indices labels = indices({0, 3, 6, 2, 2, 5});
  std::vector<Tensor> expected;
  for (int repetition = 0; repetition < 20; ++repetition) {
    Variable x(images, true), a(w1, true), b(w2, true);
    const Variable features = max_pool2d(relu(conv2d(x, a, Variable(), 1, 1)), 2, 2);
    const Variable loss = cross_entropy(matmul(global_avg_pool2d(features), b), labels, 0.1);
    loss.backward();
    const std::vector<Tensor> found = {loss.value(), x.grad(), a.grad(), b.grad()};
    if (repetition == 0) expected = found;
    CHECK(largest(found[2]) > 1e-3);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(identical(found[i], expected[i]));
  }
  set_num_threads(before);
}
