#include "nn/module.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/models/resnet.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/create.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

/// y = bn(conv(x))·scale: x (N, H, W, 3) -> (N, H, W, 2).
class Net : public Module {
 public:
  explicit Net(Generator& g)
      : scale_(add_parameter("scale", ones({2}))),
        conv_(add_module("conv", std::make_unique<Conv2d>(3, 2, 3, Conv2dOptions{1, 1, false}, g))),
        norm_(add_module("bn", std::make_unique<BatchNorm>(2))) {}
  Variable forward(const Variable& x) override { return norm_(conv_(x)) * scale_; }

 private:
  Variable scale_;
  Conv2d& conv_;
  BatchNorm& norm_;
};

/// A layer made of a function.
class Layer : public Module {
 public:
  explicit Layer(std::function<Variable(const Variable&)> f) : f_(std::move(f)) {}
  Variable forward(const Variable& x) override { return f_(x); }

 private:
  std::function<Variable(const Variable&)> f_;
};

/// Its submodules one after the other. What it adds is up to the test.
class Chain : public Module {
 public:
  using Module::add_buffer;
  using Module::add_counter;
  using Module::add_module;
  using Module::add_parameter;
  Variable forward(const Variable& x) override {
    Variable h = x;
    for (Module* step : steps) h = (*step)(h);
    return h;
  }
  template <class M>
  M& then(const std::string& name, std::unique_ptr<M> module) {
    M& added = add_module(name, std::move(module));
    steps.push_back(&added);
    return added;
  }

  std::vector<Module*> steps;
};

template <class M>
constexpr bool is_fixed = !std::is_copy_constructible_v<M> && !std::is_move_constructible_v<M> &&
                          !std::is_copy_assignable_v<M> && !std::is_move_assignable_v<M>;
static_assert(is_fixed<Module> && is_fixed<Net> && is_fixed<Linear> && is_fixed<Conv2d> && is_fixed<BatchNorm> &&
              is_fixed<LayerNorm> && is_fixed<InstanceNorm> && is_fixed<GroupNorm> && is_fixed<CifarResNet>);

std::uint64_t newest_serial() { return Variable(zeros({})).node()->serial; }

}  // namespace

TEST_CASE("module: parameters, buffers and modules have their paths") {
  Generator g(1);
  Net net(g);
  std::vector<std::string> names;
  for (const auto& [path, parameter] : net.named_parameters()) {
    names.push_back(path);
    CHECK(parameter.requires_grad());
  }
  CHECK(names == std::vector<std::string>{"scale", "conv.weight", "bn.weight", "bn.bias"});
  CHECK(net.parameter_count() == 2 + 2 * 3 * 3 * 3 + 2 + 2);
  CHECK(net.own_parameters().size() == 1);
  CHECK(net.own_parameters()[0].first == "scale");
  CHECK(net.named_modules().size() == 3);
  CHECK(net.named_modules()[2].first == "bn");
  CHECK(net.named_modules()[2].second->type_name() == "BatchNorm");
  const Net& constant = net;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(constant.named_modules()[i].first == net.named_modules()[i].first);
    CHECK(constant.named_modules()[i].second == net.named_modules()[i].second);
  }

  const auto buffers = net.named_buffers();
  REQUIRE(buffers.size() == 2);
  CHECK(buffers[0].first == "bn.running_mean");
  CHECK(buffers[1].first == "bn.running_var");
  buffers[1].second->data()[1] = 7;  // the buffer itself
  CHECK(net.state_dict().tensors.at("bn.running_var").data()[1] == 7);
}

