// Module::clone(), and every class that has a make_like().

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/models/resnet.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "nn/optim/sgd.hpp"
#include "tensor/create.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

bool same_state(const Module& a, const Module& b) {
  const SafeTensors x = a.state_dict(), y = b.state_dict();
  return x.tensors == y.tensors && x.integers == y.integers;
}

/// Gives every number of a module a value of its own, and some modules and parameters another mode.
void disturb(Module& module, std::uint64_t seed) {
  SafeTensors state = module.state_dict();
  for (auto& [path, value] : state.tensors) value = positive(value.shape(), seed++);
  for (auto& [path, value] : state.integers) value.data()[0] = static_cast<std::int64_t>(seed++);
  module.load_state_dict(state);
  for (const auto& [path, below] : module.named_modules())
    if (seed++ % 3 == 0) below->train(!below->is_training());
  for (Variable parameter : module.parameters()) parameter.set_requires_grad(seed++ % 4 != 0);
}

/// A clone is equal in all that counts, and remains as it is when the original changes, and the reverse.
void check_clone(Module& module, const Shape& input_shape) {
  CAPTURE(module.type_name());
  disturb(module, 10);
  const std::unique_ptr<Module> copy = module.clone();
  const Module &a = module, &b = *copy;
  CHECK(typeid(a) == typeid(b));
  CHECK(same_state(module, *copy));
  const auto from = a.named_modules(), to = b.named_modules();
  REQUIRE(from.size() == to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    CHECK(from[i].first == to[i].first);
    CHECK(from[i].second != to[i].second);
    CHECK(from[i].second->is_training() == to[i].second->is_training());
  }
  const auto parameters = a.named_parameters(), copies = b.named_parameters();
  REQUIRE(parameters.size() == copies.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CHECK(parameters[i].first == copies[i].first);
    CHECK(parameters[i].second.requires_grad() == copies[i].second.requires_grad());
    CHECK(parameters[i].second.storage() != copies[i].second.storage());
    CHECK(parameters[i].second.node().get() != copies[i].second.node().get());
  }
  // Settings that are no tensors (eps, stride, groups) show in the result.
  const Variable x(normal(input_shape, 3));
  const Tensor y = module(x).value();
  CHECK(largest(y) > 1e-3);
  CHECK(identical(y, (*copy)(x).value()));
  CHECK(same_state(module, *copy));  // running statistics moved alike

  const std::unique_ptr<Module> before = module.clone();
  disturb(*copy, 50);
  CHECK(same_state(module, *before));
  CHECK(module.state_dict().tensors.empty() == same_state(*copy, *before));
}

/// Takes a step of training and returns the loss.
double train_step(Module& module, Sgd& sgd, const Variable& x) {
  const Variable loss = sum(square(module(x) + Scalar{-1}));
  sgd.zero_grad();
  loss.backward();
  sgd.step(0.01);
  return static_cast<double>(loss.item());
}

}  // namespace

TEST_CASE("clone: clones of every layer are equal and independent") {
  Generator g(3);
  const NormOptions plain{0.3, false}, affine{0.2, true};
  Linear linear(5, 3, g);
  check_clone(linear, {2, 5});
  Conv2d conv(3, 4, 5, {2, 1, true}, g), without_bias(3, 4, 1, {1, 2, false}, g);
  check_clone(conv, {2, 7, 6, 3});
  check_clone(without_bias, {2, 4, 5, 3});
  Conv2d grouped(4, 6, 3, {1, 2, true, 2, 2}, g);
  check_clone(grouped, {2, 5, 6, 4});
  for (const bool track : {true, false}) {
    BatchNorm batch(4, {0.3, true, 0.7, track}), cumulative(4, {0.2, !track, std::nullopt, true});
    check_clone(batch, {3, 2, 5, 4});
    check_clone(cumulative, {3, 2, 5, 4});
    InstanceNorm instance(4, {0.3, true, 0.7, track}), without_affine(4, {0.2, false, std::nullopt, track});
    check_clone(instance, {3, 2, 5, 4});
    check_clone(without_affine, {3, 2, 5, 4});
  }
  for (const NormOptions& options : {plain, affine}) {
    GroupNorm group(2, 4, options);
    check_clone(group, {3, 2, 5, 4});
    LayerNorm by_shape(Shape{2, 5, 4}, options), by_channel(4, 3, options), last(Shape{4}, options);
    check_clone(by_shape, {3, 2, 5, 4});
    check_clone(by_channel, {3, 2, 5, 4});
    check_clone(last, {3, 2, 5, 4});
  }
}

