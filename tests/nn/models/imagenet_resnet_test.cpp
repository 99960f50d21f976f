// ImageNetResNet: what it is made of. How it starts is tested in residual_start_test.cpp.

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/models/resnet.hpp"
#include "nn/summary.hpp"
#include "tests/nn/models/networks.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

constexpr NormKind kNorms[] = {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group, NormKind::None};

/// Convolutions in·out·k·k, norms 2·channels, the linear layer in·classes + classes.
std::size_t count_by_hand(const ImageNetResNetOptions& options) {
  const bool bottleneck = options.depth >= 50;
  const std::size_t stage3 = options.depth == 18 ? 2 : options.depth == 101 ? 23 : 6;
  const std::size_t blocks[] = {options.depth == 18 ? 2u : 3u, options.depth == 18 ? 2u : 4u, stage3,
                                options.depth == 18 ? 2u : 3u};
  const std::size_t kernel = options.stem == Stem::ImageNet ? 7 : 3;
  std::size_t in = options.width, total = 3 * in * kernel * kernel + 2 * in;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    const std::size_t w = options.width << stage, out = bottleneck ? 4 * w : w;
    for (std::size_t block = 0; block < blocks[stage]; ++block) {
      if (bottleneck)
        total += in * w + 2 * w + 9 * w * w + 2 * w + w * out + 2 * out;
      else
        total += 9 * in * w + 2 * w + 9 * w * w + 2 * w;
      if (block == 0 && (stage > 0 || bottleneck)) total += in * out + 2 * out;
      in = out;
    }
  }
  return total + in * options.classes + options.classes;
}

std::string error_for(const ImageNetResNetOptions& options) {
  Generator g(1);
  return error_of([&] { ImageNetResNet(options, g); });
}

}  // namespace

TEST_CASE("imagenet resnet: parameter counts are the published ones") {
  ImageNetResNetOptions o;
  const auto by_hand = [&](std::size_t depth, Stem stem, std::size_t classes) {
    o.depth = depth;
    o.stem = stem;
    o.classes = classes;
    return count_by_hand(o);
  };
  CHECK(by_hand(18, Stem::Cifar, 10) == 11173962);
  CHECK(by_hand(18, Stem::Cifar, 100) == 11220132);
  CHECK(by_hand(34, Stem::Cifar, 10) == 21282122);
  CHECK(by_hand(50, Stem::Cifar, 10) == 23520842);
  CHECK(by_hand(101, Stem::Cifar, 10) == 42512970);
  CHECK(by_hand(18, Stem::ImageNet, 1000) == 11689512);  // PyTorch's
  CHECK(by_hand(34, Stem::ImageNet, 1000) == 21797672);
  CHECK(by_hand(50, Stem::ImageNet, 1000) == 25557032);
  CHECK(by_hand(101, Stem::ImageNet, 1000) == 44549160);

  Generator g(1);
  o = ImageNetResNetOptions{};
  CHECK(ImageNetResNet(o, g).parameter_count() == 11173962);
  o.classes = 100;
  CHECK(ImageNetResNet(o, g).parameter_count() == 11220132);
  o.classes = 10;
  o.depth = 50;
  CHECK(ImageNetResNet(o, g).parameter_count() == 23520842);
  for (const std::size_t depth : {18, 34, 50, 101})
    for (const Stem stem : {Stem::Cifar, Stem::ImageNet}) {
      o = small(depth);
      o.stem = stem;
      CHECK(ImageNetResNet(o, g).parameter_count() == count_by_hand(o));
    }
}

TEST_CASE("imagenet resnet: names, shapes, and where the strides are") {
  Generator g(1);
  ImageNetResNet basic(small(18), g), bottleneck(small(50), g);
  std::vector<std::string> block;
  for (const auto& [name, value] : bottleneck.named_parameters())
    if (starts_with(name, "layer1.0.")) block.push_back(name.substr(9));
  CHECK(block == std::vector<std::string>{"conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight",
                                          "bn2.bias", "conv3.weight", "bn3.weight", "bn3.bias", "shortcut.0.weight",
                                          "shortcut.1.weight", "shortcut.1.bias"});
  const SafeTensors state = basic.state_dict();
  for (const char* name : {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer1.1.bn2.bias",
                           "layer2.0.shortcut.0.weight", "layer4.1.conv2.weight", "linear.weight", "linear.bias"})
    CHECK_MESSAGE(state.tensors.count(name) == 1, name);
  CHECK(state.integers.count("layer2.0.shortcut.1.num_batches_tracked") == 1);
  CHECK(!has(basic, "layer1.0.shortcut.0.weight"));
  CHECK(!has(basic, "layer2.1.shortcut.0.weight"));
  CHECK(parameter(bottleneck, "layer3.0.shortcut.0.weight").shape() == Shape{64, 1, 1, 32});

  ImageNetResNetOptions options = small(50);
  options.stem = Stem::ImageNet;
  ImageNetResNet imagenet(options, g);
  const auto output = [&](Module& network, const std::string& path) {
    for (const SummaryRow& row : summary(network, {1, 32, 64, 3}).rows)
      if (row.path == path) return row.output;
    return Shape{};
  };
  CHECK(output(imagenet, "conv1") == Shape{1, 16, 32, 4});
  CHECK(output(imagenet, "layer1") == Shape{1, 8, 16, 16});
  CHECK(output(imagenet, "layer4") == Shape{1, 1, 2, 128});
  CHECK(output(bottleneck, "conv1") == Shape{1, 32, 64, 4});
  CHECK(output(bottleneck, "layer1") == Shape{1, 32, 64, 16});
  CHECK(output(bottleneck, "layer2.0.conv1") == Shape{1, 32, 64, 8});
  CHECK(output(bottleneck, "layer2.0.conv2") == Shape{1, 16, 32, 8});
  CHECK(output(bottleneck, "layer4") == Shape{1, 4, 8, 128});
  CHECK(output(bottleneck, "") == Shape{1, 7});
  CHECK(output(basic, "layer2.0.conv1") == Shape{1, 16, 32, 8});
  CHECK(at(bottleneck, "layer2.0").type_name() == "Bottleneck");
  CHECK(at(basic, "layer2.0").type_name() == "BasicBlock");
}

