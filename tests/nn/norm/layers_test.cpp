#include <doctest/doctest.h>

#include <memory>

#include "nn/norm/make_norm.hpp"
#include "tests/nn/norm/norms.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

std::vector<std::string> keys(const Module& layer) {
  const SafeTensors state = layer.state_dict();
  std::vector<std::string> found;
  for (const auto& [key, value] : state.tensors) found.push_back(key);
  for (const auto& [key, value] : state.integers) found.push_back(key);
  return found;
}

Tensor running_mean(const Module& layer) { return layer.state_dict().tensors.at("running_mean"); }
Tensor running_var(const Module& layer) { return layer.state_dict().tensors.at("running_var"); }
std::int64_t batches(const Module& layer) { return layer.state_dict().integers.at("num_batches_tracked").data()[0]; }

/// A batch norm layer, or with `per_instance` an instance norm layer, that keeps running statistics.
std::unique_ptr<Module> tracking(bool per_instance, std::optional<double> momentum, double eps = 1e-5) {
  if (per_instance) return std::make_unique<InstanceNorm>(5, InstanceNormOptions{eps, true, momentum, true});
  return std::make_unique<BatchNorm>(5, BatchNormOptions{eps, true, momentum, true});
}

/// A channel's mean and unbiased variance over the batch, or the means of those of the instances.
std::pair<Tensor, Tensor> new_statistics(const Tensor& x, bool per_instance) {
  const Case c = per_instance ? instance(x.shape()) : batch(x.shape());
  const Statistics s(c.set_of, x, 0);
  const std::size_t C = x.shape().back(), instances = s.mean.size() / C;
  std::vector<double> mean(C, 0), var(C, 0);
  for (std::size_t k = 0; k < s.mean.size(); ++k) {
    mean[k % C] += s.mean[k] / static_cast<double>(instances);
    var[k % C] += s.variance[k] * s.count[k] / (s.count[k] - 1) / static_cast<double>(instances);
  }
  return {tensor(mean, {C}), tensor(var, {C})};
}

/// (1 − m)·a + m·b.
Tensor mixed(const Tensor& a, const Tensor& b, double m) {
  std::vector<double> values;
  for (std::size_t i = 0; i < a.size(); ++i) values.push_back((1 - m) * at(a, i) + m * at(b, i));
  return tensor(values, a.shape());
}

constexpr double kStatistics = kDouble ? 1e-12 : 1e-5;

}  // namespace

TEST_CASE("norm layers: parameters and buffers are those that the options ask for") {
  using Keys = std::vector<std::string>;
  const Keys affine = {"bias", "weight"}, running = {"running_mean", "running_var", "num_batches_tracked"};
  CHECK(keys(BatchNorm(5)) == Keys{"bias", "running_mean", "running_var", "weight", "num_batches_tracked"});
  CHECK(keys(BatchNorm(5, {1e-5, false})) == running);
  CHECK(keys(BatchNorm(5, {1e-5, true, 0.1, false})) == affine);
  CHECK(keys(BatchNorm(5, {1e-5, false, 0.1, false})).empty());
  CHECK(keys(InstanceNorm(5)) == affine);
  CHECK(keys(InstanceNorm(5, {1e-5, false})).empty());
  CHECK(keys(InstanceNorm(5, {1e-5, false, 0.1, true})) == running);
  CHECK(keys(LayerNorm(Shape{4, 5})) == affine);
  CHECK(keys(LayerNorm(Shape{4, 5}, {1e-5, false})).empty());
  CHECK(keys(LayerNorm(5, 2, {1e-5, false})).empty());
  CHECK(keys(GroupNorm(2, 6)) == affine);
  CHECK(keys(GroupNorm(2, 6, {1e-5, false})).empty());
  CHECK(LayerNorm(Shape{4, 5}).parameters()[0].shape() == Shape{4, 5});
  CHECK(LayerNorm(5, 2).parameters()[0].shape() == Shape{5});

  const SafeTensors fresh = BatchNorm(5).state_dict();
  CHECK(identical(fresh.tensors.at("weight"), ones({5})));
  CHECK(identical(fresh.tensors.at("bias"), zeros({5})));
  CHECK(identical(fresh.tensors.at("running_mean"), zeros({5})));
  CHECK(identical(fresh.tensors.at("running_var"), ones({5})));
  CHECK(fresh.integers.at("num_batches_tracked").data()[0] == 0);
}