TEST_CASE("module: a name is new, and has no dot or slash") {
  Chain net;
  net.add_parameter("a", ones({1}));
  net.add_buffer("b", ones({1}));
  net.add_counter("c");
  net.then("d", std::make_unique<BatchNorm>(2));
  for (const char* taken : {"a", "b", "c", "d"}) {
    CHECK(error_of([&] { net.add_parameter(taken, ones({1})); }) ==
          std::string("ValueError: add_parameter: Chain already has a '") + taken + "'");
    CHECK(error_of([&] { net.add_buffer(taken, ones({1})); }) ==
          std::string("ValueError: add_buffer: Chain already has a '") + taken + "'");
    CHECK(error_of([&] { net.add_counter(taken); }) ==
          std::string("ValueError: add_counter: Chain already has a '") + taken + "'");
    CHECK(error_of([&] { net.add_module(taken, std::make_unique<BatchNorm>(2)); }) ==
          std::string("ValueError: add_module: Chain already has a '") + taken + "'");
  }
  for (const char* bad : {"", "x.y", ".", "x/y"}) {
    const std::string rest =
        std::string(": expected a name that is not empty and has no dot or slash, got '") + bad + "'";
    CHECK(error_of([&] { net.add_parameter(bad, ones({1})); }) == "ValueError: add_parameter" + rest);
    CHECK(error_of([&] { net.add_buffer(bad, ones({1})); }) == "ValueError: add_buffer" + rest);
    CHECK(error_of([&] { net.add_counter(bad); }) == "ValueError: add_counter" + rest);
    CHECK(error_of([&] { net.add_module(bad, std::make_unique<BatchNorm>(2)); }) == "ValueError: add_module" + rest);
  }
  CHECK(error_of([&] { net.add_module("e", std::unique_ptr<Linear>()); }) == "ValueError: add_module: 'e' is null");
  CHECK(net.named_modules().size() == 2);
  CHECK(net.state_dict().tensors.size() == 2 + 4);
  CHECK(net.state_dict().integers.size() == 1 + 1);
}

TEST_CASE("module: modes and gradients reach all submodules") {
  Generator g(1);
  Net net(g);
  net.eval();
  for (const auto& [path, module] : net.named_modules()) CHECK(!module->is_training());
  net.train();
  for (const auto& [path, module] : net.named_modules()) CHECK(module->is_training());
  sum(square(net(Variable(random_normal({2, 4, 4, 3}, g))))).backward();
  for (const Variable& p : net.parameters()) CHECK(p.has_grad());
  net.zero_grad();
  for (const Variable& p : net.parameters()) CHECK(!p.has_grad());
}

TEST_CASE("module: EvaluationMode gives each module its mode back") {
  Generator g(1);
  Net net(g);
  net.named_modules()[2].second->eval();
  try {
    const EvaluationMode mode(net);
    for (const auto& [path, module] : net.named_modules()) CHECK(!module->is_training());
    throw std::runtime_error("");
  } catch (const std::runtime_error&) {
  }
  CHECK(net.is_training());
  CHECK(net.named_modules()[1].second->is_training());
  CHECK(!net.named_modules()[2].second->is_training());
}

TEST_CASE("module: apply reaches everything, submodules before their module") {
  Generator g(1);
  Chain outer;
  outer.then("first", std::make_unique<Net>(g));
  outer.then("second", std::make_unique<BatchNorm>(2));
  std::vector<std::string> order;
  outer.apply([&](Module& module) { order.push_back(module.type_name()); });
  CHECK(order == std::vector<std::string>{"Conv2d", "BatchNorm", "Net", "BatchNorm", "Chain"});
  outer.apply([](Module& module) {
    if (dynamic_cast<BatchNorm*>(&module) == nullptr) return;
    for (auto [name, parameter] : module.own_parameters())
      if (name == "weight") parameter.mutable_value() = zeros(parameter.shape());
  });
  CHECK(largest(outer.state_dict().tensors.at("first.bn.weight")) == 0);
  CHECK(largest(outer.state_dict().tensors.at("second.weight")) == 0);
  CHECK(largest(outer.state_dict().tensors.at("first.conv.weight")) > 0);
}

TEST_CASE("module: forward hooks see every call, in order, until they are removed") {
  Generator g(1);
  Net net(g);
  Module& conv = *net.named_modules()[1].second;
  const Variable x(normal({2, 4, 5, 3}, 1));
  std::vector<std::string> seen;
  Variable input, output;
  const std::size_t first = conv.add_forward_hook([&](Module& module, const Variable& in, const Variable& out) {
    CHECK(&module == &conv);
    seen.emplace_back("first");
    input = in;
    output = out;
  });
  const std::size_t second =
      conv.add_forward_hook([&](Module&, const Variable&, const Variable&) { seen.emplace_back("second"); });
  std::size_t once = 0;
  once = net.add_forward_hook([&](Module& module, const Variable&, const Variable&) {
    seen.emplace_back("once");
    module.remove_forward_hook(once);
  });
  const Variable y = net(x);
  CHECK(seen == std::vector<std::string>{"first", "second", "once"});
  CHECK(input.storage() == x.storage());
  CHECK(output.shape() == Shape{2, 4, 5, 2});
  CHECK(output.requires_grad());  // on the tape: its gradient can be hooked
  bool reached = false;
  output.register_hook([&](const Variable&) {
    reached = true;
    return Variable();
  });
  sum(square(y)).backward();
  CHECK(reached);

  seen.clear();
  conv.remove_forward_hook(first);
  net(x);
  CHECK(seen == std::vector<std::string>{"second"});
  conv.remove_forward_hook(second);
  net(x);
  CHECK(seen.size() == 1);
  for (const std::size_t gone : {first, second, std::size_t{9}})
    CHECK(error_of([&] { conv.remove_forward_hook(gone); }) ==
          fmt::format("ValueError: remove_forward_hook: there is no hook {} on this module", gone));
  CHECK(conv.add_forward_hook([](Module&, const Variable&, const Variable&) {}) == 2);  // numbers do not come again

  net.add_forward_hook([](Module&, const Variable&, const Variable&) { throw std::runtime_error("a hook's own"); });
  CHECK_THROWS_WITH_AS(net(x), "a hook's own", std::runtime_error);
  CHECK(Scope::path().empty());
}

