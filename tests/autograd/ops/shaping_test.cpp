#include "autograd/ops/shaping.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

struct Case {
  const char* name;
  Shape shape;
  std::function<Variable(const Variable&)> function;
  std::function<Tensor(const Tensor&)> tensor_function;
};

using Sizes = std::vector<std::ptrdiff_t>;

template <class F>
Case make(const char* name, const Shape& shape, F f) {
  return {name, shape, f, f};
}

std::vector<Case> cases() {
  std::vector<Case> list = {
      make("reshape", {2, 3, 4},
           [](const auto& x) {
             return xtg::reshape(x, Sizes{4, -1});
           }),
      make("reshape to a column", {5},
           [](const auto& x) {
             return xtg::reshape(x, Shape{5, 1});
           }),
      make("transpose of a matrix", {2, 5}, [](const auto& x) { return xtg::transpose(x); }),
      make("slice", {5, 6, 3},
           [](const auto& x) {
             return xtg::slice(x, {{1, -1, 2}, {0, 4, 3}, {}});
           }),
      make("slice of one place", {5, 6},
           [](const auto& x) {
             return xtg::slice(x, {{2, 3, 1}, {5, -1, 1}});
           }),
      make("pad", {2, 3},
           [](const auto& x) {
             return xtg::pad(x, {1, 0}, {2, 4});
           }),
      make("empty slice", {5, 6},
           [](const auto& x) {
             return xtg::slice(x, {{2, 2, 1}, {}});
           }),
  };
  for (const Axes& axes : {Axes{1}, Axes{-1, 0}, Axes{}})
    list.push_back(make("flip", {2, 3, 4}, [axes](const auto& x) { return xtg::flip(x, axes); }));
  for (const Axes& axes : {Axes{0, 1, 2}, Axes{0, 2, 1}, Axes{1, 2, 0}, Axes{2, 0, 1}, Axes{-1, 0, -2}, Axes{}})
    list.push_back(make("transpose", {2, 3, 4}, [axes](const auto& x) { return xtg::transpose(x, axes); }));
  return list;
}

}  // namespace

TEST_CASE("shaping ops: each element's gradient comes back from where the element went") {
  // The operations move numbers. So moving the positions 0 … n−1 tells where each went, and the gradient is the sum of
  // dy over the places that hold it.
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const std::size_t n = count(c.shape);
    Tensor places = xtg::reshape(arange(n), c.shape);
    for (std::size_t i = 0; i < n; ++i) places.data()[i] += 1;  // a padding zero is no position
    const Tensor went = c.tensor_function(places);
    Variable x(normal(c.shape, 1), true);
    const Variable y = c.function(x);
    CHECK(identical(y.value(), c.tensor_function(x.value())));
    const Tensor dy = normal(y.shape(), 2);
    y.backward(dy);
    Tensor expected = zeros(c.shape);
    for (std::size_t i = 0; i < dy.size(); ++i)
      if (went.data()[i] > 0) expected.data()[static_cast<std::size_t>(went.data()[i]) - 1] += dy.data()[i];
    CHECK(identical(x.grad(), expected));
  }
}

TEST_CASE("shaping ops: second derivatives pass through") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Variable x(normal(c.shape, 1), true);
    const Variable y = square(c.function(x));  // Σ w·y² has the second derivative 2·w where x went
    const Variable w(normal(y.shape(), 2)), v(normal(c.shape, 3));
    GradOptions options;
    options.create_graph = true;
    const Variable first = grad({y}, {x}, {w}, options)[0];
    const Variable second = grad({first}, {x}, {v})[0];
    Variable linear(zeros(c.shape), true);
    c.function(linear).backward(w.value());  // w brought back
    Tensor expected = linear.grad();
    for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] *= 2 * v.value().data()[i];
    CHECK(max_error(second.value(), expected) < 1e-5);
  }
}

