#include "nn/optim/sgd.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/create.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

const double tolerance = sizeof(Scalar) == 8 ? 1e-12 : 1e-6;

/// Entry `i` along the first axis, of the given shape.
Tensor slice(const Tensor& x, std::size_t i, const Shape& shape) {
  Tensor result = empty(shape);
  std::memcpy(result.data(), x.data() + i * result.size(), result.size() * sizeof(Scalar));
  return result;
}

/// Makes `value` the parameter's gradient: that of <parameter, value>.
void set_grad(Variable& parameter, const Tensor& value) {
  parameter.zero_grad();
  parameter.alias().backward(value);
}

}  // namespace

TEST_CASE("sgd: six steps as PyTorch takes them, with momentum, Nesterov and weight decay or without") {
  const Reference reference("optim.safetensors");
  for (const char* name :
       {"sgd", "sgd_weight_decay", "sgd_momentum", "sgd_momentum_weight_decay", "sgd_nesterov_weight_decay"}) {
    CAPTURE(name);
    const Reference::Case at = reference[name];
    Variable a(at("a"), true), b(at("b"), true);
    Sgd sgd({a, b}, {at.number("momentum"), at.number("weight_decay"), at.integer("nesterov") != 0});
    const Tensor& lr = at("lr");
    for (std::size_t s = 0; s < lr.size(); ++s) {
      set_grad(a, slice(at("a_grads"), s, a.shape()));
      set_grad(b, slice(at("b_grads"), s, b.shape()));
      sgd.step(static_cast<double>(lr.data()[s]));
      CHECK(relative_error(a.value(), slice(at("a_after"), s, a.shape())) < tolerance);
      CHECK(relative_error(b.value(), slice(at("b_after"), s, b.shape())) < tolerance);
    }
  }
}

TEST_CASE("sgd: a parameter without a gradient is left alone, weight decay included") {
  Variable with(ones({2}), true), without(ones({3}), true);
  Sgd sgd({with, without}, {0.9, 0.1, true});
  set_grad(with, ones({2}));
  sgd.step(0.5);
  CHECK(without.value() == ones({3}));
  CHECK(with.value() != ones({2}));
  CHECK(sgd.velocities()[0].shape() == Shape{2});
  CHECK(sgd.velocities()[1].shape() == Shape{0});
  sgd.zero_grad();
  CHECK(!with.has_grad());
}

TEST_CASE("sgd: with the velocities carried over, another optimizer continues bit for bit") {
  const SgdOptions options{0.9, 0.01, true};
  Variable p(tensor({1, 2, 3}, {3}), true);
  const auto move = [&p](Sgd& sgd, double slope) {
    set_grad(p, tensor({0.3, -1, slope}, {3}));
    sgd.step(0.1);
  };
  Sgd first(Variables{p}, options);
  move(first, 0);
  move(first, 2);
  const Tensor halfway = p.value();
  Sgd second(Variables{p}, options);
  second.set_velocities(first.velocities());
  move(first, 4);
  const Tensor uninterrupted = p.value();
  p.mutable_value() = halfway;
  move(second, 4);
  CHECK(p.value() == uninterrupted);
}

TEST_CASE("sgd: a step changes the numbers in place, and a graph that saved them notices") {
  Variable p(ones({2}), true);
  const Scalar* before = p.value().data();
  Sgd sgd(Variables{p}, {});
  set_grad(p, ones({2}));
  const auto version = p.storage()->version;
  sgd.step(0.25);
  CHECK(p.value().data() == before);
  CHECK(p.storage()->version > version);
  CHECK(p.value() == full({2}, Scalar(0.75)));
}

TEST_CASE("sgd: what cannot be is refused") {
  const Variables parameters{Variable(ones({2}), true)};
  const double infinity = std::numeric_limits<double>::infinity();
  const auto made_with = [&](const SgdOptions& options) { return error_of([&] { Sgd(parameters, options); }); };
  CHECK(made_with({-0.1, 0, false}) == "ValueError: sgd: momentum must be finite and at least 0, got -0.1");
  CHECK(made_with({infinity, 0, false}) == "ValueError: sgd: momentum must be finite and at least 0, got inf");
  CHECK(made_with({0.9, -1e-4, false}) == "ValueError: sgd: weight decay must be finite and at least 0, got -0.0001");
  CHECK(made_with({0.9, infinity, false}) == "ValueError: sgd: weight decay must be finite and at least 0, got inf");
  CHECK(made_with({0, 0, true}) == "ValueError: sgd: Nesterov's method needs a momentum above 0");

  Sgd sgd(parameters, {0.9, 0, false});
  const auto step_of = [&](double lr) { return error_of([&] { sgd.step(lr); }); };
  CHECK(step_of(-1) == "ValueError: sgd: the learning rate must be finite and at least 0, got -1");
  CHECK(step_of(infinity) == "ValueError: sgd: the learning rate must be finite and at least 0, got inf");
  CHECK(step_of(std::nan("")) == "ValueError: sgd: the learning rate must be finite and at least 0, got nan");

  sgd.set_velocities({full({2}, 7)});
  CHECK(error_of([&] { sgd.set_velocities({}); }) == "ShapeError: sgd: expected 1 velocities, got 0");
  CHECK(error_of([&] { sgd.set_velocities({ones({3})}); }) ==
        "ShapeError: sgd: expected velocity 0 of shape (2), or (0) before the first step, got (3)");
  CHECK(error_of([&] {
          sgd.set_velocities({zeros({2, 0})});
        }) == "ShapeError: sgd: expected velocity 0 of shape (2), or (0) before the first step, got (2, 0)");
  CHECK(identical(sgd.velocities()[0], full({2}, 7)));  // unchanged
  sgd.set_velocities({zeros({0})});
}
