// A norm followed by relu, with or without a residual, in one operation: against the separate operations.

#include <doctest/doctest.h>

#include <cmath>

#include "nn/norm/make_norm.hpp"
#include "tests/nn/norm/epilogues.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

using Spelling = Variable (*)(const Case&, const Variable&, const Variable&, const Variable&, const Variable&);

enum class Residual { None, Other, TheInput };

struct Found {
  Tensor y;
  std::vector<Tensor> gradients;  // of x, gamma, beta and, if it is another Variable, the residual
};

Found run_form(Spelling norm, const Case& c, const Example& e, Residual which, GradientForm form) {
  const GradientMode mode(form);
  Variables leaves = {Variable(e.x, true), Variable(e.gamma, true), Variable(e.beta, true)};
  if (which == Residual::Other) leaves.emplace_back(normal(e.x.shape(), 31), true);
  const Variable y = norm(c, leaves[0], leaves[1], leaves[2],
                          which == Residual::None    ? Variable()
                          : which == Residual::Other ? leaves[3]
                                                     : leaves[0]);
  y.backward(e.dy);
  Found found{y.value(), {}};
  for (const Variable& leaf : leaves) found.gradients.push_back(leaf.grad());
  return found;
}

void compare(const Case& c, double tolerance, bool derived_too) {
  CAPTURE(c.name);
  const Example e(c, 29);
  for (const Residual which : {Residual::None, Residual::Other, Residual::TheInput}) {
    CAPTURE(static_cast<int>(which));
    const Found expected = run_form(separate, c, e, which, GradientForm::Fused);
    for (const GradientForm form : kForms) {
      if (form == GradientForm::Derived && !derived_too) continue;
      CAPTURE(form);
      const Found found = run_form(fused, c, e, which, form);
      CHECK(max_error(found.y, expected.y) < tolerance);
      for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
        CAPTURE(i);
        CHECK(max_error(found.gradients[i], expected.gradients[i]) < tolerance);
        CHECK(largest(expected.gradients[i]) > 1e-3);
      }
      if (which == Residual::Other)  // exactly dy, where the result is positive
        for (std::size_t i = 0; i < e.dy.size(); ++i)
          REQUIRE(found.gradients[3].data()[i] == (found.y.data()[i] > 0 ? e.dy.data()[i] : 0));
    }
  }
}

/// Where two arrays are NaN, and where not.
bool same_nans(const Tensor& a, const Tensor& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::isnan(a.data()[i]) != std::isnan(b.data()[i])) return false;
  return a.shape() == b.shape();
}

std::string name_of(const Variable& y) { return y.node()->name; }

}  // namespace

TEST_CASE("norm epilogues: value and gradients are those of the separate operations, analytic and derived") {
  for (const Case& c : epilogue_cases()) compare(c, 10 * kSame, true);
}

TEST_CASE("norm epilogues: the same for arrays that are cut up among threads") {
  for (const Case& c : large_cases()) compare(c, kDouble ? 1e-12 : 1e-4, false);
}

TEST_CASE("norm epilogues: gamma and beta left out stand for 1 and 0") {
  for (const Case& c : {batch({4, 4, 4, 8}), layer({3, 4, 5}, 2), instance({3, 4, 4, 8}), group({3, 4, 5, 6}, 2),
                        evaluation({4, 4, 8})})
    for (const bool with_residual : {false, true}) {
      CAPTURE(c.name);
      const Example e(c, 29);
      const Tensor r = normal(c.shape, 31);
      const auto gradients = [&](Spelling form) {
        const Variable x(e.x, true), residual = with_residual ? Variable(r, true) : Variable();
        const Variable y = form(c, x, Variable(), Variable(), residual);
        y.backward(e.dy);
        return std::pair(y.value(), x.grad());
      };
      const auto [y, dx] = gradients(fused);
      const auto [expected, expected_dx] = gradients(separate);
      CHECK(max_error(y, expected) < 10 * kSame);
      CHECK(max_error(dx, expected_dx) < 10 * kSame);
    }
}

TEST_CASE("norm epilogues: only the gradients that are wanted") {
  const Case c = batch({4, 4, 4, 8});
  const Example e(c, 29);
  const Tensor r = normal(c.shape, 31);
  const std::vector<Tensor> values = {e.x, e.gamma, e.beta, r};
  const Found all = run_form(fused, c, e, Residual::Other, GradientForm::Fused);
  for (std::size_t wanted = 0; wanted < 4; ++wanted) {
    Variables v;
    for (std::size_t i = 0; i < 4; ++i) v.emplace_back(values[i], i == wanted);
    fused(c, v[0], v[1], v[2], v[3]).backward(e.dy);
    for (std::size_t i = 0; i < 4; ++i) CHECK(v[i].has_grad() == (i == wanted));
    CHECK(identical(v[wanted].grad(), all.gradients[wanted]));
  }
}

