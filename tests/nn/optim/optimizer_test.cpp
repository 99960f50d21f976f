#include "nn/optim/optimizer.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <memory>

#include "autograd/ops/elementwise.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/sgd.hpp"
#include "tests/nn/optim/steps.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

std::unique_ptr<Optimizer> make(OptimizerKind kind, const NamedVariables& parameters, double weight_decay = 0,
                                bool decay_norms_and_biases = true) {
  AdamOptions options;
  options.weight_decay = weight_decay;
  options.decay_norms_and_biases = decay_norms_and_biases;
  if (kind == OptimizerKind::Adam) return std::make_unique<Adam>(parameters, options);
  if (kind == OptimizerKind::AdamW) return std::make_unique<AdamW>(parameters, options);
  return std::make_unique<Sgd>(parameters, SgdOptions{0.9, weight_decay, false, decay_norms_and_biases});
}

const OptimizerKind all_kinds[] = {OptimizerKind::Sgd, OptimizerKind::Adam, OptimizerKind::AdamW};
const char* const names[] = {"sgd", "adam", "adamw"};

}  // namespace

TEST_CASE("optimizer: names") {
  for (const std::size_t k : {0, 1, 2}) CHECK(parse_optimizer(names[k]) == all_kinds[k]);
  CHECK(error_of([] { parse_optimizer("lamb"); }) ==
        "ValueError: unknown optimizer 'lamb', expected sgd, adam or adamw");
}

TEST_CASE("optimizer: without decay of norms and biases only parameters of two or more axes are decayed") {
  const Shape shapes[] = {{}, {3}, {2, 3}, {2, 1, 3, 4}};
  for (const OptimizerKind kind : all_kinds)
    for (const bool all : {true, false}) {
      Variables parameters;
      for (const Shape& shape : shapes) parameters.push_back(Variable(ones(shape), true));
      const auto optimizer = make(kind, numbered(parameters), 0.5, all);
      for (Variable& parameter : parameters) set_grad(parameter, zeros(parameter.shape()));
      optimizer->step(0.25);
      for (const Variable& parameter : parameters) {
        const bool decayed = parameter.value() != ones(parameter.shape());
        CHECK(decayed == (all || parameter.shape().size() >= 2));
      }
    }
}

TEST_CASE("optimizer: parameters without a gradient are left alone, empty ones do no harm") {
  for (const OptimizerKind kind : all_kinds) {
    Variable moved(ones({2, 2}), true), alone(ones({2, 3}), true), none(zeros({0, 3}), true), flat(zeros({0}), true);
    const auto optimizer = make(kind, {{"moved", moved}, {"alone", alone}, {"none", none}, {"flat", flat}}, 0.1);
    set_grad(moved, ones({2, 2}));
    set_grad(none, zeros({0, 3}));
    set_grad(flat, zeros({0}));
    optimizer->step(0.1);
    CHECK(moved.value() != ones({2, 2}));
    CHECK(alone.value() == ones({2, 3}));
    optimizer->load_state_dict(optimizer->state_dict());
    optimizer->zero_grad();
    CHECK(!moved.has_grad());
    const Tensor before = moved.value();
    set_grad(moved, ones({2, 2}));
    optimizer->step(0);
    CHECK(identical(moved.value(), before));
  }
}

TEST_CASE("optimizer: the state has the parameters' names") {
  Variable p(ones({2}), true), q(ones({3}), true);
  const auto keys = [&](OptimizerKind kind) {
    const SafeTensors state = make(kind, {{"a.weight", p}, {"a.bias", q}})->state_dict();
    std::string result;
    for (const auto& [key, value] : state.tensors) result += key + to_string(value.shape()) + " ";
    for (const auto& [key, value] : state.integers) result += key + to_string(value.shape()) + " ";
    return result;
  };
  CHECK(keys(OptimizerKind::Sgd) == "velocity/a.bias(0) velocity/a.weight(0) ");
  CHECK(keys(OptimizerKind::AdamW) ==
        "first_moment/a.bias(0) first_moment/a.weight(0) second_moment/a.bias(0) second_moment/a.weight(0) "
        "steps/a.bias() steps/a.weight() ");
  CHECK(keys(OptimizerKind::Adam) == keys(OptimizerKind::AdamW));
}

TEST_CASE("optimizer: a state that does not fit is refused, and changes nothing") {
  Variable p(ones({2}), true);
  const auto sgd = make(OptimizerKind::Sgd, {{"p", p}}), adam = make(OptimizerKind::Adam, {{"p", p}});
  set_grad(p, full({2}, 7));
  sgd->step(0.1);
  adam->step(0.1);
  const SafeTensors sgd_state = sgd->state_dict(), adam_state = adam->state_dict();
  const auto refusal = [](Optimizer& optimizer, const SafeTensors& state) {
    return error_of([&] { optimizer.load_state_dict(state); });
  };
  CHECK(refusal(*sgd, {}) == "ValueError: sgd: the state does not fit; missing: velocity/p");
  CHECK(refusal(*sgd, adam_state) ==
        "ValueError: sgd: the state does not fit; missing: velocity/p; unexpected: first_moment/p, second_moment/p, "
        "steps/p");
  for (const Shape& shape : {Shape{3}, Shape{2, 0}})
    CHECK(refusal(*sgd, {{{"velocity/p", zeros(shape)}}, {}, {}}) ==
          "ValueError: sgd: the state does not fit; of another shape: velocity/p (expected (2), got " +
              to_string(shape) + ")");
  SafeTensors wrong = adam_state;
  wrong.tensors["second_moment/p"] = zeros({3});
  CHECK(refusal(*adam, wrong) ==
        "ValueError: adam: the state does not fit; of another shape: second_moment/p (expected (2), got (3))");
  wrong = adam_state;
  wrong.tensors["first_moment/p"] = full({2}, 1);
  wrong.integers["steps/p"] = Indices(Shape{}, -1);
  CHECK(refusal(*adam, wrong) == "ValueError: adam: the state's 'steps/p' must be at least 0, got -1");
  wrong.integers["steps/p"] = indices({1, 2});
  CHECK(refusal(*adam, wrong) ==
        "ValueError: adam: the state does not fit; of another shape: steps/p (expected (), got (2))");

  CHECK(identical(sgd->state_dict().tensors.at("velocity/p"), full({2}, 7)));
  CHECK(adam->state_dict().tensors == adam_state.tensors);
  CHECK(adam->state_dict().integers == adam_state.integers);
  sgd->load_state_dict({{{"velocity/p", zeros({0})}}, {}, {}});  // that of an optimizer before its first step
  CHECK(sgd->state_dict().tensors.at("velocity/p").shape() == Shape{0});
}

