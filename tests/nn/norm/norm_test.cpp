#include "nn/norm/norm.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/gradcheck.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"
#include "tests/reference/reference.hpp"

using namespace xtg;
using namespace xtg::nn;

namespace {

using Norm = std::function<Variable(const Variable& x, const Variable& gamma, const Variable& beta)>;

/// x with a scale and an offset of its own in each channel, gamma of both signs, beta, and a random upstream gradient.
struct Example {
  explicit Example(const Shape& shape, const Shape& affine_shape, std::uint64_t seed) {
    Generator g(seed);
    const std::size_t C = shape.back();
    x = random_normal(shape, g);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto c = static_cast<double>(i % C);
      x.data()[i] = static_cast<Scalar>(static_cast<double>(x.data()[i]) * (0.5 + 0.7 * c) + 3 - 1.3 * c);
    }
    gamma = random_uniform(affine_shape, g, 0.5, 2);
    for (std::size_t i = 0; i < gamma.size(); i += 2) gamma.data()[i] *= -1;
    beta = random_normal(affine_shape, g);
    dy = random_normal(shape, g);
  }
  Tensor x, gamma, beta, dy;
};

struct Result {
  Tensor y, dx, dgamma, dbeta;
};

Result run(const Norm& norm, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& dy, bool derived) {
  const DerivedGradients mode(derived);
  const Variable vx(x, true), vg(gamma, true), vb(beta, true);
  const Variable y = norm(vx, vg, vb);
  y.backward(dy);
  return {y.value(), vx.grad(), vg.grad(), vb.grad()};
}

double largest(const Tensor& x) {
  double m = 0;
  for (std::size_t i = 0; i < x.size(); ++i) m = std::max(m, std::abs(static_cast<double>(x.data()[i])));
  return m;
}

struct Case {
  const char* name;
  Shape shape, affine_shape;
  Norm norm;
  std::size_t groups;  // for the naive forward: 0 batch, else groups; 1 = one group, C = instance
};

Norm batch(double eps) {
  return [eps](const Variable& x, const Variable& g, const Variable& b) { return batch_norm(x, g, b, eps); };
}
Norm layer(std::size_t axes, double eps) {
  return
      [axes, eps](const Variable& x, const Variable& g, const Variable& b) { return layer_norm(x, g, b, axes, eps); };
}
Norm instance(double eps) {
  return [eps](const Variable& x, const Variable& g, const Variable& b) { return instance_norm(x, g, b, eps); };
}
Norm group(std::size_t groups, double eps) {
  return [groups, eps](const Variable& x, const Variable& g, const Variable& b) {
    return group_norm(x, g, b, groups, eps);
  };
}

constexpr std::size_t kNoNaive = 1000;

std::vector<Case> cases() {
  const double eps = 1e-5;
  return {
      {"batch (N,C)", {7, 5}, {5}, batch(eps), 0},
      {"batch (N,L,C)", {4, 3, 5}, {5}, batch(eps), 0},
      {"batch (N,H,W,C)", {3, 4, 5, 6}, {6}, batch(eps), 0},
      {"batch large eps", {3, 4, 2, 6}, {6}, batch(0.1), 0},
      {"batch two values", {2, 3}, {3}, batch(0.1), 0},
      {"layer (N,C)", {7, 5}, {5}, layer(1, eps), 1},
      {"layer last axis of images", {2, 3, 4, 6}, {6}, layer(1, eps), kNoNaive},
      {"layer (W,C)", {2, 3, 4, 6}, {4, 6}, layer(2, eps), kNoNaive},
      {"layer (H,W,C), gamma (H,W,C)", {3, 2, 4, 5}, {2, 4, 5}, layer(3, eps), kNoNaive},
      {"layer (H,W,C), gamma (C)", {3, 4, 5, 6}, {6}, layer(3, eps), 1},
      {"layer large eps", {3, 4, 5, 6}, {6}, layer(3, 0.1), 1},
      {"instance (N,L,C)", {4, 7, 5}, {5}, instance(eps), 5},
      {"instance (N,H,W,C)", {3, 4, 5, 6}, {6}, instance(eps), 6},
      {"instance large eps", {2, 4, 5, 3}, {3}, instance(0.1), 3},
      {"group 2 of 6", {3, 4, 5, 6}, {6}, group(2, eps), 2},
      {"group 3 of 6", {2, 5, 4, 6}, {6}, group(3, eps), 3},
      {"group 6 of 6", {2, 5, 4, 6}, {6}, group(6, eps), 6},
      {"group 1 of 6", {2, 5, 4, 6}, {6}, group(1, eps), 1},
      {"group (N,C)", {4, 6}, {6}, group(2, eps), 2},
      {"group large eps", {3, 2, 5, 4}, {4}, group(2, 0.1), 2},
  };
}