TEST_CASE("norm epilogues: running statistics are those of the norm alone, to the bit") {
  const Shape shape = {3, 4, 4, 8};
  const Example e(shape, {8}, 29);
  const Variable x(e.x, true), gamma(e.gamma), beta(e.beta), residual(normal(shape, 31));
  for (const bool of_instances : {false, true}) {
    const auto update = [&](const Epilogue& epilogue) {
      std::pair<Tensor, Tensor> running(normal({8}, 1), positive({8}, 2));
      const RunningStatistics statistics{running.first, running.second, 0.3};
      of_instances ? instance_norm(x, gamma, beta, 1e-5, statistics, epilogue)
                   : batch_norm(x, gamma, beta, 1e-5, statistics, epilogue);
      return running;
    };
    for (const GradientForm form : kForms) {
      const GradientMode mode(form);
      const auto expected = update({});
      CHECK(max_error(expected.first, normal({8}, 1)) > 1e-2);
      for (const Epilogue& epilogue : {Epilogue{true, {}}, Epilogue{true, residual}}) {
        const auto found = update(epilogue);
        CHECK(identical(found.first, expected.first));
        CHECK(identical(found.second, expected.second));
      }
    }
  }
}

TEST_CASE("norm epilogues: NaN stays NaN, in x and in the residual") {
  for (const Case& c : {batch({4, 4, 4, 8}), batch({7, 5}), layer({3, 4, 4, 8}, 3, 1e-5, 1), instance({3, 4, 4, 8}),
                        group({3, 4, 4, 8}, 2), evaluation({4, 4, 8})}) {
    CAPTURE(c.name);
    Example e(c, 29);
    e.x.data()[3] = std::numeric_limits<Scalar>::quiet_NaN();
    for (const Residual which : {Residual::None, Residual::Other, Residual::TheInput}) {
      const Found expected = run_form(separate, c, e, which, GradientForm::Fused),
                  found = run_form(fused, c, e, which, GradientForm::Fused);
      CHECK(std::isnan(found.y.data()[3]));
      CHECK_FALSE(same_nans(expected.y, full(c.shape, 1)));
      CHECK_FALSE(same_nans(expected.y, full(c.shape, std::numeric_limits<Scalar>::quiet_NaN())));
      CHECK(same_nans(found.y, expected.y));
      for (std::size_t i = 0; i < expected.gradients.size(); ++i)
        CHECK(same_nans(found.gradients[i], expected.gradients[i]));
      if (which == Residual::Other) CHECK(identical(found.gradients[3], expected.gradients[3]));
    }
    const Example good(c, 29);
    Tensor r = zeros(c.shape);
    r.data()[5] = std::numeric_limits<Scalar>::quiet_NaN();
    const Tensor y = fused(c, Variable(good.x), Variable(good.gamma), Variable(good.beta), Variable(r)).value();
    for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(std::isnan(y.data()[i]) == (i == 5));
  }
}

TEST_CASE("norm epilogues: a residual without relu, or of another shape, is refused") {
  const Shape shape = {3, 4, 4, 8};
  const Tensor statistics = ones({8});
  const std::vector<std::pair<std::string, Case>> norms = {{"batch_norm", batch(shape)},
                                                           {"batch_norm", evaluation(shape)},
                                                           {"layer_norm", layer(shape, 3, 1e-5, 1)},
                                                           {"instance_norm", instance(shape)},
                                                           {"group_norm", group(shape, 2)}};
  for (const auto& entry : norms)  // not [name, c]: clang 14 captures no structured bindings
    for (const GradientForm form : kForms) {
      const std::string& name = entry.first;
      const Case& c = entry.second;
      CAPTURE(c.name);
      const GradientMode mode(form);
      const auto error = [&, &norm = c.with_epilogue](const Epilogue& epilogue) {
        return error_of([&] { norm(Variable(ones(shape)), {}, {}, epilogue); });
      };
      CHECK(error({false, Variable(ones(shape))}) == "ValueError: " + name + ": a residual is for the form with relu");
      CHECK(error({true, Variable(ones({4, 4, 8}))}) ==
            "ShapeError: " + name + ": expected a residual of x's shape (3, 4, 4, 8), got (4, 4, 8)");
      CHECK(error({true, Variable(ones({3, 4, 4, 1}))}) ==
            "ShapeError: " + name + ": expected a residual of x's shape (3, 4, 4, 8), got (3, 4, 4, 1)");
      CHECK(error({true, Variable(ones(shape))}) == "");
    }
  Tensor mean = zeros({8}), var = ones({8});  // a refused call has changed nothing
  CHECK(error_of([&] {
          batch_norm(Variable(normal(shape, 1)), {}, {}, 1e-5, RunningStatistics{mean, var, 0.1},
                     {false, Variable(ones(shape))});
        }) != "");
  CHECK(identical(mean, zeros({8})));
}

