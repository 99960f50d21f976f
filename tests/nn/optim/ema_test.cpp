#include "nn/optim/ema.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/linear.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

class Net : public Module {
 public:
  explicit Net(std::uint64_t seed) {
    Generator generator(seed);
    linear_ = &add_module("linear", std::make_unique<Linear>(3, 4, generator));
    norm_ = &add_module("norm", std::make_unique<BatchNorm>(4));
  }
  Variable forward(const Variable& x) override { return (*norm_)((*linear_)(x)); }

 private:
  Module *linear_, *norm_;
};

/// Changes every parameter, buffer and counter.
void change(Net& net, std::uint64_t seed) {
  for (Variable& parameter : net.parameters()) parameter.mutable_value() = normal(parameter.shape(), seed++);
  net(Variable(normal({5, 3}, seed)));
}

bool same_tensors(const SafeTensors& a, const SafeTensors& b) {
  bool same = a.tensors.size() == b.tensors.size();
  for (const auto& [name, tensor] : a.tensors) same = same && identical(tensor, b.tensors.at(name));
  return same;
}

}  // namespace

TEST_CASE("ema: the average of parameters and running statistics, from the formula; counters are the module's") {
  Net net(1);
  Ema ema(net);
  SafeTensors expected = net.state_dict();
  CHECK(same_tensors(ema.state_dict(), expected));
  CHECK(expected.tensors.size() == 6);
  std::uint64_t seed = 10;
  for (const double decay : {0.5, 0.9, 0.0, 0.99}) {
    change(net, seed += 10);
    ema.update(decay);
    for (auto& [name, average] : expected.tensors) {
      const Tensor value = net.state_dict().tensors.at(name);
      for (std::size_t i = 0; i < average.size(); ++i)
        average.data()[i] = static_cast<Scalar>(decay * static_cast<double>(average.data()[i]) +
                                                (1 - decay) * static_cast<double>(value.data()[i]));
      CHECK(max_error(ema.state_dict().tensors.at(name), average) < (sizeof(Scalar) == 8 ? 1e-14 : 1e-6));
    }
  }
  CHECK(ema.state_dict().integers.at("norm.num_batches_tracked").item() == 4);
}

TEST_CASE("ema: the averaged weights are in the module as long as the guard lives") {
  Net net(1);
  Ema ema(net);
  change(net, 20);
  ema.update(0.7);
  const SafeTensors own = net.state_dict(), average = ema.state_dict();
  REQUIRE(!same_tensors(own, average));
  Net other(2);
  other.load_state_dict(average);
  other.eval();
  const Tensor x = normal({5, 3}, 3), expected = other(Variable(x)).value();
  const Scalar* const before = net.parameters()[0].value().data();
  {
    const AveragedWeights averaged(ema);
    const EvaluationMode mode(net);
    CHECK(same_tensors(net.state_dict(), average));
    CHECK(identical(net(Variable(x)).value(), expected));

    const std::string held = ": the average is in the module, where AveragedWeights has put it";
    CHECK(error_of([&] { ema.update(0.5); }) == "ValueError: ema: update" + held);
    CHECK(error_of([&] { ema.state_dict(); }) == "ValueError: ema: state_dict" + held);
    CHECK(error_of([&] { ema.load_state_dict(average); }) == "ValueError: ema: load_state_dict" + held);
    CHECK(error_of([&] { const AveragedWeights again(ema); }) == "ValueError: averaged weights" + held);
    CHECK(same_tensors(net.state_dict(), average));
  }
  CHECK(same_tensors(net.state_dict(), own));
  CHECK(same_tensors(ema.state_dict(), average));
  CHECK(net.parameters()[0].value().data() == before);
  try {
    const AveragedWeights averaged(ema);
    throw 1;
  } catch (int) {
  }
  CHECK(same_tensors(net.state_dict(), own));
  ema.update(0.5);
  CHECK(!same_tensors(ema.state_dict(), average));
}

TEST_CASE("ema: a graph recorded before the weights were exchanged refuses to run backward") {
  Net net(1);
  Ema ema(net);
  const Variable loss = sum(square(net(Variable(normal({5, 3}, 3), true))));
  { const AveragedWeights averaged(ema); }
  CHECK(contains(error_of([&] { loss.backward(); }), "was modified after the operation ran"));
}

TEST_CASE("ema: its state is loaded, or refused whole") {
  Net net(1);
  Ema first(net), second(net);
  change(net, 20);
  first.update(0.7);
  second.load_state_dict(first.state_dict());
  CHECK(same_tensors(second.state_dict(), first.state_dict()));
  change(net, 30);
  first.update(0.7);
  second.update(0.7);
  CHECK(same_tensors(second.state_dict(), first.state_dict()));

  SafeTensors wrong = first.state_dict();
  wrong.tensors.at("linear.weight") = zeros({4, 3});
  wrong.tensors.erase("linear.bias");
  CHECK(error_of([&] { second.load_state_dict(wrong); }) ==
        "ValueError: ema: the state does not fit; missing: linear.bias");
  wrong.tensors["linear.bias"] = zeros({5});
  CHECK(error_of([&] { second.load_state_dict(wrong); }) ==
        "ValueError: ema: the state does not fit; of another shape: linear.bias (expected (4), got (5))");
  CHECK(same_tensors(second.state_dict(), first.state_dict()));
}

TEST_CASE("ema: a decay outside [0, 1) is refused") {
  Net net(1);
  Ema ema(net);
  const auto refusal = [&](double decay) { return error_of([&] { ema.update(decay); }); };
  CHECK(refusal(1) == "ValueError: ema: the decay must be within [0, 1), got 1");
  CHECK(refusal(-0.1) == "ValueError: ema: the decay must be within [0, 1), got -0.1");
  CHECK(refusal(std::nan("")) == "ValueError: ema: the decay must be within [0, 1), got nan");
}

TEST_CASE("ema: parameters and buffers of other shapes than their averages are refused, and nothing changes") {
  Net net(1);
  Ema ema(net);
  change(net, 3);
  const SafeTensors before = ema.state_dict();
  const auto check = [&](const std::string& shapes) {
    CHECK(error_of([&] { ema.update(0.9); }) == "ShapeError: ema: update: " + shapes);
    CHECK(error_of([&] { const AveragedWeights averaged(ema); }) == "ShapeError: averaged weights: " + shapes);
    CHECK(same_tensors(ema.state_dict(), before));
  };
  Variable weight = net.parameters()[0];
  const Tensor own = weight.value();
  weight.mutable_value() = ones({1});
  check("'linear.weight' has shape (1) now, its average (4, 3)");
  weight.mutable_value() = own;
  for (const auto& [name, buffer] : net.named_buffers())
    if (name == "norm.running_var") *buffer = ones({2});
  check("'norm.running_var' has shape (2) now, its average (4)");

  class Growing : public Module {
   public:
    Variable forward(const Variable& x) override { return x; }
    void grow(const std::string& name) { add_parameter(name, ones({2})); }
  } growing;
  growing.grow("a");
  Ema of_one(growing);
  growing.grow("b");
  CHECK(error_of([&] { of_one.update(0.9); }) == "ShapeError: ema: update: 'b' has shape (2) now, its average none");
}