TEST_CASE("norm layers: the call is the function with the layer's parameters, in both modes") {
  struct Layer {
    std::unique_ptr<Module> module;
    Case as;
  };
  std::vector<Layer> layers;
  for (const double eps : {1e-5, 0.1}) {
    const BatchNormOptions untracked{eps, true, 0.1, false};
    for (const Shape& shape : {Shape{4, 6}, Shape{4, 3, 6}, Shape{3, 4, 5, 6}})
      layers.push_back({std::make_unique<BatchNorm>(6, untracked), batch(shape, eps)});
    for (const Shape& shape : {Shape{4, 3, 6}, Shape{3, 4, 5, 6}})
      layers.push_back({std::make_unique<InstanceNorm>(6, InstanceNormOptions{eps}), instance(shape, eps)});
    layers.push_back({std::make_unique<LayerNorm>(Shape{5, 6}, NormOptions{eps}), layer({3, 4, 5, 6}, 2, eps)});
    layers.push_back({std::make_unique<LayerNorm>(6, 3, NormOptions{eps}), layer({3, 4, 5, 6}, 3, eps, 1)});
    layers.push_back({std::make_unique<GroupNorm>(3, 6, NormOptions{eps}), group({3, 4, 5, 6}, 3, eps)});
  }
  for (const Layer& l : layers) {
    CAPTURE(l.as.name);
    const Example e(l.as, 31);
    SafeTensors state;
    state.tensors = {{"weight", e.gamma}, {"bias", e.beta}};
    l.module->load_state_dict(state);
    const Result expected = run(l.as.norm, e, GradientForm::Fused);
    for (const bool training : {true, false}) {
      l.module->train(training);
      l.module->zero_grad();
      const Variable x(e.x, true), y = (*l.module)(x);
      y.backward(e.dy);
      CHECK(identical(y.value(), expected.y));
      CHECK(identical(x.grad(), expected.dx));
      CHECK(identical(l.module->parameters()[0].grad(), expected.dgamma));
      CHECK(identical(l.module->parameters()[1].grad(), expected.dbeta));
    }
    CHECK(keys(*l.module).size() == 2);
  }
}

TEST_CASE("norm layers: running statistics take the share that momentum says of the new ones, or all batches alike") {
  const std::vector<Shape> shapes = {{3, 4, 5}, {2, 7, 5}, {4, 3, 5}};  // of different sizes
  for (const bool per_instance : {false, true})
    for (const GradientForm form : kForms) {
      const GradientMode mode(form);
      CAPTURE(per_instance);
      CAPTURE(form);
      const auto weighted = tracking(per_instance, 0.3), cumulative = tracking(per_instance, std::nullopt, 0.1);
      Tensor mean = zeros({5}), var = ones({5}), mean_of_all = zeros({5}), var_of_all = zeros({5});
      for (std::size_t k = 0; k < shapes.size(); ++k) {
        const Example e(shapes[k], {5}, 33 + k);
        const auto found = new_statistics(e.x, per_instance);
        mean = mixed(mean, found.first, 0.3);
        var = mixed(var, found.second, 0.3);
        mean_of_all = mixed(mean_of_all, found.first, 1 / static_cast<double>(k + 1));
        var_of_all = mixed(var_of_all, found.second, 1 / static_cast<double>(k + 1));
        (*weighted)(Variable(e.x));
        (*cumulative)(Variable(e.x));
        CHECK(max_error(running_mean(*weighted), mean) < kStatistics);
        CHECK(max_error(running_var(*weighted), var) < kStatistics);
        CHECK(max_error(running_mean(*cumulative), mean_of_all) < kStatistics);
        CHECK(max_error(running_var(*cumulative), var_of_all) < kStatistics);
        CHECK(batches(*weighted) == static_cast<std::int64_t>(k + 1));
        CHECK(batches(*cumulative) == static_cast<std::int64_t>(k + 1));
      }
    }
}

TEST_CASE("norm layers: with running statistics, evaluation uses them and changes nothing") {
  for (const bool per_instance : {false, true}) {
    CAPTURE(per_instance);
    const auto layer = tracking(per_instance, 0.1);
    const Example e({3, 4, 6, 5}, {5}, 35);
    const Variable x(e.x, true);
    const Variable trained = (*layer)(x);
    const Tensor mean = running_mean(*layer), var = running_var(*layer);

    layer->eval();
    const Variable y = (*layer)(x);
    CHECK(max_error(y.value(), trained.value()) > 0.1);
    Tensor expected(e.x.shape()), dx(e.x.shape());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double r = 1 / std::sqrt(at(var, i % 5) + 1e-5);
      expected.data()[i] = static_cast<Scalar>((at(e.x, i) - at(mean, i)) * r);
      dx.data()[i] = static_cast<Scalar>(at(e.dy, i) * r);
    }
    CHECK(max_error(y.value(), expected) < kStatistics);
    y.backward(e.dy);
    CHECK(max_error(x.grad(), dx) < kStatistics);
    CHECK(max_error(layer->parameters()[1].grad(), naive_sum_to(e.dy, {5})) < kStatistics);
    CHECK(identical(running_mean(*layer), mean));
    CHECK(identical(running_var(*layer), var));
    CHECK(batches(*layer) == 1);
    CHECK(error_of([&] { (*layer)(Variable(ones({1, 1, 1, 5}))); }) == "");  // a single value does in evaluation
  }
}

