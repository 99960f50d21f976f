// Where the branches of a residual network start: zero_init_residual and fixup.

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/models/resnet.hpp"
#include "nn/optim/sgd.hpp"
#include "tensor/elementwise.hpp"
#include "tests/nn/models/networks.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

/// Random numbers for all parameters, so that no zero at the start hides anything.
void disturb(Module& network) {
  std::uint64_t seed = 100;
  for (Variable p : network.parameters()) p.mutable_value() = Scalar(0.3) * normal(p.shape(), ++seed);
}

/// The mean square of what a module of the network gives for x.
double mean_square_after(Module& network, const std::string& path, const Variable& x) {
  const NoGrad off;
  double result = 0;
  Module& module = at(network, path);
  const std::size_t hook =
      module.add_forward_hook([&](Module&, const Variable&, const Variable& y) { result = mean_square(y.value()); });
  network(x);
  module.remove_forward_hook(hook);
  return result;
}

}  // namespace

TEST_CASE("residual start: zero_init_residual makes every branch the identity at the start") {
  for (const NormKind norm : {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group})
    for (const std::size_t depth : {18, 50}) {
      CAPTURE(to_string(norm));
      CAPTURE(depth);
      Generator g(1);
      ImageNetResNetOptions options = small(depth, norm);
      ImageNetResNet without(options, g);
      options.zero_init_residual = true;
      ImageNetResNet net(options, g);
      const std::size_t channels = depth == 18 ? 4 : 16;
      const Variable x(normal({2, 5, 6, channels}, 2));
      const Tensor y = at(net, "layer1.1")(x).value(), z = at(net, "layer2.0")(x).value();
      CHECK(identical(y, relu(x).value()));
      CHECK(identical(z, relu(at(net, "layer2.0.shortcut")(x)).value()));
      CHECK(largest(z) > 0.1);
      CHECK(!identical(at(without, "layer1.1")(x).value(), y));
    }
  Generator g(1);
  ResNetOptions options;
  options.depth = 8;
  options.width = 4;
  options.groups = 2;
  options.zero_init_residual = true;
  CifarResNet cifar(options, g);
  const Variable x(normal({2, 5, 6, 4}, 2));
  CHECK(identical(at(cifar, "layer1.0")(x).value(), relu(x).value()));
}

TEST_CASE("residual start: fixup scales the branches, and starts their ends and the classifier at 0") {
  for (const std::size_t depth : {18, 50}) {
    Generator g(3), same(3);
    ImageNetResNetOptions options = small_fixup(depth);
    ImageNetResNet net(options, g);
    options.fixup = false;
    ImageNetResNet plain(options, same);
    // L = 8, m = 2: 8^(−1/2). L = 16, m = 3: 16^(−1/4) = 1/2.
    const double factor = depth == 18 ? 1 / std::sqrt(8.0) : 0.5;
    const std::string last = depth == 18 ? "conv2" : "conv3";
    std::size_t branches = 0, ends = 0;
    for (const auto& [path, value] : net.named_parameters()) {
      if (!contains(path, "conv")) continue;
      const Tensor &found = value.value(), before = parameter(plain, path).value();
      if (path == "conv1.weight") {
        CHECK(identical(found, before));
      } else if (contains(path, last)) {
        CHECK(largest(found) == 0);
        ++ends;
      } else {
        CHECK(max_error(found, before * static_cast<Scalar>(factor)) < 1e-14);
        ++branches;
      }
    }
    CHECK(ends == (depth == 18 ? 8 : 16));
    CHECK(branches == (depth == 18 ? 8 : 32));
    CHECK(identical(parameter(net, "layer2.0.shortcut.0.weight").value(),
                    parameter(plain, "layer2.0.shortcut.0.weight").value()));
    CHECK(largest(parameter(net, "linear.weight").value()) == 0);
    CHECK(largest(parameter(net, "linear.bias").value()) == 0);
    CHECK(!has(net, "conv1.bias"));
    CHECK(!has(net, "layer2.0.shortcut.0.bias"));
    for (const char* name :
         {"bias1", "bias2", "layer1.0.bias1a", "layer1.0.bias1b", "layer1.0.bias2a", "layer1.0.bias2b"}) {
      CHECK(parameter(net, name).shape() == Shape{1});
      CHECK(parameter(net, name).item() == 0);
    }
    CHECK(parameter(net, "layer1.0.scale").item() == 1);
  }
  Generator g(3);
  ResNetOptions options;  // L = 24, m = 2
  options.depth = 50;
  options.width = 4;
  options.norm = NormKind::None;
  CifarResNet plain(options, g);
  options.fixup = true;
  Generator again(3);
  CifarResNet net(options, again);
  CHECK(max_error(parameter(net, "layer3.7.conv1.weight").value(),
                  parameter(plain, "layer3.7.conv1.weight").value() * static_cast<Scalar>(1 / std::sqrt(24.0))) <
        1e-14);
  CHECK(largest(parameter(net, "layer3.7.conv2.weight").value()) == 0);
}