TEST_CASE("imagenet resnet: the network is what the paper draws") {
  const Variable x(normal({2, 33, 35, 3}, 1)), b(normal({2, 7, 5, 16}, 2));
  Generator g(1);
  ImageNetResNetOptions options = small(50);
  options.stem = Stem::ImageNet;
  ImageNetResNet net(options, g);
  Variable h = max_pool2d(relu(at(net, "bn1")(at(net, "conv1")(x))), 3, 2, 1);
  for (const char* stage : {"layer1", "layer2", "layer3", "layer4"}) h = at(net, stage)(h);
  CHECK(identical(net(x).value(), at(net, "linear")(global_avg_pool2d(h)).value()));

  const auto branch = [&](const std::string& block, const Variable& in) {
    Variable y = relu(at(net, block + ".bn1")(at(net, block + ".conv1")(in)));
    y = relu(at(net, block + ".bn2")(at(net, block + ".conv2")(y)));
    return at(net, block + ".bn3")(at(net, block + ".conv3")(y));
  };
  CHECK(identical(at(net, "layer1.1")(b).value(), relu(branch("layer1.1", b) + b).value()));
  const Variable shortcut = at(net, "layer2.0.shortcut.1")(at(net, "layer2.0.shortcut.0")(b));
  CHECK(identical(at(net, "layer2.0")(b).value(), relu(branch("layer2.0", b) + shortcut).value()));
}

TEST_CASE("imagenet resnet: preactivation has each norm and relu before its convolution") {
  const Variable x(normal({2, 8, 12, 3}, 1)), b(normal({2, 7, 5, 4}, 2));
  Generator g(1);
  ImageNetResNetOptions options = small(18);
  options.preactivation = true;
  ImageNetResNet net(options, g);
  CHECK(!has(net, "layer1.0.bn1.weight"));  // the stem's norm and relu are in front of it
  CHECK(!has(net, "layer2.0.shortcut.1.weight"));
  CHECK(parameter(net, "layer2.0.bn1.weight").shape() == Shape{4});
  CHECK(parameter(net, "bn.weight").shape() == Shape{32});
  // Of the norms: none in front of layer1.0, smaller ones in front of layer2 to layer4, no shortcuts', and a last one.
  CHECK(net.parameter_count() == count_by_hand(small(18)) - 2 * 4 - 2 * (32 - 4) - 2 * (8 + 16 + 32) + 2 * 32);

  Variable h = relu(at(net, "bn1")(at(net, "conv1")(x)));
  for (const char* stage : {"layer1", "layer2", "layer3", "layer4"}) h = at(net, stage)(h);
  CHECK(identical(net(x).value(), at(net, "linear")(global_avg_pool2d(relu(at(net, "bn")(h)))).value()));

  const auto activated = [&](const std::string& norm, const Variable& in) { return relu(at(net, norm)(in)); };
  Variable y = activated("layer1.0.bn2", at(net, "layer1.0.conv1")(b));
  CHECK(identical(at(net, "layer1.0")(b).value(), (at(net, "layer1.0.conv2")(y) + b).value()));
  y = at(net, "layer1.1.conv1")(activated("layer1.1.bn1", b));
  CHECK(
      identical(at(net, "layer1.1")(b).value(), (at(net, "layer1.1.conv2")(activated("layer1.1.bn2", y)) + b).value()));
  const Variable in = activated("layer2.0.bn1", b);
  y = at(net, "layer2.0.conv2")(activated("layer2.0.bn2", at(net, "layer2.0.conv1")(in)));
  CHECK(identical(at(net, "layer2.0")(b).value(), (y + at(net, "layer2.0.shortcut.0")(in)).value()));
}

