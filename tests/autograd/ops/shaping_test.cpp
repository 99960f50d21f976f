#include "autograd/ops/shaping.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "autograd/gradcheck.hpp"
#include "autograd/ops/elementwise.hpp"
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

TEST_CASE("shaping ops: bad arguments are refused by name") {
  const Variable x(zeros({2, 3}), true);
  CHECK(error_of([&] { reshape(x, Shape{4}); }) == "ShapeError: reshape: (2, 3) has 6 elements, (4) needs 4");
  CHECK(error_of([&] { transpose(x, {0}); }) == "ValueError: transpose: expected 2 axes for (2, 3), got (0)");
  CHECK(starts_with(error_of([&] { slice(x, {{}}); }), "ShapeError: slice: "));
  CHECK(starts_with(error_of([&] { pad(x, {1}, {1}); }), "ValueError: pad: "));
}
