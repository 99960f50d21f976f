#include "nn/models/vgg.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/pool2d.hpp"
#include "nn/summary.hpp"
#include "tests/nn/models/networks.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

VggOptions small_vgg(std::size_t depth, NormKind norm = NormKind::Batch) { return {depth, norm, 2, 7, 4}; }

std::string error_for(const VggOptions& options) {
  Generator g(1);
  return error_of([&] { Vgg(options, g); });
}

}  // namespace

TEST_CASE("vgg: parameter counts are the published ones") {
  // Of the convolutions with their biases, of configurations A, B and D; and 512·10 + 10 of the linear layer. A norm
  // has two numbers for each channel where the bias had one: 4224 more than without for the 13 layers of D.
  Generator g(1);
  VggOptions options;
  CHECK(Vgg(options, g).parameter_count() == 14714688 + 4224 + 5130);
  options.norm = NormKind::None;
  CHECK(Vgg(options, g).parameter_count() == 14714688 + 5130);
  options.depth = 13;
  CHECK(Vgg(options, g).parameter_count() == 9404992 + 5130);
  options.depth = 11;
  CHECK(Vgg(options, g).parameter_count() == 9220480 + 5130);
}

TEST_CASE("vgg: names, shapes, and the norm choice") {
  for (const NormKind norm : {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group, NormKind::None}) {
    CAPTURE(to_string(norm));
    Generator g(1);
    Vgg net(small_vgg(16, norm), g);
    std::size_t norms = 0, convolutions = 0, biases = 0;
    const std::unique_ptr<Module> chosen = make_norm(norm, 4, 2);
    for (const auto& [path, module] : net.named_modules()) {
      convolutions += contains(path, "conv") ? 1 : 0;
      if (!contains(path, "bn")) continue;
      ++norms;
      CHECK((chosen && module->type_name() == chosen->type_name()));
    }
    for (const auto& [path, value] : net.named_parameters()) biases += contains(path, "conv") && contains(path, "bias");
    CHECK(convolutions == 13);
    CHECK(norms == (norm == NormKind::None ? 0 : 13));
    CHECK(biases == (norm == NormKind::None ? 13 : 0));

    const Variable y = net(Variable(normal({3, 32, 48, 3}, 2)));
    CHECK(y.shape() == Shape{3, 7});
    y.backward(normal(y.shape(), 3));
    bool finite = std::isfinite(largest(y.value()));
    for (const Variable& p : net.parameters())
      finite = finite && max_error(p.grad(), p.grad()) == 0 && std::isfinite(largest(p.grad()));
    CHECK(finite);
    CHECK(largest(net.parameters()[0].grad()) > 1e-4);
  }
  Generator g(1);
  Vgg net(small_vgg(13), g);
  const auto output = [&](const std::string& path) {
    for (const SummaryRow& row : summary(net, {1, 32, 48, 3}).rows)
      if (row.path == path) return row.output;
    return Shape{};
  };
  CHECK(output("layer1.conv2") == Shape{1, 32, 48, 4});
  CHECK(output("layer2") == Shape{1, 16, 24, 8});
  CHECK(output("layer4") == Shape{1, 4, 6, 32});
  CHECK(output("layer5.bn2") == Shape{1, 2, 3, 32});
}

TEST_CASE("vgg: the network is a chain of convolutions, norms, relus and poolings") {
  const Variable x(normal({2, 16, 32, 3}, 1));
  for (const std::size_t depth : {11, 13, 16}) {
    Generator g(1);
    Vgg net(small_vgg(depth), g);
    Variable h = x;
    for (int stage = 1; stage <= 5; ++stage) {
      if (stage > 1) h = max_pool2d(h, 2, 2);
      const std::string layer = "layer" + std::to_string(stage);
      const int convolutions = depth == 11 ? (stage <= 2 ? 1 : 2) : depth == 13 || stage <= 2 ? 2 : 3;
      for (int i = 1; i <= convolutions; ++i)
        h = relu(at(net, layer + ".bn" + std::to_string(i))(at(net, layer + ".conv" + std::to_string(i))(h)));
    }
    CHECK(identical(net(x).value(), at(net, "linear")(global_avg_pool2d(h)).value()));
  }
}

TEST_CASE("vgg: settings that do not exist or do not fit are refused") {
  CHECK(error_for(small_vgg(19)) == "ValueError: vgg: expected a depth of 11, 13 or 16, got 19");
  VggOptions options = small_vgg(11);
  options.width = 0;
  CHECK(error_for(options) == "ValueError: vgg: expected a width and classes of at least 1, got 0 and 7");
  options = small_vgg(11, NormKind::Group);
  options.groups = 3;
  CHECK(error_for(options) == "ValueError: group_norm: 4 channels are not divisible into 3 groups");
}
