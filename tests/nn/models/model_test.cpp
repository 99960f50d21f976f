#include "nn/models/model.hpp"

#include <doctest/doctest.h>

#include "nn/models/vgg.hpp"
#include "tensor/elementwise.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

std::unique_ptr<Module> make(const ModelOptions& options) {
  Generator g(3);
  return make_model(options, g);
}

bool same_state(const Module& a, const Module& b) {
  const SafeTensors x = a.state_dict(), y = b.state_dict();
  return x.tensors == y.tensors && x.integers == y.integers;
}

/// Both are of one class and equal in every number when made from equal generators.
template <class Network, class Options>
void check_same(const ModelOptions& options, const Options& direct) {
  CAPTURE(options.name);
  Generator g(3);
  const Network expected(direct, g);
  const std::unique_ptr<Module> made = make(options);
  CHECK(made->type_name() == expected.type_name());
  CHECK(same_state(*made, expected));
}

ModelOptions small(const std::string& name, NormKind norm = NormKind::Group) {
  ModelOptions options;
  options.name = name;
  options.norm = norm;
  options.groups = 2;
  options.classes = 7;
  options.width = 4;
  return options;
}

}  // namespace

TEST_CASE("make_model: every name gives its network, with every option") {
  for (const std::size_t depth : {8, 20, 32, 44, 56, 110})
    check_same<CifarResNet>(small("resnet" + std::to_string(depth)), ResNetOptions{depth, NormKind::Group, 2, 7, 4});
  for (const std::size_t depth : {18, 34, 50, 101})
    check_same<ImageNetResNet>(small("resnet" + std::to_string(depth)),
                               ImageNetResNetOptions{depth, NormKind::Group, 2, 7, 4});
  for (const std::size_t depth : {11, 13, 16})
    check_same<Vgg>(small("vgg" + std::to_string(depth)), VggOptions{depth, NormKind::Group, 2, 7, 4});

  ImageNetResNetOptions direct{18, NormKind::Group, 2, 7, 4};
  direct.preactivation = true;
  check_same<ImageNetResNet>(small("preresnet18"), direct);
  direct.preactivation = false;
  direct.zero_init_residual = true;
  direct.stem = Stem::ImageNet;
  ModelOptions options = small("resnet18");
  options.zero_init_residual = true;
  options.stem = Stem::ImageNet;
  check_same<ImageNetResNet>(options, direct);
  options = small("resnet8");
  options.zero_init_residual = true;
  check_same<CifarResNet>(options, ResNetOptions{8, NormKind::Group, 2, 7, 4, true});
  options = small("resnet8", NormKind::None);
  options.fixup = true;
  check_same<CifarResNet>(options, ResNetOptions{8, NormKind::None, 2, 7, 4, false, true});
  options.name = "resnet50";
  check_same<ImageNetResNet>(options,
                             ImageNetResNetOptions{50, NormKind::None, 2, 7, 4, Stem::Cifar, false, false, true});
}

TEST_CASE("make_model: width 0 is the network's own") {
  ModelOptions options;
  CHECK(make(options)->parameter_count() == 269722);
  options.name = "vgg11";
  CHECK(make(options)->parameter_count() == 9220480 + 2752 + 5130);  // two numbers instead of one for 2752 channels
  options.name = "preresnet18";
  // The widely used CIFAR implementation's number, and the last norm, of 512 channels, which that leaves out.
  CHECK(make(options)->parameter_count() == 11171146 + 2 * 512);
}

TEST_CASE("find_architecture: what each network has") {
  const Architecture small = find_architecture("resnet8");
  CHECK(std::string(small.name) == "resnet8");
  CHECK(small.family == Family::Cifar);
  CHECK(small.depth == 8);
  CHECK(small.width == 16);
  CHECK(!small.has_stem());
  CHECK(small.is_postactivation());
  const Architecture large = find_architecture("resnet101");
  CHECK(large.family == Family::ImageNet);
  CHECK(large.depth == 101);
  CHECK(large.width == 64);
  CHECK(large.has_stem());
  CHECK(large.is_postactivation());
  CHECK(find_architecture("preresnet18").has_stem());
  CHECK(!find_architecture("preresnet18").is_postactivation());
  CHECK(!find_architecture("vgg13").has_stem());
  CHECK(!find_architecture("vgg13").is_postactivation());
  for (const char* name : {"", "resnet", "ResNet8", "resnet19"})
    CHECK(starts_with(error_of([&] { find_architecture(name); }), std::string("ValueError: unknown architecture '") +
                                                                      name + "', expected one of resnet8, resnet20, "));
}

TEST_CASE("make_model: clones are equal and independent") {
  const Variable x(normal({2, 16, 20, 3}, 1));
  for (const char* name : {"resnet8", "resnet18", "resnet50", "preresnet18", "vgg11"})
    for (const NormKind norm : {NormKind::Batch, NormKind::None}) {
      CAPTURE(name);
      ModelOptions options = small(name, norm);
      options.fixup = norm == NormKind::None && std::string(name).substr(0, 6) == "resnet";
      const std::unique_ptr<Module> network = make(options);
      (*network)(x);  // moves running statistics
      std::uint64_t seed = 10;
      for (Variable p : network->parameters()) p.mutable_value() = Scalar(0.3) * normal(p.shape(), ++seed);
      const std::unique_ptr<Module> copy = network->clone(), before = network->clone();
      const Module &a = *network, &b = *copy;
      CHECK(typeid(a) == typeid(b));
      CHECK(same_state(a, b));
      const Tensor y = (*network)(x).value();
      CHECK(largest(y) > 1e-3);
      CHECK(identical(y, (*copy)(x).value()));
      for (Variable p : copy->parameters()) p.mutable_value() = zeros(p.shape());
      CHECK(!same_state(a, b));
      CHECK(identical(a.parameters()[0].value(), before->parameters()[0].value()));
    }
}

TEST_CASE("make_model: names that do not exist, and options that a network does not have, are refused") {
  CHECK(error_of([] { make(small("resnet19")); }) ==
        "ValueError: unknown architecture 'resnet19', expected one of resnet8, resnet20, resnet32, resnet44, resnet56, "
        "resnet110, resnet18, resnet34, resnet50, resnet101, preresnet18, vgg11, vgg13, vgg16");
  for (const char* name : {"resnet20", "vgg13"}) {
    ModelOptions options = small(name);
    options.stem = Stem::ImageNet;
    CHECK(error_of([&] { make(options); }) == std::string("ValueError: make_model: ") + name + " has no imagenet stem");
  }
  const std::string no_branches =
      "ValueError: make_model: vgg16 has no residual branches for fixup or zero_init_residual";
  ModelOptions options = small("vgg16", NormKind::None);
  options.fixup = true;
  CHECK(error_of([&] { make(options); }) == no_branches);
  options = small("vgg16");
  options.zero_init_residual = true;
  CHECK(error_of([&] { make(options); }) == no_branches);
  options = small("preresnet18");
  options.zero_init_residual = true;
  CHECK(error_of([&] { make(options); }) ==
        "ValueError: resnet: zero_init_residual is for blocks without preactivation: its gradients would stay 0");
}