TEST_CASE("residual start: fixup's numbers stand where the paper puts them") {
  Generator g(3);
  ImageNetResNet net(small_fixup(18), g);
  disturb(net);
  const auto p = [&](const std::string& path) { return parameter(net, path); };
  const Variable x(normal({2, 8, 12, 3}, 1)), b(normal({2, 7, 5, 4}, 2));
  const auto branch = [&](const std::string& n, const Variable& in) {
    Variable h = relu(at(net, n + ".conv1")(in + p(n + ".bias1a")) + p(n + ".bias1b"));
    return at(net, n + ".conv2")(h + p(n + ".bias2a")) * p(n + ".scale") + p(n + ".bias2b");
  };
  CHECK(identical(at(net, "layer1.1")(b).value(), relu(branch("layer1.1", b) + b).value()));
  const Variable shortcut = at(net, "layer2.0.shortcut")(b + p("layer2.0.bias1a"));
  CHECK(identical(at(net, "layer2.0")(b).value(), relu(branch("layer2.0", b) + shortcut).value()));
  Variable h = relu(at(net, "conv1")(x) + p("bias1"));
  for (const char* stage : {"layer1", "layer2", "layer3", "layer4"}) h = at(net, stage)(h);
  const Variable y = net(x);
  CHECK(identical(y.value(), at(net, "linear")(global_avg_pool2d(h) + p("bias2")).value()));
  y.backward(normal(y.shape(), 3));
  for (const char* name : {"bias1", "bias2", "layer1.0.scale", "layer4.1.bias2a"}) CHECK(largest(p(name).grad()) > 0);
}

TEST_CASE("residual start: activations of depth 50 keep their order of magnitude with fixup, without they grow") {
  const Variable x(normal({2, 16, 16, 3}, 1));
  Generator g(3), same(3);
  ImageNetResNetOptions options = small_fixup(50);
  ImageNetResNet net(options, g);
  options.fixup = false;
  ImageNetResNet plain(options, same);
  // A stage costs a factor of 2 to 8 where a projection and its relu are; the 3 to 6 blocks cost nothing.
  double before = mean_square_after(net, "conv1", x);
  CHECK(before > 0.1);
  for (const char* stage : {"layer1", "layer2", "layer3", "layer4"}) {
    const double after = mean_square_after(net, stage, x);
    CHECK(after > 0.1 * before);
    CHECK(after < 2 * before);
    before = after;
  }
  CHECK(mean_square_after(plain, "layer4", x) > 1e4 * before);

  ResNetOptions small_images;  // option A's shortcuts keep the numbers as they are, in twice the channels
  small_images.depth = 50;
  small_images.width = 4;
  small_images.norm = NormKind::None;
  CifarResNet cifar_plain(small_images, g);
  small_images.fixup = true;
  CifarResNet cifar(small_images, g);
  CHECK(mean_square_after(cifar, "layer3", x) > 0.01);
  CHECK(mean_square_after(cifar, "layer3", x) < 10);
  CHECK(mean_square_after(cifar_plain, "layer3", x) > 1e3);
}

TEST_CASE("residual start: with fixup a network of depth 50 learns, from the loss of a guess on") {
  const Variable x(normal({2, 16, 16, 3}, 1));
  Generator g(3);
  ImageNetResNet net(small_fixup(50), g);
  Sgd sgd(net.parameters(), {0, 0, false});
  std::vector<double> losses;
  for (int step = 0; step < 20; ++step) {
    const Variable loss = cross_entropy(net(x), indices({3, 5}));
    losses.push_back(static_cast<double>(loss.item()));
    if (step > 0) CHECK(losses[losses.size() - 1] < losses[losses.size() - 2]);
    sgd.zero_grad();
    loss.backward();
    sgd.step(0.02);
  }
  CHECK(losses.front() == doctest::Approx(std::log(7.0)).epsilon(1e-12));
  CHECK(losses.back() < 0.5 * losses.front());
}