TEST_CASE("module: DetectAnomaly names the module, the operation and its number") {
  Chain net;
  Chain& stage = net.then("stage", std::make_unique<Chain>());
  stage.then("0", std::make_unique<Layer>([](const Variable& x) { return x * Scalar{2}; }));
  stage.then("1", std::make_unique<Layer>([](const Variable& x) {
               CHECK(Scope::path() == "stage.1");
               return log(x);
             }));
  net.then("root", std::make_unique<Layer>([](const Variable& x) { return sqrt(x); }));
  CHECK(Scope::path().empty());

  const Variable zero(tensor({1, 0, 1}, {3}), true), one(tensor({3, 0.5, 4}, {3}), true);
  const Variable infinite = zero;
  {
    const DetectAnomaly on;
    std::uint64_t before = newest_serial();
    CHECK(error_of([&] { net(infinite); }) ==
          fmt::format("ValueError: DetectAnomaly: the value of log (operation {}, in stage.1) is -inf at (1) of shape "
                      "(3)",
                      before + 2));
    {
      const NoGrad off_the_tape;
      CHECK(error_of([&] { net(infinite); }) ==
            "ValueError: DetectAnomaly: the value of log (not recorded, in stage.1) is -inf at (1) of shape (3)");
    }
    CHECK(Scope::path().empty());  // also after the error

    before = newest_serial();
    const Variable y = net(one);  // log(2·0.5) = 0: sqrt's value is finite there, and its slope is not
    CHECK(y.value().data()[1] == 0);
    CHECK(error_of([&] { y.backward(ones({3})); }) ==
          fmt::format("ValueError: DetectAnomaly: the gradient of input 0 of sqrt (operation {}, in root) is inf at "
                      "(1) of shape (3)",
                      before + 3));
  }
  CHECK(!std::isfinite(largest(log(infinite).value())));  // off: nothing is thrown
  net(one).backward(ones({3}));
  CHECK(std::isinf(one.grad().data()[1]));
}

TEST_CASE("module: a negative number under a logarithm, found in the middle of a network") {
  Generator g(1);
  ResNetOptions options;
  options.depth = 8;
  options.width = 4;
  CifarResNet net(options, g);
  const Variable x(normal({2, 8, 12, 3}, 1));
  Module* const norm = net.named_modules()[8].second;
  REQUIRE(net.named_modules()[8].first == "layer1.0.bn2");
  const std::size_t hook =
      norm->add_forward_hook([](Module&, const Variable&, const Variable& y) { log(y + Scalar{-1e6}); });
  net(x);
  const DetectAnomaly on;
  const std::string error = error_of([&] { net(x); });
  CHECK(starts_with(error, "ValueError: DetectAnomaly: the value of log (operation "));
  CHECK(contains(error, ", in layer1.0.bn2) is "));
  CHECK(contains(error, "nan at (0, 0, 0, 0) of shape (2, 8, 12, 4)"));
  norm->remove_forward_hook(hook);
  net(x);  // finite, and nothing is thrown
}

TEST_CASE("module: a state goes out and in") {
  Generator g(1);
  Net a(g), b(g);
  const Variable x(random_normal({2, 4, 4, 3}, g));
  a(x);  // moves the running statistics
  const LoadReport report = b.load_state_dict(a.state_dict());
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  a.eval();
  b.eval();
  CHECK(a(x).value() == b(x).value());
  CHECK(b.state_dict().integers.at("bn.num_batches_tracked").item() == 1);
}