TEST_CASE("shaping ops: flatten, squeeze and unsqueeze change the shape, not the numbers") {
  struct Step {
    Shape from;
    std::function<Variable(const Variable&)> function;
    Shape to;
  };
  const std::vector<Step> steps = {
      {{2, 3, 4, 5}, [](const Variable& x) { return flatten(x); }, {120}},
      {{2, 3, 4, 5}, [](const Variable& x) { return flatten(x, 1); }, {2, 60}},
      {{2, 3, 4, 5}, [](const Variable& x) { return flatten(x, 0, 1); }, {6, 4, 5}},
      {{2, 3, 4, 5}, [](const Variable& x) { return flatten(x, -3, -2); }, {2, 12, 5}},
      {{2, 3, 4, 5}, [](const Variable& x) { return flatten(x, 2, 2); }, {2, 3, 4, 5}},
      {{}, [](const Variable& x) { return flatten(x); }, {1}},
      {{0, 3, 2}, [](const Variable& x) { return flatten(x, 1); }, {0, 6}},
      {{1, 3, 1, 1}, [](const Variable& x) { return squeeze(x); }, {3}},
      {{1, 3, 1, 1},
       [](const Variable& x) {
         return squeeze(x, {-1, 0});
       },
       {3, 1}},
      {{2, 3}, [](const Variable& x) { return squeeze(x); }, {2, 3}},
      {{1, 1}, [](const Variable& x) { return squeeze(x); }, {}},
      {{1, 0}, [](const Variable& x) { return squeeze(x); }, {0}},
      {{2, 3}, [](const Variable& x) { return unsqueeze(x, 0); }, {1, 2, 3}},
      {{2, 3}, [](const Variable& x) { return unsqueeze(x, 1); }, {2, 1, 3}},
      {{2, 3}, [](const Variable& x) { return unsqueeze(x, -1); }, {2, 3, 1}},
      {{2, 3}, [](const Variable& x) { return unsqueeze(x, -3); }, {1, 2, 3}},
      {{}, [](const Variable& x) { return unsqueeze(x, 0); }, {1}},
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CAPTURE(i);
    Variable x(normal(steps[i].from, 1), true);
    const Variable y = steps[i].function(x);
    CHECK(identical(y.value(), xtg::reshape(x.value(), steps[i].to)));
    const Tensor dy = normal(steps[i].to, 2);
    y.backward(dy);
    CHECK(identical(x.grad(), xtg::reshape(dy, steps[i].from)));
  }
}

namespace {

Shape with_axis(const Shape& shape, std::size_t k, std::size_t size) {
  std::vector<std::size_t> result(shape.begin(), shape.end());
  result.insert(result.begin() + static_cast<std::ptrdiff_t>(k), size);
  return Shape(result.begin(), result.end());
}

}  // namespace

TEST_CASE("shaping ops: concatenate and stack give each input its part of dy") {
  for (const bool stacked : {false, true})
    for (int axis = stacked ? -4 : -3; axis < (stacked ? 4 : 3); ++axis) {
      CAPTURE(stacked);
      CAPTURE(axis);
      const std::size_t k = static_cast<std::size_t>(axis < 0 ? axis + (stacked ? 4 : 3) : axis);
      Variables inputs;
      for (std::size_t i = 0; i < 4; ++i) {
        Shape shape = {2, 3, 4};
        if (!stacked) shape[k] = (i + 2) % 4;           // 2, 3, 0, 1
        inputs.emplace_back(normal(shape, i), i != 1);  // one is a constant
      }
      const Variable y = stacked ? stack(inputs, axis) : concatenate(inputs, axis);
      Shape whole = stacked ? with_axis({2, 3, 4}, k, 4) : Shape{2, 3, 4};
      if (!stacked) whole[k] = 6;
      REQUIRE(y.shape() == whole);
      const Tensor dy = normal(whole, 9);
      y.backward(dy);
      std::size_t start = 0;
      for (const Variable& input : inputs) {
        const Shape part = stacked ? with_axis(input.shape(), k, 1) : input.shape();
        for (std::size_t i = 0; i < input.size(); ++i) {
          std::vector<std::size_t> at = index_of(i, part);
          at[k] += start;
          CHECK(y.value().data()[offset_of(at, whole)] == input.value().data()[i]);
          if (input.requires_grad()) CHECK(input.grad().data()[i] == dy.data()[offset_of(at, whole)]);
        }
        CHECK(input.has_grad() == input.requires_grad());
        start += part[k];
      }
    }
  CHECK(identical(stack({Variable(scalar(3)), Variable(scalar(5))}).value(), tensor({3, 5}, {2})));
  CHECK(stack({Variable(zeros({0, 2})), Variable(zeros({0, 2}))}, 1).shape() == Shape{0, 2, 2});
}