/// y by loops over every element of a set: the set of batch norm is a channel (groups = 0), else a sample's group.
Tensor naive(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t groups, double eps) {
  const std::size_t C = x.shape().back(), N = x.shape()[0], R = x.size() / (N * C);
  const auto same_set = [&](std::size_t i, std::size_t j) {
    if (groups == 0) return i % C == j % C;
    const std::size_t d = C / groups;
    return i / (R * C) == j / (R * C) && i % C / d == j % C / d;
  };
  Tensor y(x.shape());
  for (std::size_t i = 0; i < x.size(); ++i) {
    double n = 0, sum = 0, squares = 0;
    for (std::size_t j = 0; j < x.size(); ++j)
      if (same_set(i, j)) {
        n += 1;
        sum += static_cast<double>(x.data()[j]);
      }
    for (std::size_t j = 0; j < x.size(); ++j)
      if (same_set(i, j)) squares += std::pow(static_cast<double>(x.data()[j]) - sum / n, 2);
    const double x_hat = (static_cast<double>(x.data()[i]) - sum / n) / std::sqrt(squares / n + eps);
    y.data()[i] =
        static_cast<Scalar>(static_cast<double>(gamma.data()[i % C]) * x_hat + static_cast<double>(beta.data()[i % C]));
  }
  return y;
}

#ifdef XTGRAD_DOUBLE
constexpr double kExact = 1e-10, kReference = 1e-6, kNaive = 1e-12;
#else
constexpr double kExact = 2e-4, kReference = 2e-4, kNaive = 1e-4;
#endif

}  // namespace

TEST_CASE("norm: forward equals naive loops over each set") {
  for (const Case& c : cases()) {
    if (c.groups == kNoNaive) continue;
    CAPTURE(c.name);
    const Example e(c.shape, c.affine_shape, 3);
    const double eps =
        std::string(c.name).find("eps") != std::string::npos || c.shape[0] * c.shape[1] == 6 ? 0.1 : 1e-5;
    const Tensor expected = naive(e.x, e.gamma, e.beta, c.groups, eps);
    CHECK(relative_error(c.norm(Variable(e.x), Variable(e.gamma), Variable(e.beta)).value(), expected) < kNaive);
  }
}

TEST_CASE("norm: the tape's gradients of the definition equal the analytic ones") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Example e(c.shape, c.affine_shape, 5);
    const Result analytic = run(c.norm, e.x, e.gamma, e.beta, e.dy, false);
    const Result derived = run(c.norm, e.x, e.gamma, e.beta, e.dy, true);
    CHECK(largest(derived.dx) > 1e-2);
    CHECK(largest(derived.dgamma) > 1e-1);
    CHECK(relative_error(analytic.y, derived.y) < kExact);
    CHECK(relative_error(analytic.dx, derived.dx) < kExact);
    CHECK(relative_error(analytic.dgamma, derived.dgamma) < kExact);
    CHECK(relative_error(analytic.dbeta, derived.dbeta) < kExact);
  }
}

#ifdef XTGRAD_DOUBLE
TEST_CASE("norm: both gradients equal central differences") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Example e(c.shape, c.affine_shape, 7);
    const GradientCheck check =
        check_gradients([&](const Variables& v) { return c.norm(v[0], v[1], v[2]); }, {e.x, e.gamma, e.beta});
    CHECK_MESSAGE(check.ok, check.text());
    for (const InputReport& r : check.inputs) CHECK(r.largest_gradient > 1e-2);
  }
}