TEST_CASE("norm epilogues: the layers take them, in one operation, or in several where a hook looks on") {
  const std::vector<std::pair<NormKind, std::string>> kinds = {{NormKind::Batch, "batch_norm"},
                                                               {NormKind::Layer, "layer_norm"},
                                                               {NormKind::Instance, "instance_norm"},
                                                               {NormKind::Group, "group_norm"}};
  const Variable x(normal({3, 4, 4, 8}, 1), true), residual(normal({3, 4, 4, 8}, 2), true);
  for (const auto& entry : kinds)
    for (const bool training : {true, false}) {
      const std::string& name = entry.second;
      CAPTURE(name);
      const NormKind kind = entry.first;
      const auto norm = make_norm(kind, 8, 2);
      norm->parameters()[0].mutable_value() = normal({8}, 3);
      norm->parameters()[1].mutable_value() = normal({8}, 4);
      norm->train(training);
      const std::string fused_name = name + (kind == NormKind::Batch && !training ? "_eval" : "");
      const Variable plain = (*norm)(x), with_relu = (*norm)(x, {true, {}}), added = (*norm)(x, {true, residual});
      CHECK(name_of(plain) == fused_name);
      CHECK(name_of(with_relu) == fused_name + "_relu");
      CHECK(name_of(added) == fused_name + "_add_relu");
      CHECK(name_of((*norm)(x, {})) == fused_name);
      CHECK(max_error(with_relu.value(), relu(plain).value()) < 10 * kSame);
      CHECK(max_error(added.value(), relu(plain + residual).value()) < 10 * kSame);
      CHECK(name_of(activated(norm.get(), x)) == fused_name + "_relu");
      CHECK(name_of(activated(norm.get(), x, residual)) == fused_name + "_add_relu");
      CHECK(max_error(activated(norm.get(), x, residual).value(), added.value()) < 10 * kSame);

      std::vector<Tensor> seen;
      norm->add_forward_hook([&](Module&, const Variable& input, const Variable& output) {
        CHECK(identical(input.value(), x.value()));
        seen.push_back(output.value());
      });
      CHECK(name_of((*norm)(x, {true, {}})) == "relu");
      const Variable watched = (*norm)(x, {true, residual});
      CHECK(name_of(watched) == "add_relu");
      CHECK(max_error(watched.value(), added.value()) < 10 * kSame);
      CHECK(name_of((*norm)(x, {})) == fused_name);
      REQUIRE(seen.size() == 3);
      for (const Tensor& output : seen) CHECK(max_error(output, plain.value()) < 10 * kSame);
    }
  CHECK(identical(activated(nullptr, x).value(), relu(x).value()));
  CHECK(identical(activated(nullptr, x, residual).value(), relu(x + residual).value()));
  CHECK(name_of(activated(nullptr, x)) == "relu");
  CHECK(name_of(activated(nullptr, x, residual)) == "add_relu");
}

TEST_CASE("norm epilogues: the layers count batches and keep running statistics, with an epilogue as without") {
  const auto state_after = [](const Epilogue& epilogue, bool hook) {
    BatchNorm norm(8);
    if (hook) norm.add_forward_hook([](Module&, const Variable&, const Variable&) {});
    norm(Variable(normal({3, 4, 4, 8}, 1)), epilogue);
    norm(Variable(normal({3, 4, 4, 8}, 2)), epilogue);
    return norm.state_dict();
  };
  const SafeTensors expected = state_after({}, false);
  CHECK(equals(expected.integers.at("num_batches_tracked"), {2}, {}));
  for (const bool hook : {false, true}) {
    const SafeTensors found = state_after({true, Variable(ones({3, 4, 4, 8}))}, hook);
    CHECK(equals(found.integers.at("num_batches_tracked"), {2}, {}));
    for (const char* buffer : {"running_mean", "running_var"})
      CHECK(identical(found.tensors.at(buffer), expected.tensors.at(buffer)));
  }
}