TEST_CASE("norm layers: a refused batch changes and counts nothing") {
  const Variable single(ones({1, 1, 1, 5})), wide(ones({3, 2, 2, 6}));
  const std::string one_value = "expected more than one value per statistic, x is (1, 1, 1, 5)";
  for (const bool per_instance : {false, true}) {
    const std::string name = per_instance ? "instance_norm: " : "batch_norm: ";
    const auto layer = tracking(per_instance, std::nullopt);
    CHECK(error_of([&] { (*layer)(single); }) == "ValueError: " + name + one_value);
    for (const bool training : {true, false}) {
      layer->train(training);
      CHECK(error_of([&] { (*layer)(wide); }) == "ShapeError: " + name + "expected 5 channels, x is (3, 2, 2, 6)");
    }
    CHECK(identical(running_mean(*layer), zeros({5})));
    CHECK(identical(running_var(*layer), ones({5})));
    CHECK(batches(*layer) == 0);
  }
  // Without running statistics evaluation uses the batch, too, and refuses as training does.
  BatchNorm batch_norm(5, {1e-5, true, 0.1, false});
  InstanceNorm instance_norm(5);
  for (const bool training : {true, false}) {
    batch_norm.train(training);
    instance_norm.train(training);
    CHECK(error_of([&] { batch_norm(single); }) == "ValueError: batch_norm: " + one_value);
    CHECK(error_of([&] { instance_norm(single); }) == "ValueError: instance_norm: " + one_value);
  }
}

TEST_CASE("norm layers: errors name the layer, what was expected and what came") {
  const Variable x(ones({3, 2, 4, 6}));
  const NormOptions plain{1e-5, false};
  CHECK(error_of([&] { GroupNorm(2, 4, plain)(x); }) ==
        "ShapeError: group_norm: expected 4 channels, x is (3, 2, 4, 6)");
  CHECK(error_of([&] { GroupNorm(2, 4)(x); }) == "ShapeError: group_norm: expected 4 channels, x is (3, 2, 4, 6)");
  CHECK(error_of([&] { GroupNorm(7, 30); }) == "ValueError: group_norm: 30 channels are not divisible into 7 groups");
  CHECK(error_of([&] { GroupNorm(0, 30); }) == "ValueError: group_norm: 30 channels are not divisible into 0 groups");
  const std::string last = "ShapeError: layer_norm: expected the last axes of x to be ";
  CHECK(error_of([&] { LayerNorm(Shape{2, 6}, plain)(x); }) == last + "(2, 6), x is (3, 2, 4, 6)");
  CHECK(error_of([&] { LayerNorm(Shape{1, 3, 2, 4, 6})(x); }) == last + "(1, 3, 2, 4, 6), x is (3, 2, 4, 6)");
  CHECK(error_of([&] { LayerNorm(5, 2, plain)(x); }) == last + "(5), x is (3, 2, 4, 6)");
  CHECK(error_of([&] { LayerNorm(6, 5)(x); }) ==
        "ValueError: layer_norm: expected 1 to 4 axes to normalize over for x (3, 2, 4, 6), got 5");
  CHECK(error_of([&] { LayerNorm(Shape{})(x); }) ==
        "ValueError: layer_norm: expected 1 to 4 axes to normalize over for x (3, 2, 4, 6), got 0");
}

TEST_CASE("norm layers: make_norm gives the kind that a name stands for") {
  const Example e({3, 4, 5, 6}, {6}, 37);
  const Variable x(e.x);
  const auto made = [&](const char* name) { return (*make_norm(parse_norm(name), 6, 3))(x).value(); };
  CHECK(identical(made("batch"), batch_norm(x, {}, {}, 1e-5).value()));
  CHECK(identical(made("layer"), layer_norm(x, Variable(ones({6})), {}, 3, 1e-5).value()));  // gamma (C)
  CHECK(identical(made("instance"), instance_norm(x, {}, {}, 1e-5).value()));
  CHECK(identical(made("group"), group_norm(x, {}, {}, 3, 1e-5).value()));
  CHECK(identical((*make_norm(NormKind::Group, 6, 0))(x).value(), group_norm(x, {}, {}, 6, 1e-5).value()));
  CHECK(make_norm(parse_norm("none"), 6, 3) == nullptr);
  for (const char* name : {"batch", "layer", "instance", "group", "none"}) {
    CHECK(to_string(parse_norm(name)) == name);
    if (const auto norm = make_norm(parse_norm(name), 6, 3)) CHECK(norm->parameter_count() == 12);
  }
  CHECK(error_of([] { batch_norm_forward(ones({3}), ones({3}), zeros({3})); }) ==
        "ShapeError: norm: expected x (N, …, C), got (3)");
  CHECK(error_of([] {
          instance_norm_forward(ones({2, 3}), ones({3}), zeros({3}));
        }) == "ShapeError: instance_norm: expected x (N, …, C) with axes between them, got (2, 3)");
  CHECK(error_of([] { parse_norm("btach"); }) ==
        "ValueError: unknown norm 'btach', expected one of batch, layer, instance, group, none");
  CHECK(error_of([] { make_norm(NormKind::Group, 30, 4); }) ==
        "ValueError: group_norm: 30 channels are not divisible into 4 groups");
}
