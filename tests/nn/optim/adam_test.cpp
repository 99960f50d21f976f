#include "nn/optim/adam.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "tests/nn/optim/steps.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

std::unique_ptr<Optimizer> make(bool decoupled, const Variables& parameters, const AdamOptions& options) {
  if (decoupled) return std::make_unique<AdamW>(parameters, options);
  return std::make_unique<Adam>(parameters, options);
}

}  // namespace

TEST_CASE("adam: six steps as PyTorch takes them, Adam and AdamW, with weight decay or without") {
  const Reference reference("optim.safetensors");
  for (const std::string kind : {"adam", "adamw"})
    for (const char* variant : {"", "_weight_decay", "_b_undecayed", "_b_absent"}) {
      const std::string name = kind + variant;
      CAPTURE(name);
      const Reference::Case at = reference[name];
      Variable a(at("a"), true), b(at("b"), true);
      const AdamOptions options{at.number("beta1"), at.number("beta2"), at.number("eps"), at.number("weight_decay"),
                                !contains(name, "b_undecayed")};
      check_steps(at, *make(kind == "adamw", {a, b}, options), a, b);
    }
}

TEST_CASE("adam: the first step is lr times the gradient's sign, whatever its size; decoupled decay comes on top") {
  for (const bool decoupled : {false, true}) {
    Variable p(tensor({4, -2, 8}, {3, 1}), true);
    AdamOptions options;
    if (decoupled) options.weight_decay = 0.5;
    const auto optimizer = make(decoupled, {p}, options);
    set_grad(p, tensor({1e-3, -7, 1000}, {3, 1}));
    optimizer->step(0.25);
    const Tensor expected = decoupled ? tensor({4 * 0.875 - 0.25, -2 * 0.875 + 0.25, 8 * 0.875 - 0.25}, {3, 1})
                                      : tensor({3.75, -1.75, 7.75}, {3, 1});
    CHECK(max_error(p.value(), expected) < 1e-5);
  }
}

TEST_CASE("adam: with the state carried over, another optimizer continues bit for bit") {
  for (const bool decoupled : {false, true}) {
    Variable p(tensor({1, 2, 3, 4}, {2, 2}), true), q(tensor({5, -1, 2}, {3}), true);
    AdamOptions options;
    options.weight_decay = 0.1;
    const auto move = [&](Optimizer& optimizer, double slope) {
      set_grad(p, tensor({0.3, -1, slope, 2}, {2, 2}));
      set_grad(q, tensor({slope, 0.7, -0.2}, {3}));
      if (slope == 0) q.zero_grad();  // q has taken a step less than p
      optimizer.step(0.1);
    };
    const auto first = make(decoupled, {p, q}, options);
    move(*first, 0);
    move(*first, 2);
    const Tensor p_halfway = p.value(), q_halfway = q.value();
    const SafeTensors state = first->state_dict();
    CHECK(state.integers.at("steps/0").item() == 2);
    CHECK(state.integers.at("steps/1").item() == 1);
    move(*first, 4);
    const Tensor p_after = p.value(), q_after = q.value();
    for (const bool loaded : {true, false}) {
      p.mutable_value() = p_halfway;
      q.mutable_value() = q_halfway;
      const auto second = make(decoupled, {p, q}, options);
      if (loaded) second->load_state_dict(state);
      move(*second, 4);
      CHECK(identical(p.value(), p_after) == loaded);
      CHECK(identical(q.value(), q_after) == loaded);
    }
  }
}

TEST_CASE("adam: what cannot be is refused") {
  const Variables parameters{Variable(ones({2}), true)};
  const double infinity = std::numeric_limits<double>::infinity();
  const auto made_with = [&](double beta1, double beta2, double eps) {
    return error_of([&] { Adam(parameters, {beta1, beta2, eps, 0, true}); });
  };
  CHECK(made_with(0, 0, 1e-8) == "");
  CHECK(made_with(1, 0.9, 1e-8) == "ValueError: adam: beta1 must be within [0, 1), got 1");
  CHECK(made_with(-0.5, 0.9, 1e-8) == "ValueError: adam: beta1 must be within [0, 1), got -0.5");
  CHECK(made_with(0.9, 1, 1e-8) == "ValueError: adam: beta2 must be within [0, 1), got 1");
  CHECK(made_with(0.9, std::nan(""), 1e-8) == "ValueError: adam: beta2 must be within [0, 1), got nan");
  CHECK(made_with(0.9, 0.9, 0) == "ValueError: adam: eps must be finite and above 0, got 0");
  CHECK(made_with(0.9, 0.9, infinity) == "ValueError: adam: eps must be finite and above 0, got inf");
  CHECK((made_with(0.9, 0.9, 1e-60) == "") == (sizeof(Scalar) == 8));  // 0 as a float
  CHECK((made_with(0.9, 0.9, 1e300) == "") == (sizeof(Scalar) == 8));  // infinite as a float
  AdamOptions options;
  options.beta1 = 2;
  CHECK(error_of([&] { AdamW(parameters, options); }) == "ValueError: adamw: beta1 must be within [0, 1), got 2");
}
