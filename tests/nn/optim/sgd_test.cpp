#include "nn/optim/sgd.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/nn/optim/steps.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

TEST_CASE("sgd: six steps as PyTorch takes them, with momentum, Nesterov and weight decay or without") {
  const Reference reference("optim.safetensors");
  for (const char* name : {"sgd", "sgd_weight_decay", "sgd_momentum", "sgd_momentum_weight_decay",
                           "sgd_nesterov_weight_decay", "sgd_nesterov_b_undecayed"}) {
    CAPTURE(name);
    const Reference::Case at = reference[name];
    Variable a(at("a"), true), b(at("b"), true);
    Sgd sgd({a, b}, {at.number("momentum"), at.number("weight_decay"), at.integer("nesterov") != 0,
                     !contains(name, "b_undecayed")});
    check_steps(at, sgd, a, b);
  }
}

TEST_CASE("sgd: a parameter without a gradient is left alone, weight decay included") {
  Variable with(ones({2}), true), without(ones({3}), true);
  Sgd sgd({with, without}, {0.9, 0.1, true});
  set_grad(with, ones({2}));
  sgd.step(0.5);
  CHECK(without.value() == ones({3}));
  CHECK(with.value() != ones({2}));
  const SafeTensors state = sgd.state_dict();
  CHECK(state.tensors.at("velocity/0").shape() == Shape{2});
  CHECK(state.tensors.at("velocity/1").shape() == Shape{0});
  sgd.zero_grad();
  CHECK(!with.has_grad());
}

TEST_CASE("sgd: with the state carried over, another optimizer continues bit for bit") {
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
  second.load_state_dict(first.state_dict());
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
}
