#include "nn/summary.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/models/resnet.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

/// (N, H, W, 3) -> (N, 6): a convolution, a norm that is called twice, a layer that is not called, a linear layer.
class Net : public Module {
 public:
  explicit Net(Generator& g)
      : conv_(add_module("conv", std::make_unique<Conv2d>(3, 4, 5, Conv2dOptions{2, 1, true}, g))),
        norm_(add_module("bn", std::make_unique<BatchNorm>(4))),
        head_(add_module("head", std::make_unique<Linear>(4, 6, g))),
        scale_(add_parameter("scale", ones({6}))) {
    add_module("spare", std::make_unique<Linear>(2, 2, g));
  }
  Variable forward(const Variable& x) override {
    if (on_forward) on_forward(x);
    return head_(global_avg_pool2d(relu(norm_(norm_(conv_(x)))))) * scale_;
  }
  std::function<void(const Variable&)> on_forward;

 private:
  Conv2d& conv_;
  BatchNorm& norm_;
  Linear& head_;
  Variable scale_;
};

/// Returns what its submodule returns.
class Wrapper : public Module {
 public:
  explicit Wrapper(Generator& g) : inner_(add_module("inner", std::make_unique<Linear>(3, 2, g))) {}
  Variable forward(const Variable& x) override { return inner_(x); }

 private:
  Linear& inner_;
};

/// Returns its argument.
class Identity : public Module {
 public:
  Variable forward(const Variable& x) override { return x; }
};

}  // namespace

TEST_CASE("summary: rows and totals, by hand") {
  Generator g(1);
  Net net(g);
  const Summary found = summary(net, {2, 9, 12, 3});  // conv: OH = (9 + 2 − 5)/2 + 1 = 4, OW = (12 + 2 − 5)/2 + 1 = 5
  const std::size_t map = 2 * 4 * 5 * 4, s = sizeof(Scalar);
  REQUIRE(found.rows.size() == 5);
  const auto check = [&](std::size_t i, const char* path, const char* type, const Shape& output, std::size_t calls,
                         std::size_t parameters, std::size_t multiply_adds, std::size_t bytes) {
    const SummaryRow& row = found.rows[i];
    CAPTURE(i);
    CHECK(row.path == path);
    CHECK(row.type == type);
    CHECK(row.output == output);
    CHECK(row.calls == calls);
    CHECK(row.parameters == parameters);
    CHECK(row.multiply_adds == multiply_adds);
    CHECK(row.activation_bytes == bytes);
  };
  check(0, "", "Net", {2, 6}, 1, 6, 0, 2 * 6 * s);
  check(1, "conv", "Conv2d", {2, 4, 5, 4}, 1, 4 * 5 * 5 * 3 + 4, map * 5 * 5 * 3, map * s);
  check(2, "bn", "BatchNorm", {2, 4, 5, 4}, 2, 8, 0, 2 * map * s);
  check(3, "head", "Linear", {2, 6}, 1, 30, 2 * 4 * 6, 2 * 6 * s);
  check(4, "spare", "Linear", {}, 0, 6, 0, 0);
  CHECK(found.parameters == net.parameter_count());
  CHECK(found.parameters == 6 + 304 + 8 + 30 + 6);
  CHECK(found.multiply_adds == 160 * 75 + 48);
  CHECK(found.activation_bytes == (3 * map + 12 + 12) * s);
}

TEST_CASE("summary: an array that passes through several modules is counted once, where it was made") {
  Generator g(1);
  Wrapper wrapper(g);
  const Summary found = summary(wrapper, {4, 3});
  CHECK(found.rows[0].output == Shape{4, 2});
  CHECK(found.rows[0].activation_bytes == 0);
  CHECK(found.rows[1].activation_bytes == 8 * sizeof(Scalar));
  CHECK(found.activation_bytes == 8 * sizeof(Scalar));
  Identity identity;
  CHECK(summary(identity, {4, 3}).activation_bytes == 0);  // the input is nobody's
}

TEST_CASE("summary: the text") {
  Generator g(1);
  Net net(g);
  CHECK(summary(net, {2, 9, 12, 3}).text() ==
        "module  type       output            parameters  multiply-adds  activations\n"
        "(all)   Net        (2, 6)                     6              -         96 B\n"
        "conv    Conv2d     (2, 4, 5, 4)             304         12,000      1.2 KiB\n"
        "bn      BatchNorm  2 x (2, 4, 5, 4)           8              -      2.5 KiB\n"
        "head    Linear     (2, 6)                    30             48         96 B\n"
        "spare   Linear     not called                 6              -            -\n"
        "total                                       354         12,048      3.9 KiB\n"
        "A module's numbers are without its submodules'. Multiply-adds are those of convolutions and linear layers; "
        "norms,\nactivations and biases count 0. Activations are the arrays that modules return.\n");
  Identity identity;
  CHECK(contains(summary(identity, {0, 3}).text(), "(all)   Identity  (0, 3)           -              -            -"));
  Summary large;
  large.parameters = 999;
  large.multiply_adds = 1000;
  large.activation_bytes = std::size_t{5} << 20;
  CHECK(contains(large.text(), " 999          1,000      5.0 MiB\n"));
  large.parameters = 123456789;
  large.activation_bytes = std::size_t{3} << 49;
  CHECK(contains(large.text(), " 123,456,789          1,000   1536.0 TiB\n"));
}