TEST_CASE("optimizer: what cannot be is refused, under the optimizer's name") {
  Variable p(ones({2}), true), q(ones({2}), true);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const std::size_t k : {0, 1, 2}) {
    const OptimizerKind kind = all_kinds[k];
    const std::string begin = std::string("ValueError: ") + names[k];
    const auto refusal = [&](const NamedVariables& parameters, double weight_decay) {
      return error_of([&] { make(kind, parameters, weight_decay); });
    };
    CHECK(refusal({{"p", p}}, -0.5) == begin + ": weight decay must be finite and at least 0, got -0.5");
    CHECK(refusal({{"p", p}}, infinity) == begin + ": weight decay must be finite and at least 0, got inf");
    CHECK(refusal({{"p", p}, {"p", q}}, 0) == begin + ": two parameters are named 'p'");
    CHECK(refusal({{"p", p}, {"q", p}}, 0) == begin + ": 'p' and 'q' are one parameter");
    CHECK(refusal({{"p", p}, {"q", Variable()}}, 0) == begin + ": the parameter 'q' is undefined");
    CHECK(refusal({}, 0) == begin + ": expected at least one parameter");
    CHECK(refusal({{"p", p}, {"w", q * q}}, 0) ==
          begin + ": expected leaves, the parameter 'w' is the result of multiply");
    const Variable walked = q * q;
    walked.backward(ones({2}));
    CHECK(contains(refusal({{"w", walked}}, 0), "expected leaves"));
    CHECK(refusal({{"frozen", Variable(ones({2}))}}, 0) == "");
    // What is infinite as a float is so in the float library alone.
    CHECK((refusal({{"p", p}}, 1e300) == "") == (sizeof(Scalar) == 8));
    CHECK((error_of([&] { make(kind, {{"p", p}})->step(1e300); }) == "") == (sizeof(Scalar) == 8));
    for (const double lr : {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()})
      CHECK(starts_with(error_of([&] {
                          make(kind, {{"p", p}})->step(lr);
                        }),
                        begin + ": the learning rate must be finite and at least 0"));
    CHECK(error_of([&] {
            make(kind, {{"p", p}})->step(-1);
          }) == begin + ": the learning rate must be finite and at least 0, got -1");
  }
}

TEST_CASE("optimizer: a gradient of another shape is refused, and no parameter moves") {
  for (const std::size_t k : {0, 1, 2})
    for (const Shape& shape : {Shape{3}, Shape{2, 1}, Shape{1}, Shape{}, Shape{0}}) {
      Variable p(ones({3, 2}), true), q(ones({2}), true);
      const auto optimizer = make(all_kinds[k], {{"p", p}, {"q", q}});
      set_grad(p, ones({3, 2}));
      set_grad(q, ones({2}));
      q.mutable_grad() = ones(shape);
      CHECK(error_of([&] { optimizer->step(0.1); }) ==
            std::string("ShapeError: ") + names[k] + ": expected a gradient of shape (2) for the parameter 'q', got " +
                to_string(shape));
      CHECK(identical(p.value(), ones({3, 2})));
      CHECK(optimizer->state_dict().tensors.begin()->second.shape() == Shape{0});  // nor has a state begun
      set_grad(q, ones({2}));
      optimizer->step(0.1);
      CHECK(p.value() != ones({3, 2}));
      CHECK(q.value() != ones({2}));
    }
}

TEST_CASE("optimizer: a parameter or a state that was given another shape is refused, and nothing moves") {
  for (const std::size_t k : {0, 1, 2}) {
    Variable first(ones({3}), true), p(ones({2}), true);
    const auto optimizer = make(all_kinds[k], {{"first", first}, {"p", p}});
    set_grad(first, full({3}, 7));
    set_grad(p, full({2}, 7));
    optimizer->step(0.1);
    const Tensor before = first.value(), own = p.value();
    const SafeTensors state = optimizer->state_dict();
    const auto refusal = [&] { return error_of([&] { optimizer->step(0.1); }); };

    p.mutable_value() = ones({100'000});
    CHECK(refusal() ==
          std::string("ShapeError: ") + names[k] +
              ": 'leaf' was recorded with shape (2), but mutable_value() gave it an array of shape (100000); "
              "make a new Variable");
    SafeTensors other = state;
    for (auto& [key, array] : other.tensors)
      if (key.back() == 'p') array = zeros({100'000});
    optimizer->load_state_dict(other);
    p.mutable_value() = own;
    CHECK(refusal() ==
          std::string("ShapeError: ") + names[k] + ": the state of 'p' has shape (100000), the parameter (2)");
    CHECK(identical(first.value(), before));
    optimizer->load_state_dict(state);
    CHECK(refusal() == "");
    CHECK(!identical(first.value(), before));
  }
}