TEST_CASE("norm: second derivatives, through the definitions, equal differences of gradients") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Example e(c.shape, c.affine_shape, 9);
    Generator g(11);
    const Tensor u = random_normal(c.shape, g);
    // The gradient's own gradient: f(x) = <u, dL/dx>, checked against finite differences of f.
    const GradientCheck check = check_gradients(
        [&](const Variables& v) {
          const NoGrad recording_on(false);
          const Variables x = {v[0].requires_grad() ? v[0] : Variable(v[0].value(), true),
                               v[1].requires_grad() ? v[1] : Variable(v[1].value(), true), v[2]};
          GradOptions options;
          options.create_graph = true;
          const Variable y = c.norm(x[0], x[1], x[2]);
          const Variables d = grad({y}, {x[0], x[1]}, {Variable(e.dy)}, options);
          return sum(d[0] * Variable(u)) + sum(d[1] * d[1]);
        },
        {e.x, e.gamma, e.beta});
    for (const std::size_t i : {0, 1}) {
      CHECK_MESSAGE(check.inputs[i].verdict == "ok", check.text());
      CHECK(check.inputs[i].largest_gradient > 1e-3);
    }
  }
}

TEST_CASE("norm: one Variable as input, gamma and beta at once") {
  Generator g(13);
  const Tensor x = random_normal({3, 4, 5, 4}, g);
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    const Variable a(random_normal({4, 4}, g), true);  // used as x (N, C) and, its row sums, as gamma and beta
    const Variable v = sum(a, {0});
    for (const Norm& norm : {batch(1e-5), layer(1, 1e-5), group(2, 1e-5)}) {
      const auto f = [&](const Variables& in) { return norm(in[0], sum(in[0], {0}), sum(in[0], {0})); };
      CHECK(check_gradients(f, {a.value()}).ok);
    }
  }
  // The very same Variable in two places: gamma is beta.
  const auto twice = [](const Variables& in) { return batch_norm(in[0], in[1], in[1], 1e-5); };
  CHECK(check_gradients(twice, {x, random_normal({4}, g)}).ok);
}
#endif

TEST_CASE("norm: dx has mean 0 over each set and no part along x_hat but eps") {
  const double eps = 0.05;
  const Example e({3, 4, 5, 6}, {6}, 15);
  const auto check = [&](const Tensor& dx, std::size_t groups, const NormForward& f, auto statistic_of) {
    const std::size_t C = 6, S = f.mean.size();
    std::vector<double> sum(S, 0), along(S, 0), dx_hat_along(S, 0), size(S, 0);
    for (std::size_t i = 0; i < dx.size(); ++i) {
      const std::size_t s = statistic_of(i);
      const double r = f.rstd.data()[s],
                   x_hat = (static_cast<double>(e.x.data()[i]) - static_cast<double>(f.mean.data()[s])) * r;
      sum[s] += static_cast<double>(dx.data()[i]);
      along[s] += static_cast<double>(dx.data()[i]) * x_hat;
      dx_hat_along[s] += static_cast<double>(e.gamma.data()[i % C]) * static_cast<double>(e.dy.data()[i]) * x_hat;
      size[s] += std::abs(static_cast<double>(dx.data()[i]));
    }
    for (std::size_t s = 0; s < S; ++s) {
      const double r = f.rstd.data()[s];
      CAPTURE(groups);
      CHECK(std::abs(sum[s]) < kExact * size[s]);
      // <dx, x̂> = r · Σ dx̂·x̂ · (1 − <x̂²>), and <x̂²> = v/(v + eps) = 1 − eps·r²
      CHECK(std::abs(along[s] - r * dx_hat_along[s] * eps * r * r) < 10 * kExact * size[s]);
    }
  };
  const NormForward b = batch_norm_forward(e.x, e.gamma, e.beta, eps);
  check(batch_norm_backward(e.dy, e.x, b.mean, b.rstd, e.gamma).dx, 0, b, [](std::size_t i) { return i % 6; });
  const NormForward l = layer_norm_forward(e.x, e.gamma, e.beta, 3, eps);
  check(layer_norm_backward(e.dy, e.x, l.mean, l.rstd, e.gamma).dx, 1, l, [](std::size_t i) { return i / 120; });
  const NormForward n = instance_norm_forward(e.x, e.gamma, e.beta, eps);
  check(instance_norm_backward(e.dy, e.x, n.mean, n.rstd, e.gamma).dx, 6, n,
        [](std::size_t i) { return i / 120 * 6 + i % 6; });
  const NormForward g = group_norm_forward(e.x, e.gamma, e.beta, 3, eps);
  check(group_norm_backward(e.dy, e.x, g.mean, g.rstd, e.gamma).dx, 3, g,
        [](std::size_t i) { return i / 120 * 3 + i % 6 / 2; });
}

