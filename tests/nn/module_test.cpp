#include "nn/module.hpp"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tensor/create.hpp"

using namespace xtg;
using namespace xtg::nn;

namespace {

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

static_assert(!std::is_copy_constructible_v<Net> && !std::is_move_constructible_v<Net>);

}  // namespace

TEST_CASE("module: parameters and modules have their paths") {
  Generator g(1);
  Net net(g);
  std::vector<std::string> names;
  for (const auto& [path, parameter] : net.named_parameters()) {
    names.push_back(path);
    CHECK(parameter.requires_grad());
  }
  CHECK(names == std::vector<std::string>{"scale", "conv.weight", "bn.weight", "bn.bias"});
  CHECK(net.parameter_count() == 2 + 2 * 3 * 3 * 3 + 2 + 2);
  CHECK(net.named_modules().size() == 3);
  CHECK(net.named_modules()[2].first == "bn");
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

TEST_CASE("module: a state goes out and in") {
  Generator g(1);
  Net a(g), b(g);
  const Variable x(random_normal({2, 4, 4, 3}, g));
  a(x);  // moves the running statistics
  b.load_state_dict(a.state_dict());
  a.eval();
  b.eval();
  CHECK(a(x).value() == b(x).value());
  CHECK(b.state_dict().integers.at("bn.num_batches_tracked").data()[0] == 1);
}

TEST_CASE("module: a state that does not fit is refused whole, and says why") {
  Generator g(1);
  Net net(g);
  SafeTensors state = net.state_dict();
  const Tensor before = state.tensors.at("conv.weight");
  state.tensors["conv.weight"] = zeros(before.shape());
  state.tensors.erase("bn.bias");
  state.tensors["bn.extra"] = ones({1});
  state.tensors["scale"] = ones({3});
  CHECK_THROWS_WITH_AS(net.load_state_dict(state),
                       "load_state_dict: the state does not fit; missing: bn.bias; unexpected: bn.extra; of another "
                       "shape: scale (expected (2), got (3))",
                       ValueError);
  CHECK(net.state_dict().tensors.at("conv.weight") == before);
}

TEST_CASE("module: a linear layer's input is checked") {
  Generator g(1);
  Linear linear(4, 3, g);
  CHECK(linear(Variable(ones({2, 4}))).shape() == Shape{2, 3});
  CHECK_THROWS_WITH_AS(linear(Variable(ones({2, 5}))), "linear: expected x (N, 4), got (2, 5)", ShapeError);
}