TEST_CASE("shaping ops: split cuts, concatenate joins again") {
  const Tensor at = normal({2, 6, 3}, 1);
  Variable x(at, true);
  const Variables parts = split(x, {1, 0, 3, 2}, -2);
  REQUIRE(parts.size() == 4);
  CHECK(identical(parts[0].value(), xtg::slice(at, {{}, {0, 1, 1}, {}})));
  CHECK(parts[1].shape() == Shape{2, 0, 3});
  CHECK(identical(parts[2].value(), xtg::slice(at, {{}, {1, 4, 1}, {}})));
  CHECK(identical(parts[3].value(), xtg::slice(at, {{}, {4, 6, 1}, {}})));
  const Variable y = concatenate(parts, 1);
  CHECK(identical(y.value(), at));
  const Tensor dy = normal({2, 6, 3}, 2);
  y.backward(dy);
  CHECK(identical(x.grad(), dy));
  CHECK(split(Variable(zeros({2, 0})), {}, 1).empty());
}

TEST_CASE("shaping ops: an array joined with itself, and parts in products, to second order") {
  const auto twice = [](const Variables& v) { return square(concatenate({v[0], v[1], v[0]}, 1)); };
  CHECK(check_two_orders(twice, {normal({2, 3}, 1), normal({2, 4}, 2)}) == "");
  const auto stacked = [](const Variables& v) { return exp(stack({v[0], v[1], v[0]}, -1)); };
  CHECK(check_two_orders(stacked, {normal({2, 3}, 1), normal({2, 3}, 2)}) == "");
  const auto parts = [](const Variables& v) {
    const Variables p = split(v[0], {2, 1, 2}, 0);
    return p[0] * flip(p[2], {0}) * p[1];
  };
  CHECK(check_two_orders(parts, {normal({5, 3}, 1)}) == "");
}

TEST_CASE("shaping ops: bad arguments are refused by name") {
  const Variable x(zeros({2, 3}), true);
  CHECK(error_of([&] { reshape(x, Shape{4}); }) == "ShapeError: reshape: (2, 3) has 6 elements, (4) needs 4");
  CHECK(error_of([&] { transpose(x, {0}); }) == "ValueError: transpose: expected 2 axes for (2, 3), got (0)");
  CHECK(starts_with(error_of([&] { slice(x, {{}}); }), "ShapeError: slice: "));
  CHECK(starts_with(error_of([&] { pad(x, {1}, {1}); }), "ValueError: pad: "));
  CHECK(error_of([&] { flatten(x, 1, 0); }) == "ValueError: flatten: axis 1 comes after axis 0 in (2, 3)");
  CHECK(error_of([&] { flatten(x, 2); }) == "ValueError: flatten: axis 2 is out of range for 2 axes");
  CHECK(error_of([&] { squeeze(x, {-1}); }) == "ShapeError: squeeze: axis 1 of (2, 3) has size 3, not 1");
  CHECK(error_of([&] { squeeze(x, {2}); }) == "ValueError: squeeze: axis 2 is out of range for 2 axes");
  CHECK(error_of([&] { unsqueeze(x, 3); }) == "ValueError: unsqueeze: axis 3 is out of range for 3 axes");
  CHECK(error_of([&] { flip(x, {2}); }) == "ValueError: flip: axis 2 is out of range for 2 axes");
  const Variable y(zeros({2, 4}), true), flat(zeros({2}), true);
  CHECK(error_of([&] {
          concatenate({x, y}, 0);
        }) == "ShapeError: concatenate: expected shapes equal but for axis 0, got (2, 3) and (2, 4)");
  CHECK(error_of([&] {
          concatenate({x, flat}, 0);
        }) == "ShapeError: concatenate: expected shapes equal but for axis 0, got (2, 3) and (2)");
  CHECK(error_of([&] { concatenate(Variables(), 0); }) == "ValueError: concatenate: expected at least one array");
  CHECK(error_of([&] { stack(Variables(), 0); }) == "ValueError: stack: expected at least one array");
  CHECK(error_of([&] { stack({x, y}); }) == "ShapeError: stack: expected equal shapes, got (2, 3) and (2, 4)");
  CHECK(error_of([&] { stack({x}, 3); }) == "ValueError: stack: axis 3 is out of range for 3 axes");
  CHECK(error_of([&] { split(x, {1, 1}, -1); }) == "ValueError: split: sizes (1, 1) do not add up to axis 1 of (2, 3)");
  CHECK(error_of([&] { split(x, {2}, 2); }) == "ValueError: split: axis 2 is out of range for 2 axes");
}