TEST_CASE("norm: group norm with one group is layer norm over (H,W,C), with C groups instance norm") {
  const Example e({3, 4, 5, 6}, {6}, 17);
  const auto equal = [&](const Norm& a, const Norm& b) {
    const Result ra = run(a, e.x, e.gamma, e.beta, e.dy, false), rb = run(b, e.x, e.gamma, e.beta, e.dy, false);
    CHECK(relative_error(ra.y, rb.y) < kExact);
    CHECK(relative_error(ra.dx, rb.dx) < kExact);
    CHECK(relative_error(ra.dgamma, rb.dgamma) < kExact);
    CHECK(relative_error(ra.dbeta, rb.dbeta) < kExact);
  };
  equal(group(1, 1e-5), layer(3, 1e-5));
  equal(group(6, 1e-5), instance(1e-5));
}

TEST_CASE("norm: values and gradients equal PyTorch's") {
  const Reference reference("norms.safetensors");
  const auto compare = [&](const std::string& name, const Norm& norm) {
    CAPTURE(name);
    const Reference::Case at = reference[name];
    const bool affine = at.has("gamma");
    for (const bool derived : {false, true}) {
      const DerivedGradients mode(derived);
      const Variable x(at("x"), true);
      const Variable gamma = affine ? Variable(at("gamma"), true) : Variable();
      const Variable beta = affine ? Variable(at("beta"), true) : Variable();
      const Variable y = norm(x, gamma, beta);
      y.backward(at("dy"));
      CHECK(relative_error(y.value(), at("y")) < kReference);
      CHECK(relative_error(x.grad(), at("dx")) < kReference);
      if (!affine) continue;
      CHECK(relative_error(gamma.grad(), at("dgamma")) < kReference);
      CHECK(relative_error(beta.grad(), at("dbeta")) < kReference);
    }
  };
  for (const std::string name : {"nc", "nlc", "nhwc", "nhwc_large_eps", "nlc_plain"}) {
    const Reference::Case at = reference["batch_norm_train_" + name];
    compare(at.name, [&](const Variable& x, const Variable& g, const Variable& b) {
      Tensor mean = at("running_mean"), var = at("running_var");
      const Variable y = batch_norm(x, g, b, at.number("eps"), RunningStatistics{mean, var, at.number("momentum")});
      CHECK(relative_error(mean, at("running_mean_after")) < kReference);
      CHECK(relative_error(var, at("running_var_after")) < kReference);
      return y;
    });
  }
  for (const std::string name : {"nc", "nhwc", "nlc_large_eps", "nlc_plain"}) {
    const Reference::Case at = reference["batch_norm_eval_" + name];
    compare(at.name, [&](const Variable& x, const Variable& g, const Variable& b) {
      return batch_norm_eval(x, g, b, at("running_mean"), at("running_var"), at.number("eps"));
    });
  }
  for (const std::string name :
       {"c_of_nc", "c_of_nlc", "c_of_nhwc", "c_of_nlc_large_eps", "wc_of_nhwc", "hwc_of_nhwc", "lc_of_nlc_plain"}) {
    const Reference::Case at = reference["layer_norm_" + name];
    compare(at.name, layer(static_cast<std::size_t>(at.integer("normalized_axes")), at.number("eps")));
  }
  compare("layer_norm_one_group_nhwc", layer(3, reference("layer_norm_one_group_nhwc/eps").data()[0]));
  for (const std::string name : {"1", "2", "3", "6", "2_nc", "3_nlc", "2_nlc_large_eps", "2_nlc_plain"}) {
    const Reference::Case at = reference["group_norm_" + name];
    compare(at.name, group(static_cast<std::size_t>(at.integer("groups")), at.number("eps")));
  }
  for (const std::string name : {"nlc", "nhwc", "nlc_large_eps", "nhwc_plain"}) {
    const Reference::Case at = reference["instance_norm_" + name];
    compare(at.name, instance(at.number("eps")));
  }
}