TEST_CASE("imagenet resnet: forward and backward are finite with every norm, stem and kind of block") {
  for (const NormKind norm : kNorms)
    for (const Stem stem : {Stem::Cifar, Stem::ImageNet})
      for (const std::size_t depth : {18, 50})
        for (const bool preactivation : {false, true}) {
          CAPTURE(to_string(norm));
          CAPTURE(depth);
          Generator g(1);
          ImageNetResNetOptions options = small(depth, norm);
          options.stem = stem;
          options.preactivation = preactivation;
          ImageNetResNet net(options, g);
          const Variable y = net(Variable(normal(stem == Stem::Cifar ? Shape{2, 12, 16, 3} : Shape{2, 48, 64, 3}, 2)));
          CHECK(y.shape() == Shape{2, 7});
          y.backward(normal(y.shape(), 3));
          bool finite = std::isfinite(mean_square(y.value()));
          for (const Variable& p : net.parameters()) finite = finite && std::isfinite(mean_square(p.grad()));
          CHECK(finite);
          CHECK(largest(parameter(net, "conv1.weight").grad()) > 1e-4);

          std::size_t norms = 0, others = 0, biases = 0;
          for (const auto& [path, module] : net.named_modules()) {
            const std::string type = module->type_name();
            norms += contains(type, "Norm") ? 1 : 0;
            const std::unique_ptr<Module> chosen = make_norm(norm, 4, 2);
            others += contains(type, "Norm") && (!chosen || type != chosen->type_name()) ? 1 : 0;
          }
          for (const auto& [path, p] : net.named_parameters())
            biases += contains(path, "conv") && contains(path, ".bias") ? 1 : 0;
          const std::size_t convolutions = depth == 18 ? 17 : 49;  // without shortcuts
          const std::size_t shortcuts = depth == 18 ? 3 : 4;
          CHECK(others == 0);
          CHECK(norms == (norm == NormKind::None ? 0 : convolutions + (preactivation ? 0 : shortcuts)));
          CHECK(biases == (norm == NormKind::None ? convolutions : 0));
          CHECK(has(net, "layer2.0.shortcut.0.bias") == (norm == NormKind::None));
        }
}

TEST_CASE("imagenet resnet: derived gradients of bottlenecks equal analytic ones") {
  for (const bool preactivation : {false, true}) {
    std::vector<Tensor> gradients[2];
    for (const bool derived : {false, true}) {
      const DerivedGradients mode(derived);
      Generator g(5);
      ImageNetResNetOptions options = small(50);
      options.preactivation = preactivation;
      ImageNetResNet net(options, g);
      const Variable y = net(Variable(normal({3, 12, 16, 3}, 2)));
      y.backward(normal(y.shape(), 3));
      for (const Variable& p : net.parameters()) gradients[derived].push_back(p.grad());
    }
    REQUIRE(gradients[0].size() > 150);
    double worst = 0;
    for (std::size_t i = 0; i < gradients[0].size(); ++i) {
      CHECK(largest(gradients[0][i]) > 1e-6);
      worst = std::max(worst, max_error(gradients[0][i], gradients[1][i]));
    }
    CHECK(worst < 1e-9);
  }
}

TEST_CASE("imagenet resnet: settings that do not exist or do not fit are refused") {
  CHECK(parse_stem("cifar") == Stem::Cifar);
  CHECK(parse_stem("imagenet") == Stem::ImageNet);
  CHECK(error_of([] { parse_stem("mnist"); }) == "ValueError: unknown stem 'mnist', expected one of cifar, imagenet");
  CHECK(error_for(small(20)) == "ValueError: resnet: expected a depth of 18, 34, 50 or 101, got 20");
  ImageNetResNetOptions options = small(18);
  options.width = 0;
  CHECK(error_for(options) == "ValueError: resnet: expected a width and classes of at least 1, got 0 and 7");
  options = small(18);
  options.classes = 0;
  CHECK(error_for(options) == "ValueError: resnet: expected a width and classes of at least 1, got 4 and 0");
  options = small(18);
  options.fixup = true;
  CHECK(error_for(options) == "ValueError: resnet: fixup takes the place of norms, expected none, got batch");
  options = small_fixup(18);
  options.preactivation = true;
  CHECK(error_for(options) == "ValueError: resnet: fixup is for blocks without preactivation");
  options = small(18, NormKind::None);
  options.zero_init_residual = true;
  CHECK(error_for(options) ==
        "ValueError: resnet: zero_init_residual is about the last norm of each block, got norm none");
  options = small(18);
  options.zero_init_residual = options.preactivation = true;
  CHECK(error_for(options) ==
        "ValueError: resnet: zero_init_residual is for blocks without preactivation: its gradients would stay 0");
  options = small(18, NormKind::Group);
  options.groups = 3;
  CHECK(error_for(options) == "ValueError: group_norm: 4 channels are not divisible into 3 groups");

  Generator g(1);
  options = small(18, NormKind::Instance);
  options.stem = Stem::ImageNet;
  ImageNetResNet net(options, g);
  CHECK(error_of([&] {
          net(Variable(normal({2, 32, 32, 3}, 1)));
        }) == "ValueError: instance_norm: expected more than one value per statistic, x is (2, 1, 1, 32)");
}