TEST_CASE("module: a state that does not fit is refused whole, and says why") {
  Generator g(1);
  Net net(g);
  SafeTensors state = net.state_dict();
  const Tensor before = state.tensors.at("conv.weight");
  state.tensors["conv.weight"] = zeros(before.shape());
  state.tensors.erase("bn.bias");
  state.tensors["bn.extra"] = ones({1});
  state.integers["step"] = Indices(Shape{}, 3);
  state.tensors["scale"] = ones({3});
  const Variable y = sum(square(net.parameters()[1]));
  CHECK_THROWS_WITH_AS(net.load_state_dict(state),
                       "load_state_dict: the state does not fit; missing: bn.bias; unexpected: bn.extra, step; of "
                       "another shape: scale (expected (2), got (3))",
                       ValueError);
  CHECK(net.state_dict().tensors.at("conv.weight") == before);
  y.backward();  // nothing was touched: what was saved for the backward is what it was
  CHECK_THROWS_WITH_AS(net.load_state_dict(state, false),  // as in PyTorch, shapes must fit in any case
                       "load_state_dict: the state does not fit; missing: bn.bias; unexpected: bn.extra, step; of "
                       "another shape: scale (expected (2), got (3))",
                       ValueError);
  CHECK(net.state_dict().tensors.at("conv.weight") == before);
  state.integers["bn.num_batches_tracked"] = Indices(Shape{1}, 3);
  state.tensors["scale"] = ones({2});
  CHECK_THROWS_WITH_AS(net.load_state_dict(state, false),
                       "load_state_dict: the state does not fit; missing: bn.bias; unexpected: bn.extra, step; of "
                       "another shape: bn.num_batches_tracked (expected (), got (1))",
                       ValueError);
}

TEST_CASE("module: integers for numbers and numbers for integers are refused") {
  Generator g(1);
  Net net(g);
  SafeTensors state = net.state_dict();
  state.integers.erase("bn.num_batches_tracked");
  state.tensors["bn.num_batches_tracked"] = zeros({});
  state.tensors.erase("scale");
  state.integers["scale"] = Indices(Shape{2}, 3);
  for (const bool strict : {true, false})
    CHECK_THROWS_WITH_AS(net.load_state_dict(state, strict),
                         "load_state_dict: the state does not fit; of another kind: bn.num_batches_tracked (expected "
                         "integers, got floating-point numbers), scale (expected floating-point numbers, got integers)",
                         ValueError);
  CHECK(net.state_dict().tensors.at("scale") == ones({2}));
}

TEST_CASE("module: lenient loading takes what fits and reports the rest") {
  Generator g(1);
  Net net(g);
  const SafeTensors before = net.state_dict();
  SafeTensors state = before;
  state.tensors["conv.weight"] = full({2, 3, 3, 3}, 5);
  state.tensors["bn.running_mean"] = full({2}, 6);
  state.integers["bn.num_batches_tracked"] = Indices(Shape{}, 7);
  state.tensors.erase("bn.weight");
  state.tensors.erase("scale");
  state.tensors["linear.weight"] = ones({2, 2});
  state.integers["epoch"] = Indices(Shape{}, 1);
  const LoadReport report = net.load_state_dict(state, false);
  CHECK(report.missing == std::vector<std::string>{"bn.weight", "scale"});
  CHECK(report.unexpected == std::vector<std::string>{"linear.weight", "epoch"});
  const SafeTensors after = net.state_dict();
  CHECK(after.tensors.at("conv.weight") == full({2, 3, 3, 3}, 5));
  CHECK(after.tensors.at("bn.running_mean") == full({2}, 6));
  CHECK(after.integers.at("bn.num_batches_tracked").item() == 7);
  for (const char* kept : {"scale", "bn.weight", "bn.bias", "bn.running_var"})
    CHECK(after.tensors.at(kept) == before.tensors.at(kept));
  CHECK(error_of([&] { net.load_state_dict(state); }) ==
        "ValueError: load_state_dict: the state does not fit; missing: bn.weight, scale; unexpected: linear.weight, "
        "epoch");
}

TEST_CASE("module: a linear layer's input is checked") {
  Generator g(1);
  Linear linear(4, 3, g);
  CHECK(linear(Variable(ones({2, 4}))).shape() == Shape{2, 3});
  CHECK_THROWS_WITH_AS(linear(Variable(ones({2, 5}))), "linear: expected x (N, 4), got (2, 5)", ShapeError);
}