TEST_CASE("summary: nothing is left behind, also when the forward throws") {
  Generator g(1);
  Net net(g);
  net.named_modules()[2].second->eval();
  const SafeTensors before = net.state_dict();
  std::size_t forwards = 0;
  net.on_forward = [&](const Variable& x) {
    ++forwards;
    CHECK(!recording());
    for (const auto& [path, module] : net.named_modules()) CHECK(!module->is_training());
    CHECK(x.shape() == Shape{2, 9, 12, 3});
    CHECK(largest(x.value()) == 0);
  };
  const auto check_unchanged = [&] {
    const SafeTensors after = net.state_dict();
    CHECK(after.tensors == before.tensors);
    CHECK(after.integers == before.integers);
    const auto modules = net.named_modules();
    for (std::size_t i = 0; i < modules.size(); ++i) {
      CHECK(modules[i].second->is_training() == (i != 2));
      // A new hook's number tells how many were added, and this one is the only one there: number 0 … are gone.
      const std::size_t id = modules[i].second->add_forward_hook([](Module&, const Variable&, const Variable&) {});
      for (std::size_t old = 0; old < id; ++old)
        CHECK_THROWS_AS(modules[i].second->remove_forward_hook(old), ValueError);
      modules[i].second->remove_forward_hook(id);
    }
    CHECK(recording());
  };
  summary(net, {2, 9, 12, 3});
  CHECK(forwards == 1);
  check_unchanged();

  net.on_forward = [](const Variable&) { throw std::runtime_error("forward's own"); };
  CHECK_THROWS_WITH_AS(summary(net, {2, 9, 12, 3}), "forward's own", std::runtime_error);
  check_unchanged();
  net.on_forward = nullptr;
  CHECK_THROWS_AS(summary(net, {2, 9, 12, 5}), ShapeError);  // the convolution's own error
  check_unchanged();
}

// By hand, for one 32×32 image: a 3×3 convolution from I to O channels onto S×S places takes S·S·O·9·I multiply-adds
// and has O·9·I weights, a batch norm 2·O.
TEST_CASE("summary: ResNet-20 has 269,722 parameters and 40,551,040 multiply-adds") {
  Generator g(1);
  CifarResNet net(ResNetOptions{}, g);
  const Summary found = summary(net, {1, 32, 32, 3});
  const std::size_t stem = 16 * 9 * 3 + 2 * 16;
  const std::size_t stage1 = 6 * (16 * 9 * 16 + 2 * 16);
  const std::size_t stage2 = 32 * 9 * 16 + 5 * (32 * 9 * 32) + 6 * (2 * 32);
  const std::size_t stage3 = 64 * 9 * 32 + 5 * (64 * 9 * 64) + 6 * (2 * 64);
  CHECK(stem + stage1 + stage2 + stage3 + (10 * 64 + 10) == 269722);
  CHECK(found.parameters == 269722);

  const std::size_t large = 32 * 32 * 16 * 9, middle = 16 * 16 * 32 * 9, small = 8 * 8 * 64 * 9;  // per input channel
  const std::size_t by_hand =
      large * 3 + 6 * large * 16 + middle * 16 + 5 * middle * 32 + small * 32 + 5 * small * 64 + 10 * 64;
  CHECK(by_hand == 40551040);
  CHECK(found.multiply_adds == by_hand);
  CHECK(summary(net, {3, 32, 32, 3}).multiply_adds == 3 * by_hand);

  // Convolution and norm at 7 places each in stage 1 with the stem, 6 in the others; the block's own result once a
  // block; the linear layer's. The stages and the network return what their last part returned.
  const std::size_t numbers = 32 * 32 * 16 * (2 * 7 + 3) + (16 * 16 * 32 + 8 * 8 * 64) * (2 * 6 + 3) + 10;
  CHECK(found.activation_bytes == numbers * sizeof(Scalar));
  const auto row = [&](const std::string& path) {
    for (const SummaryRow& r : found.rows)
      if (r.path == path) return r;
    throw std::runtime_error("no row " + path);
  };
  CHECK(row("layer2.0.conv1").output == Shape{1, 16, 16, 32});
  CHECK(row("layer2.0.conv1").multiply_adds == 1179648);
  CHECK(row("layer2.0").type == "BasicBlock");
  CHECK(row("layer2").activation_bytes == 0);
  CHECK(row("linear").multiply_adds == 640);
  CHECK(contains(found.text(), "40,551,040"));
  CHECK(contains(found.text(), "269,722"));
}
