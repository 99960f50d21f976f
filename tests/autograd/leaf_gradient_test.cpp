// A gradient that nobody else holds becomes its leaf's without a copy; all others are copied.

#include <doctest/doctest.h>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "autograd/variable.hpp"
#include "tensor/elementwise.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("backward: a gradient's array becomes a leaf's only where nobody else has it") {
  const Scalar* seen = nullptr;
  Variable alone(ones({3}), true);
  alone.register_hook([&](const Variable& g) {
    seen = g.value().data();
    return Variable();
  });
  exp(alone).backward(tensor({3, 4, 5}, {3}));
  CHECK(alone.grad().data() == seen);

  // add_relu hands one array to both.
  Variable a(ones({3}), true), b(ones({3}), true);
  add_relu(a, b).backward(tensor({3, 4, 5}, {3}));
  CHECK(a.grad().data() != b.grad().data());
  a.mutable_grad().data()[0] = 50;
  CHECK(identical(b.grad(), tensor({3, 4, 5}, {3})));

  // A hook that keeps what it was given.
  Variable c(ones({2}), true), kept;
  c.register_hook([&](const Variable& g) {
    kept = g;
    return Variable();
  });
  sum(c * c).backward();
  REQUIRE(identical(kept.value(), full({2}, 2)));
  CHECK(kept.value().data() != c.grad().data());
  c.mutable_grad().data()[0] = 50;
  CHECK(identical(kept.value(), full({2}, 2)));
  sum(c * c).backward();  // adds in place
  CHECK(identical(c.grad(), tensor({52, 4}, {2})));
  CHECK(identical(kept.value(), full({2}, 2)));

  // A hook that returns a Variable that lives on.
  Variable e(ones({2}), true), replacement(full({2}, 7));
  e.register_hook([&](const Variable&) { return replacement; });
  sum(e * e).backward();
  e.mutable_grad().data()[0] = 50;
  CHECK(identical(replacement.value(), full({2}, 7)));

  // dy, where a leaf gets it unchanged, and the walk is repeated with it.
  Variable f(ones({2}), true);
  const Tensor dy = tensor({3, 4}, {2});
  const Variable same = reshape(f, {2, 1}), up = reshape(Variable(dy), {2, 1});
  for (int repetition = 1; repetition <= 2; ++repetition) {
    f.backward(dy);
    same.backward(up.value(), true);
    CHECK(identical(f.grad(), dy * static_cast<Scalar>(2 * repetition)));
    CHECK(identical(dy, tensor({3, 4}, {2})));
    CHECK(identical(up.value(), tensor({3, 4}, {2, 1})));
  }

  // A retained graph gives the same again: nothing that it saved has gone into a gradient.
  Variable h(tensor({0.5, 2}, {2}), true);
  const Variable y = exp(h) * h, total = sum(y);
  total.backward(true);
  const Tensor first = h.grad();
  h.mutable_grad().data()[0] = 50;
  h.zero_grad();
  total.backward(true);
  CHECK(identical(h.grad(), first));
}