TEST_CASE("shaping ops: the result is another Variable, with numbers of its own, also where nothing is to be done") {
  struct Op {
    const char* name;
    std::function<Variable(const Variable&)> nothing_to_do, something;
  };
  using V = const Variable&;
  const std::vector<Op> ops = {
      {"reshape",
       [](V x) {
         return reshape(x, Shape{2, 3});
       },
       [](V x) {
         return reshape(x, Shape{3, 2});
       }},
      {"reshape, -1",
       [](V x) {
         return reshape(x, {-1, 3});
       },
       [](V x) {
         return reshape(x, {-1, 2});
       }},
      {"flatten", [](V x) { return flatten(x, 1); }, [](V x) { return flatten(x); }},
      {"squeeze", [](V x) { return squeeze(x); }, [](V x) { return squeeze(unsqueeze(x, 0)); }},
      {"squeeze of axes", [](V x) { return squeeze(x, {}); }, [](V x) { return squeeze(unsqueeze(x, 1), {1}); }},
      {"broadcast_to",
       [](V x) {
         return broadcast_to(x, {2, 3});
       },
       [](V x) {
         return broadcast_to(x, {4, 2, 3});
       }},
      {"sum_to",
       [](V x) {
         return sum_to(x, {2, 3});
       },
       [](V x) { return sum_to(x, {3}); }},
      {"transpose",
       [](V x) {
         return transpose(x, {0, 1});
       },
       [](V x) { return transpose(x); }},
      {"flip", [](V x) { return flip(flip(x, {0}), {0}); }, [](V x) { return flip(x, {0}); }},
      {"slice",
       [](V x) {
         return slice(x, {{}, {}});
       },
       [](V x) {
         return slice(x, {{1, 2, 1}, {}});
       }},
      {"pad",
       [](V x) {
         return pad(x, {0, 0}, {0, 0});
       },
       [](V x) {
         return pad(x, {1, 0}, {0, 0});
       }},
      {"concatenate", [](V x) { return concatenate({x}, 0); },
       [](V x) {
         return concatenate({x, x}, 0);
       }},
      {"split", [](V x) { return split(x, {2}, 0)[0]; },
       [](V x) {
         return split(x, {1, 1}, 0)[0];
       }},
      {"sum over nothing",
       [](V x) {
         return sum(reshape(x, {2, 1, 3}), {1});
       },
       [](V x) { return sum(x); }},
  };
  for (const Op& op : ops)
    for (const bool requires_grad : {true, false}) {
      CAPTURE(op.name);
      const Tensor numbers = normal({2, 3}, 1);
      for (const auto& function : {op.nothing_to_do, op.something}) {
        const Variable x(numbers, requires_grad);
        Variable y = function(x);
        CHECK(y.node().get() != x.node().get());
        CHECK(y.is_leaf() != requires_grad);
        int at_x = 0, at_y = 0;
        if (requires_grad) {
          y.register_hook([&](const Variable&) { return ++at_y, Variable(); });
          sum(function(x)).backward();  // without y
          CHECK(at_y == 0);
          x.register_hook([&](const Variable&) { return ++at_x, Variable(); });
          y.backward(ones(y.shape()));
          CHECK(at_y == 1);
          CHECK(at_x == 1);
        }
        y.mutable_value() = full(y.shape(), 7);
        CHECK(identical(x.value(), numbers));
        if (requires_grad) sum(square(x)).backward();  // nor does x count as modified
      }
      CHECK(identical(op.nothing_to_do(Variable(numbers)).value(), numbers));
    }
}
