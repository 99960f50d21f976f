#include "autograd/variable.hpp"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("variable: a leaf, a constant, a result, an undefined one") {
  const Variable leaf(ones({2, 3}), true), constant(ones({3})), undefined;
  CHECK(leaf.requires_grad());
  CHECK(leaf.is_leaf());
  CHECK(leaf.size() == 6);
  CHECK_FALSE(constant.requires_grad());
  CHECK(constant.is_leaf());
  const Variable result = leaf * constant, still_constant = constant * constant;
  CHECK(result.requires_grad());
  CHECK_FALSE(result.is_leaf());
  CHECK_FALSE(still_constant.requires_grad());
  CHECK(still_constant.is_leaf());
  CHECK_FALSE(undefined.defined());
  CHECK_FALSE(undefined.requires_grad());
  CHECK_FALSE(undefined.has_grad());
  CHECK(error_of([&] { undefined.value(); }) == "ValueError: Variable: value of an undefined Variable");
  CHECK(error_of([&] { undefined.detach(); }) == "ValueError: Variable: value of an undefined Variable");
}

TEST_CASE("variable: item takes one element of any rank") {
  CHECK(Variable(full({1, 1}, 3)).item() == 3);
  CHECK(Variable(scalar(4)).item() == 4);
  CHECK(error_of([] { Variable(ones({2})).item(); }) ==
        "ShapeError: Variable::item: expected one element, shape is (2)");
}

TEST_CASE("variable: copies are handles on the same numbers and gradient") {
  Variable a(ones({2}), true);
  const Variable b = a;
  a.mutable_value().data()[0] = 5;
  CHECK(b.value().data()[0] == 5);
  sum(b * b).backward();
  CHECK(a.grad().data()[0] == 10);
  a.zero_grad();
  CHECK_FALSE(b.has_grad());
}

TEST_CASE("variable: grad says what to do when there is none") {
  const Variable a(ones({2}), true);
  CHECK(error_of([&] { a.grad(); }) ==
        "ValueError: Variable::grad: there is no gradient; call backward() on a result that depends on this leaf, and "
        "see "
        "that it requires a gradient");
  for (const bool walked : {false, true}) {
    const Variable result = a * a;
    if (walked) result.backward(ones({2}));
    CHECK(
        error_of([&] { result.grad(); }) ==
        "ValueError: Variable::grad: only leaves keep a gradient, and this is the result of multiply; look at it in a "
        "hook (register_hook), or compute it with the function grad");
    CHECK(error_of([&] { result.mutable_grad(); }) == error_of([&] { result.grad(); }));
  }
  CHECK(contains(error_of([] { Variable().grad(); }), "there is no gradient"));
  Variable b(ones({2}));
  b.zero_grad();  // nothing to do
  CHECK_FALSE(b.has_grad());
}

TEST_CASE("variable: set_requires_grad is for leaves") {
  Variable a(ones({2}));
  a.set_requires_grad(true);
  Variable y = a * a;
  CHECK(y.requires_grad());
  CHECK(error_of([&] { y.set_requires_grad(false); }) ==
        "ValueError: set_requires_grad: expected a leaf, this is the result of multiply; use detach()");
  CHECK(starts_with(error_of([] { Variable().set_requires_grad(true); }), "ValueError: set_requires_grad: "));
  a.set_requires_grad(false);
  CHECK_FALSE((a * a).requires_grad());
}

TEST_CASE("variable: detach and alias share the numbers; one stops the gradient, the other passes it") {
  Variable a(normal({3}, 1), true);
  const Tensor dy = normal({3}, 2);
  const Variable d = a.detach(), s = a.alias();
  CHECK(d.value().data() == a.value().data());
  CHECK(s.value().data() == a.value().data());
  CHECK_FALSE(d.requires_grad());
  CHECK(d.is_leaf());
  CHECK_FALSE(s.is_leaf());
  (a * d).backward(dy);  // d(a·const) = dy·a, not 2·dy·a
  const Tensor once = a.grad();
  for (std::size_t i = 0; i < 3; ++i) CHECK(once.data()[i] == dy.data()[i] * a.value().data()[i]);
  a.zero_grad();
  (a * s).backward(dy);
  for (std::size_t i = 0; i < 3; ++i) CHECK(a.grad().data()[i] == Scalar{2} * once.data()[i]);
  CHECK_FALSE(d.alias().requires_grad());
}

TEST_CASE("variable: a constant stays one in what was recorded before it was told to require a gradient") {
  Variable x(tensor({1, 2, 3}, {3}));
  const Variable w(tensor({4, 5, 6}, {3}), true);
  const Variable y = x * w;
  x.set_requires_grad(true);
  y.backward(tensor({1, 1, 2}, {3}));
  CHECK(w.grad() == tensor({1, 2, 6}, {3}));
  CHECK(!x.has_grad());
}