TEST_CASE("clone: clones of networks are equal and independent") {
  for (const NormKind norm : {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group, NormKind::None}) {
    Generator g(3);
    ResNetOptions options;
    options.depth = 8;
    options.norm = norm;
    options.groups = 2;
    options.classes = 7;
    options.width = 4;
    CifarResNet net(options, g);
    check_clone(net, {3, 8, 12, 3});
  }
}

TEST_CASE("clone: training a clone does not touch the original, and gradients and hooks are not copied") {
  Generator g(3);
  ResNetOptions options;
  options.depth = 8;
  options.width = 4;
  CifarResNet net(options, g);
  const Variable x(normal({3, 8, 12, 3}, 1));
  std::size_t calls = 0;
  net.add_forward_hook([&](Module&, const Variable&, const Variable&) { ++calls; });
  sum(net(x)).backward();
  CHECK(calls == 1);
  const std::unique_ptr<Module> copy = net.clone(), before = net.clone();
  for (const Variable& parameter : copy->parameters()) CHECK(!parameter.has_grad());

  Sgd sgd(copy->parameters(), {0.9, 0, false});
  const double first = train_step(*copy, sgd, x);
  for (int i = 0; i < 3; ++i) train_step(*copy, sgd, x);
  CHECK(train_step(*copy, sgd, x) < first);
  CHECK(calls == 1);
  CHECK(same_state(net, *before));
  CHECK(!same_state(net, *copy));

  Sgd same(before->parameters(), {0.9, 0, false});
  CHECK(train_step(*before, same, x) == first);  // from the same start, the same training
}

namespace {

/// Does not say how to make another.
class Plain : public Module {
 public:
  Variable forward(const Variable& x) override { return x; }
};

}  // namespace

TEST_CASE("clone: a class that cannot be cloned says what to write") {
  CHECK(error_of([] { Plain().clone(); }) ==
        "ValueError: clone: Plain does not say how to make another; write in it: std::unique_ptr<Module> make_like() "
        "const override { return std::make_unique<Plain>(…the arguments it was made with…); }");
}

namespace {

/// Inherits Conv2d's make_like, which makes a Conv2d.
class Noisy : public Conv2d {
 public:
  explicit Noisy(Generator& g) : Conv2d(3, 2, 3, {1, 1, true}, g) { add_parameter("noise", ones({1})); }
};

/// Has another size than it was made with, one buffer and one submodule more, or something missing.
class Changeable : public Module {
 public:
  enum What { Same, Size, Extra, Null };
  Changeable(What what, std::size_t size) : what_(what), weight_(add_parameter("weight", ones({size}))) {}
  Variable forward(const Variable& x) override { return x * weight_; }
  void grow() {
    add_buffer("late", ones({1}));
    add_counter("count");
  }

 private:
  std::unique_ptr<Module> make_like() const override {
    if (what_ == Null) return nullptr;
    auto like = std::make_unique<Changeable>(what_, weight_.size() + (what_ == Size ? 1 : 0));
    if (what_ == Extra) like->grow();
    return like;
  }
  What what_;
  Variable weight_;
};

}  // namespace

TEST_CASE("clone: a clone with another class, shape or name than the original's is refused") {
  Generator g(1);
  Noisy noisy(g);
  const std::string error = error_of([&] { noisy.clone(); });
  CHECK(starts_with(error,
                    "ValueError: clone: Noisy::make_like() made another architecture: expected module '' of "
                    "class "));
  CHECK(contains(error, "Noisy, got module '' of class xtg::nn::Conv2d"));

  const std::string made = "ValueError: clone: Changeable::make_like() made another architecture: expected ";
  CHECK(error_of([&] { Changeable(Changeable::Same, 3).clone(); }).empty());
  CHECK(error_of([&] { Changeable(Changeable::Size, 3).clone(); }) ==
        made + "parameter 'weight' (3), got parameter 'weight' (4)");
  CHECK(error_of([&] { Changeable(Changeable::Extra, 3).clone(); }) == made + "the end, got buffer 'late' (1)");
  CHECK(error_of([&] { Changeable(Changeable::Null, 3).clone(); }) ==
        "ValueError: clone: Changeable::make_like() returned null");
  Changeable grown(Changeable::Same, 3);
  grown.grow();
  CHECK(error_of([&] { grown.clone(); }) == made + "buffer 'late' (1), got the end");
}