TEST_CASE("norm: the batch norm layer trains with the batch, evaluates with the running statistics") {
  const Example e({3, 4, 5, 6}, {6}, 19);
  BatchNorm layer_under_test(6);
  const Tensor before = layer_under_test.state_dict().tensors.at("running_var");
  const Variable trained = layer_under_test(Variable(e.x));
  SafeTensors state = layer_under_test.state_dict();
  CHECK(state.integers.at("num_batches_tracked").data()[0] == 1);
  CHECK(relative_error(state.tensors.at("running_var"), before) > 0.01);

  layer_under_test.eval();
  const Variable evaluated = layer_under_test(Variable(e.x));
  CHECK(relative_error(evaluated.value(), trained.value()) > 0.1);
  const Tensor expected = batch_norm_eval(Variable(e.x), Variable(), Variable(), state.tensors.at("running_mean"),
                                          state.tensors.at("running_var"), 1e-5)
                              .value();
  CHECK(relative_error(evaluated.value(), expected) < kExact);
  const SafeTensors after = layer_under_test.state_dict();
  CHECK(after.integers.at("num_batches_tracked").data()[0] == 1);
  CHECK(after.tensors.at("running_mean") == state.tensors.at("running_mean"));
  CHECK_NOTHROW(layer_under_test(Variable(ones({1, 1, 1, 6}))));  // a single value is fine in evaluation
}

TEST_CASE("norm: a constant channel stays finite and gives beta") {
  Example e({3, 4, 5, 6}, {6}, 21);
  for (std::size_t i = 0; i < e.x.size(); i += 6) e.x.data()[i] = 7;
  for (const Norm& norm : {batch(1e-5), instance(1e-5), group(6, 1e-5)}) {
    const Result r = run(norm, e.x, e.gamma, e.beta, e.dy, false);
    for (std::size_t i = 0; i < r.y.size(); i += 6)
      CHECK(static_cast<double>(r.y.data()[i]) == doctest::Approx(static_cast<double>(e.beta.data()[0])));
    CHECK(std::isfinite(largest(r.dx)));
  }
}

TEST_CASE("norm: errors name the operation, what was expected and what came") {
  const Variable x(ones({8, 4, 4, 30}));
  CHECK_THROWS_WITH_AS(group_norm(x, {}, {}, 4, 1e-5),
                       "group_norm: 30 channels are not divisible into 4 groups, x is (8, 4, 4, 30)", ValueError);
  CHECK_THROWS_WITH_AS(GroupNorm(7, 30), "group_norm: 30 channels are not divisible into 7 groups", ValueError);
  CHECK_THROWS_WITH_AS(GroupNorm(0, 30), "group_norm: 30 channels are not divisible into 0 groups", ValueError);
  CHECK_THROWS_WITH_AS(batch_norm(Variable(ones({1, 1, 1, 3})), {}, {}, 1e-5),
                       "batch_norm: expected more than one value per statistic, x is (1, 1, 1, 3)", ValueError);
  CHECK_THROWS_WITH_AS(instance_norm(Variable(ones({5, 1, 1, 3})), {}, {}, 1e-5),
                       "instance_norm: expected more than one value per statistic, x is (5, 1, 1, 3)", ValueError);
  CHECK_THROWS_WITH_AS(batch_norm(x, Variable(ones({4})), {}, 1e-5),
                       "batch_norm: expected gamma and beta of shape (30) for x (8, 4, 4, 30), got (4) and (30)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(batch_norm(Variable(ones({3})), {}, {}, 1e-5),
                       "batch_norm: expected x (N, …, C) without empty axes, got (3)", ShapeError);
  CHECK_THROWS_WITH_AS(layer_norm(x, {}, {}, 5, 1e-5),
                       "layer_norm: expected 1 to 4 axes to normalize over for x (8, 4, 4, 30), got 5", ValueError);
  CHECK_THROWS_WITH_AS(BatchNorm(6)(x), "batch_norm: expected 6 channels, x is (8, 4, 4, 30)", ShapeError);
  CHECK_THROWS_WITH_AS(parse_norm("btach"), "unknown norm 'btach', expected one of batch, layer, instance, group, none",
                       ValueError);
  // Group and layer norm accept one value per statistic: x_hat is 0, and the result is beta.
  const Tensor beta = arange(3);
  const Tensor y = group_norm(Variable(full({2, 1, 1, 3}, 5)), {}, Variable(beta), 3, 1e-5).value();
  for (std::size_t i = 0; i < 6; ++i) CHECK(y.data()[i] == beta.data()[i % 3]);
}
