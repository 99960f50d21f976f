// Values, gradients and running statistics of the norms against PyTorch's.

#include <doctest/doctest.h>

#include <memory>

#include "tests/nn/norm/norms.hpp"
#include "tests/reference/reference.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

constexpr double kReference = kDouble ? 1e-13 : 1e-5;

/// y and all gradients of one case, analytic and derived.
void compare(const Reference::Case& at, const NormFunction& norm) {
  CAPTURE(at.name);
  const bool affine = at.has("gamma");
  for (const GradientForm form : kForms) {
    const GradientMode mode(form);
    const Variable x(at("x"), true);
    const Variable gamma = affine ? Variable(at("gamma"), true) : Variable();
    const Variable beta = affine ? Variable(at("beta"), true) : Variable();
    const Variable y = norm(x, gamma, beta);
    y.backward(at("dy"));
    CHECK(max_error(y.value(), at("y")) < kReference);
    CHECK(max_error(x.grad(), at("dx")) < kReference);
    if (!affine) continue;
    CHECK(max_error(gamma.grad(), at("dgamma")) < kReference);
    CHECK(max_error(beta.grad(), at("dbeta")) < kReference);
  }
}

/// One call of a layer; with `first`, it starts with the running statistics of the case.
void compare(const Reference::Case& at, Module& layer, bool first, bool training) {
  CAPTURE(at.name);
  SafeTensors state = layer.state_dict();
  const bool affine = state.tensors.count("weight") != 0, tracked = state.tensors.count("running_mean") != 0;
  REQUIRE(affine == at.has("gamma"));
  if (affine) {
    state.tensors["weight"] = at("gamma");
    state.tensors["bias"] = at("beta");
  }
  if (first && tracked) {
    state.tensors["running_mean"] = at("running_mean");
    state.tensors["running_var"] = at("running_var");
  }
  layer.load_state_dict(state);
  layer.zero_grad();
  layer.train(training);
  const Variable x(at("x"), true), y = layer(x);
  y.backward(at("dy"));
  CHECK(max_error(y.value(), at("y")) < kReference);
  CHECK(max_error(x.grad(), at("dx")) < kReference);
  if (affine) {
    CHECK(max_error(layer.parameters()[0].grad(), at("dgamma")) < kReference);
    CHECK(max_error(layer.parameters()[1].grad(), at("dbeta")) < kReference);
  }
  REQUIRE((tracked && training) == at.has("running_mean_after"));
  if (!at.has("running_mean_after")) return;
  const SafeTensors after = layer.state_dict();
  CHECK(max_error(after.tensors.at("running_mean"), at("running_mean_after")) < kReference);
  CHECK(max_error(after.tensors.at("running_var"), at("running_var_after")) < kReference);
  // PyTorch's instance norm does not count.
  if (at.name.find("batch") == 0)
    CHECK(after.integers.at("num_batches_tracked").data()[0] == at.integer("num_batches_tracked_after"));
}

}  // namespace

TEST_CASE("norm: values and gradients equal PyTorch's") {
  const Reference reference("norms.safetensors");
  for (const std::string name : {"nc", "nlc", "nhwc", "nhwc_large_eps", "nlc_plain"}) {
    const Reference::Case at = reference["batch_norm_train_" + name];
    compare(at, [&](const Variable& x, const Variable& g, const Variable& b) {
      Tensor mean = at("running_mean"), var = at("running_var");
      const Variable y = batch_norm(x, g, b, at.number("eps"), RunningStatistics{mean, var, at.number("momentum")});
      CHECK(max_error(mean, at("running_mean_after")) < kReference);
      CHECK(max_error(var, at("running_var_after")) < kReference);
      return y;
    });
  }
  for (const std::string name : {"nc", "nlc", "nhwc", "nlc_large_eps", "nlc_plain"}) {
    const Reference::Case at = reference["batch_norm_eval_" + name];
    compare(at, [&](const Variable& x, const Variable& g, const Variable& b) {
      return batch_norm_eval(x, g, b, at("running_mean"), at("running_var"), at.number("eps"));
    });
  }
  for (const std::string name : {"c_of_nc", "c_of_nlc", "c_of_nhwc", "c_of_nlc_large_eps", "wc_of_nhwc", "hwc_of_nhwc",
                                 "lc_of_nlc", "c_of_nhwc_plain", "lc_of_nlc_plain", "hwc_of_nhwc_plain"}) {
    const Reference::Case at = reference["layer_norm_" + name];
    const auto axes = static_cast<std::size_t>(at.integer("normalized_axes"));
    compare(at, layer(at("x").shape(), axes, at.number("eps")).norm);
  }
  const Reference::Case one_group = reference["layer_norm_one_group_nhwc"];
  compare(one_group, layer(one_group("x").shape(), 3, one_group.number("eps"), 1).norm);
  for (const std::string name :
       {"1", "2", "3", "6", "2_nc", "3_nlc", "2_nlc_large_eps", "2_nlc_plain", "3_nhwc_plain"}) {
    const Reference::Case at = reference["group_norm_" + name];
    compare(at, group(at("x").shape(), static_cast<std::size_t>(at.integer("groups")), at.number("eps")).norm);
  }
  for (const std::string name : {"nlc", "nhwc", "nlc_large_eps", "nhwc_plain"}) {
    const Reference::Case at = reference["instance_norm_" + name];
    compare(at, instance(at("x").shape(), at.number("eps")).norm);
  }
}

TEST_CASE("norm: layers in training and then in evaluation mode equal PyTorch's, with their running statistics") {
  const Reference reference("norms.safetensors");
  struct Layer {
    const char* name;
    std::size_t batches;
  };
  for (const Layer& l :
       {Layer{"batch_norm_layer_nlc", 2}, Layer{"batch_norm_layer_nhwc_plain", 2},
        Layer{"batch_norm_layer_cumulative_nc", 3}, Layer{"batch_norm_layer_cumulative_nlc_plain", 3},
        Layer{"batch_norm_layer_cumulative_nhwc", 3}, Layer{"batch_norm_layer_untracked_nlc", 1},
        Layer{"batch_norm_layer_untracked_nhwc_plain", 1}, Layer{"instance_norm_layer_nlc", 2},
        Layer{"instance_norm_layer_nhwc_plain", 2}, Layer{"instance_norm_layer_cumulative_nhwc", 3},
        Layer{"instance_norm_layer_untracked_nlc", 1}, Layer{"instance_norm_layer_untracked_nhwc_plain", 1}}) {
    const std::string name = l.name;
    const bool cumulative = contains(name, "cumulative"), tracked = !contains(name, "untracked");
    const Reference::Case first = reference[name + "_train_0"];
    const double eps = first.number("eps");
    const bool affine = first.has("gamma");
    const std::size_t channels = first("x").shape().back();
    std::optional<double> momentum;
    if (!cumulative) momentum = first.number("momentum");
    for (const GradientForm form : kForms) {
      const GradientMode mode(form);
      std::unique_ptr<Module> layer;
      if (starts_with(name, "batch"))
        layer = std::make_unique<BatchNorm>(channels, BatchNormOptions{eps, affine, momentum, tracked});
      else
        layer = std::make_unique<InstanceNorm>(channels, InstanceNormOptions{eps, affine, momentum, tracked});
      for (std::size_t k = 0; k < l.batches; ++k)
        compare(reference[fmt::format("{}_train_{}", name, k)], *layer, k == 0, true);
      compare(reference[name + "_eval"], *layer, false, false);
    }
  }
}
