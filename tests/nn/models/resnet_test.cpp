#include "nn/models/resnet.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "nn/data/loader.hpp"
#include "nn/data/shapes.hpp"
#include "nn/optim/schedule.hpp"
#include "nn/optim/sgd.hpp"
#include "tests/reference/reference.hpp"

using namespace xtg;
using namespace xtg::nn;

namespace {

std::size_t parameters(std::size_t depth, NormKind norm) {
  Generator g(1);
  ResNetOptions options;
  options.depth = depth;
  options.norm = norm;
  return CifarResNet(options, g).parameter_count();
}

constexpr NormKind kNorms[] = {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group};

}  // namespace

TEST_CASE("resnet: parameter counts are the published ones") {
  for (const NormKind norm : kNorms) CHECK(parameters(20, norm) == 269722);
  CHECK(parameters(20, NormKind::None) == 269034);
  CHECK(parameters(32, NormKind::Batch) == 464154);
  CHECK(parameters(44, NormKind::Batch) == 658586);
  CHECK(parameters(56, NormKind::Batch) == 853018);
  CHECK(parameters(110, NormKind::Batch) == 1727962);
}

TEST_CASE("resnet: the norm choice holds everywhere, and none leaves no norm but biases") {
  for (const NormKind norm : kNorms) {
    Generator g(1);
    ResNetOptions options;
    options.depth = 8;
    options.norm = norm;
    CifarResNet net(options, g);
    std::size_t norms = 0;
    for (const auto& [path, module] : net.named_modules()) {
      if (path.find("bn") == std::string::npos) continue;
      ++norms;
      const std::unique_ptr<Module> expected = make_norm(norm, 16, 8);
      const Module &found = *module, &chosen = *expected;
      CHECK(typeid(found) == typeid(chosen));
    }
    CHECK(norms == 7);  // the stem and two in each of three blocks
    for (const auto& [path, parameter] : net.named_parameters()) CHECK(path.find("conv1.bias") == std::string::npos);
  }
  Generator g(1);
  ResNetOptions options;
  options.norm = NormKind::None;
  CifarResNet net(options, g);
  std::size_t convolutions = 0, biases = 0;
  for (const auto& [path, module] : net.named_modules()) {
    CHECK(path.find("bn") == std::string::npos);
    convolutions += path.find("conv") != std::string::npos ? 1 : 0;
  }
  for (const auto& [path, parameter] : net.named_parameters())
    biases += path.find("conv") != std::string::npos && path.find("bias") != std::string::npos ? 1 : 0;
  CHECK(convolutions == 19);
  CHECK(biases == 19);
}

TEST_CASE("resnet: logits, loss, all gradients and running statistics equal PyTorch's") {
  const Reference reference("resnet8.safetensors");
  Generator g(1);
  ResNetOptions options;
  options.depth = 8;
  options.width = 4;
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    CifarResNet net(options, g);
    SafeTensors state = net.state_dict();
    for (auto& [path, value] : state.tensors)
      if (path.find("running") == std::string::npos) value = reference(path);
    net.load_state_dict(state);

    const Variable logits = net(Variable(reference("images")));
    const Variable loss = cross_entropy(logits, reference.integers("labels"));
    CHECK(relative_error(logits.value(), reference("logits")) < 1e-6);
    CHECK(static_cast<double>(loss.item()) == doctest::Approx(reference.number("loss")).epsilon(1e-9));
    loss.backward();
    for (const auto& named : net.named_parameters()) {
      const std::string path = named.first;  // clang 14 captures no structured bindings
      CAPTURE(path);
      CHECK(relative_error(named.second.grad(), reference("grad/" + path)) < 1e-6);
    }
    state = net.state_dict();
    for (const auto& [path, value] : state.tensors)
      if (path.find("running") != std::string::npos) CHECK(relative_error(value, reference("after/" + path)) < 1e-6);
    net.eval();
    CHECK(relative_error(net(Variable(reference("images"))).value(), reference("logits_eval")) < 1e-6);
  }
}

TEST_CASE("resnet: names and depths that do not exist are refused") {
  CHECK(parse_resnet("resnet110") == 110);
  CHECK_THROWS_WITH_AS(parse_resnet("resnet18"),
                       "unknown architecture 'resnet18', expected one of resnet8, resnet20, resnet32, resnet44, "
                       "resnet56, resnet110",
                       ValueError);
  Generator g(1);
  ResNetOptions options;
  options.depth = 21;
  CHECK_THROWS_WITH_AS(CifarResNet(options, g), "resnet: expected a depth of 6n + 2 with n ≥ 1, got 21", ValueError);
  options.depth = 8;
  options.norm = NormKind::Group;
  options.groups = 5;
  CHECK_THROWS_WITH_AS(CifarResNet(options, g), "group_norm: 16 channels are not divisible into 5 groups", ValueError);
}

TEST_CASE("resnet: 20 steps of training have the same losses in each of the three forms") {
  const Dataset shapes = make_shapes(64, 1, true);
  for (const NormKind norm : {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group, NormKind::None}) {
    CAPTURE(to_string(norm));
    std::map<GradientForm, std::vector<double>> losses;
    for (const GradientForm form : {GradientForm::Fused, GradientForm::ByHand, GradientForm::Derived}) {
      const GradientMode mode(form);
      Generator g(7);
      ResNetOptions options;
      options.depth = norm == NormKind::Batch ? 20 : 8;
      options.norm = norm;
      options.width = options.groups = 4;
      CifarResNet net(options, g);
      Sgd sgd(net.parameters(), {0.9, 5e-4, true});
      LoaderOptions batches;
      batches.batch_size = 8;
      batches.shuffle = batches.augment = true;
      Loader loader(shapes, measure(shapes), batches);
      Batch batch;
      for (std::size_t step = 0; step < 20; ++step) {
        if (step % loader.batches() == 0) loader.start(step / loader.batches());
        REQUIRE(loader.next(batch));
        const Variable loss = cross_entropy(net(Variable(batch.images)), batch.labels);
        sgd.zero_grad();
        loss.backward();
        sgd.step(learning_rate(ScheduleKind::OneCycle, 0.02, step, 20));
        losses[form].push_back(static_cast<double>(loss.item()));
      }
      Generator again(7);
      CHECK(relative_error(net.parameters()[0].value(), CifarResNet(options, again).parameters()[0].value()) > 1e-2);
    }
    for (std::size_t step = 0; step < 20; ++step)
      for (const GradientForm form : {GradientForm::Fused, GradientForm::ByHand}) {
        const double derived = losses[GradientForm::Derived][step];
        CHECK(std::abs(losses[form][step] - derived) < 1e-6 * derived);
      }
  }
}
