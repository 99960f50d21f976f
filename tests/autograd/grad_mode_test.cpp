#include "autograd/grad_mode.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <thread>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/variable.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("grad_mode: NoGrad makes constants, nests, and NoGrad(false) records again") {
  const Variable a(ones({2}), true);
  CHECK(recording());
  {
    const NoGrad off;
    CHECK_FALSE(recording());
    CHECK_FALSE((a * a).requires_grad());
    CHECK_FALSE(a.alias().requires_grad());
    CHECK(a.requires_grad());
    {
      const NoGrad on(false);
      CHECK(recording());
      CHECK((a * a).requires_grad());
    }
    CHECK_FALSE(recording());
    CHECK(starts_with(error_of([&] { (a * a).backward(ones({2})); }), "ValueError: backward: nothing was recorded"));
  }
  CHECK(recording());
  try {
    const NoGrad off;
    throw std::runtime_error("");
  } catch (const std::runtime_error&) {
  }
  CHECK(recording());
}

TEST_CASE("grad_mode: backward through a recorded graph works inside NoGrad") {
  Variable a(full({2}, 3), true);
  const Variable y = a * a;
  const NoGrad off;
  y.backward(ones({2}));
  CHECK(a.grad().data()[1] == 6);
  const Variable z = [&] {
    const NoGrad on(false);
    return a * a;
  }();
  GradOptions options;
  options.create_graph = true;
  const Variable first = grad({z}, {a}, {Variable(ones({2}))}, options)[0];
  CHECK(first.requires_grad());  // create_graph records whatever the mode
}

TEST_CASE("grad_mode: the switches are each thread's own") {
  const NoGrad off;
  const DerivedGradients derived;
  bool recorded = false, fused = false;
  std::thread([&] {
    recorded = recording();
    fused = !DerivedGradients::current();
  }).join();
  CHECK(recorded);
  CHECK(fused);
  CHECK(DerivedGradients::current());
  {
    const DerivedGradients inner(false);
    CHECK_FALSE(DerivedGradients::current());
  }
  CHECK(DerivedGradients::current());
}

TEST_CASE("grad_mode: DerivedGradients is read when an operation runs forward") {
  const Variable a(ones({2, 3}), true);
  CHECK(std::string(relu(a).node()->name) == "relu");
  CHECK(std::string(log_softmax(a).node()->name) == "log_softmax");
  const DerivedGradients derived;
  CHECK(std::string(relu(a).node()->name) == "where");
  CHECK(std::string(log_softmax(a).node()->name) == "subtract");
}

TEST_CASE("grad_mode: forms by name") {
  CHECK(parse_gradient_form("fused") == GradientForm::Fused);
  CHECK(parse_gradient_form("by-hand") == GradientForm::ByHand);
  CHECK(parse_gradient_form("derived") == GradientForm::Derived);
  CHECK(error_of([] { parse_gradient_form("byhand"); }) ==
        "ValueError: unknown form of gradients 'byhand', expected one of fused, by-hand, derived");
}
