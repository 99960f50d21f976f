// Derivatives of the norms, first to third, held against finite differences; and backwards with one mistake each, which
// the check must find. In double.

#include <doctest/doctest.h>

#include "autograd/operation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/nn/norm/norms.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

using Function = std::function<Variable(const Variables&)>;

Function of_three(const NormFunction& norm) {
  return [norm](const Variables& v) { return norm(v[0], v[1], v[2]); };
}

/// v -> d<w, f(v)>/d(v[0]) with random weights w, recorded: it can be differentiated again.
Function derivative(const Function& f, std::uint64_t seed) {
  return [=](const Variables& v) {
    const NoGrad record(false);  // finite differences evaluate with recording off and constant inputs
    const Variable x = v[0].requires_grad() ? v[0] : Variable(v[0].value(), true);
    const Variable y = f({x});
    GradOptions options;
    options.create_graph = true;
    return grad({y}, {x}, {Variable(normal(y.shape(), seed))}, options)[0];
  };
}

}  // namespace

TEST_CASE("norm: both gradients equal central differences") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Example e(c, 7);
    const GradientCheck check = check_gradients(of_three(c.norm), {e.x, e.gamma, e.beta});
    CHECK_MESSAGE(check.ok, check.text());
    for (const InputReport& r : check.inputs) CHECK(r.largest_gradient > 1e-2);
    const GradientCheck plain =
        check_gradients([&](const Variables& v) { return c.norm(v[0], {}, {}); }, {e.x});  // affine off
    CHECK_MESSAGE(plain.ok, plain.text());
  }
}

TEST_CASE("norm: evaluation mode, value and both gradients, against the formula and central differences") {
  for (const Shape& shape : {Shape{7, 5}, Shape{4, 3, 5}, Shape{3, 4, 2, 5}, Shape{1, 5}})
    for (const double eps : {1e-5, 0.1}) {
      CAPTURE(to_string(shape));
      const Example e(shape, {5}, 25);
      const NormFunction norm = evaluation(shape, eps).norm;
      const Tensor mean = normal({5}, 21), var = positive({5}, 22);
      Tensor y(shape), dx(shape);
      for (std::size_t i = 0; i < y.size(); ++i) {
        const double r = 1 / std::sqrt(at(var, i % 5) + eps);
        y.data()[i] = at(e.gamma, i) * (at(e.x, i) - at(mean, i)) * r + at(e.beta, i);
        dx.data()[i] = at(e.gamma, i) * r * at(e.dy, i);
      }
      for (const GradientForm form : kForms) {
        const Result found = run(norm, e, form);
        CHECK(max_error(found.y, y) < kRounding);
        CHECK(max_error(found.dx, dx) < kRounding);
      }
      const GradientCheck check = check_gradients(of_three(norm), {e.x, e.gamma, e.beta});
      CHECK_MESSAGE(check.ok, check.text());
      for (const InputReport& r : check.inputs) CHECK(r.largest_gradient > 1e-2);
    }
}

TEST_CASE("norm: second derivatives, through the definitions, equal differences of gradients") {
  std::vector<Case> all = cases();
  for (const Shape& shape : {Shape{7, 5}, Shape{3, 4, 2, 5}}) all.push_back(evaluation(shape));
  for (const Case& c : all) {
    CAPTURE(c.name);
    const Example e(c, 9);
    // Squared, for y is straight in gamma and beta, and in evaluation mode in x.
    const auto curved = [&](const Variables& v) { return square(c.norm(v[0], v[1], v[2])); };
    CHECK(check_two_orders(curved, {e.x, e.gamma, e.beta}) == "");
  }
}

TEST_CASE("norm: third derivatives in x equal differences of second derivatives") {
  for (const Case& c :
       {batch({4, 3}, 0.1), layer({3, 4}, 1, 0.1), instance({2, 4, 2}, 0.1), group({2, 3, 4}, 2, 0.1)}) {
    CAPTURE(c.name);
    const Example e(c, 11);
    const Function f = [&](const Variables& v) { return c.norm(v[0], Variable(e.gamma), Variable(e.beta)); };
    const GradientCheck check = check_gradients(derivative(derivative(f, 12), 13), {e.x});
    CHECK_MESSAGE(check.ok, check.text());
    CHECK(check.inputs[0].largest_gradient > 0.1);
  }
}

TEST_CASE("norm: one Variable in several places") {
  const Tensor x = normal({3, 4, 5, 4}, 13), square_one = normal({4, 4}, 14), one_row = normal({4}, 15);
  for (const Case& c : {batch({4, 4}), layer({4, 4}, 1), group({4, 4}, 2), instance({3, 4, 5, 4})}) {
    CAPTURE(c.name);
    // The very same Variable: gamma is beta.
    const auto twice = [&](const Variables& v) { return c.norm(v[0], v[1], v[1]); };
    const Tensor& input = c.shape.size() == 4 ? x : square_one;
    CHECK(check_gradients(twice, {input, one_row}).ok);
    CHECK(check_two_orders([&](const Variables& v) { return square(twice(v)); }, {input, one_row}) == "");
    const auto from_one = [&](const Variables& v) {  // gamma and beta computed from x
      const Variable s = mean(v[0], c.shape.size() == 4 ? Axes{0, 1, 2} : Axes{0});
      return c.norm(v[0], s, s);
    };
    CHECK(check_gradients(from_one, {input}).ok);
  }
  // All three at once.
  const auto all = [](const Variables& v) { return layer_norm(v[0], v[0], v[0], 1, 0.1); };
  CHECK(check_gradients(all, {normal({5}, 16)}).ok);
  CHECK(check_two_orders(all, {normal({5}, 16)}) == "");
}

namespace {

enum class Mistake { None, MeanPathMissing, VariancePathMissing, EpsForgotten, WrongSet, GammaPulledOut, MMinusOne };

/// A backward from the formulas, in loops, but for the mistake; `wrong_set` is the one to take where it should not be.
AnalyticGradients slow_backward(const Case& c, Mistake mistake, const SetOf& wrong_set, const Tensor& dy,
                                const Tensor& x, const Tensor& gamma) {
  const Statistics s(c.set_of, x, mistake == Mistake::EpsForgotten ? 0 : c.eps);
  const SetOf& averaged = mistake == Mistake::WrongSet ? wrong_set : c.set_of;
  const bool pulled_out = mistake == Mistake::GammaPulledOut;
  const auto inner = [&](std::size_t i) { return (pulled_out ? 1 : at(gamma, i)) * at(dy, i); };  // dx̂, or dy
  const auto means = [&](const auto& term) {
    std::vector<double> m = set_sums(averaged, x.size(), term);
    const std::vector<double> count = set_sums(averaged, x.size(), [](std::size_t) { return 1.0; });
    for (std::size_t k = 0; k < m.size(); ++k) m[k] /= mistake == Mistake::MMinusOne ? count[k] - 1 : count[k];
    return m;
  };
  const std::vector<double> m1 = means(inner), m2 = means([&](std::size_t i) { return inner(i) * s.x_hat(i); });

  Tensor dx(x.shape()), dgamma = zeros(gamma.shape()), dbeta = zeros(gamma.shape());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double mean_path = mistake == Mistake::MeanPathMissing ? 0 : m1[averaged(i)];
    const double variance_path = mistake == Mistake::VariancePathMissing ? 0 : s.x_hat(i) * m2[averaged(i)];
    dx.data()[i] = (pulled_out ? at(gamma, i) : 1) * s.rstd[c.set_of(i)] * (inner(i) - mean_path - variance_path);
    dgamma.data()[i % gamma.size()] += at(dy, i) * s.x_hat(i);
    dbeta.data()[i % gamma.size()] += at(dy, i);
  }
  return {dx, dgamma, dbeta};
}

/// The norm, with the slow backward in the place of its own.
GradientCheck check_with(const Case& c, Mistake mistake, const SetOf& wrong_set) {
  const Example e(c, 27);
  const auto planted = [&](const Variables& v) {
    return operation("planted", v, of_three(c.norm), [&] {
      return Computed{c.norm(v[0].detach(), v[1].detach(), v[2].detach()).value(),
                      [&c, mistake, &wrong_set](const Tensor& dy, const Arguments& a) {
                        return slow_backward(c, mistake, wrong_set, dy, a[0], a[1]);
                      }};
    });
  };
  return check_gradients(planted, {e.x, e.gamma, e.beta});
}

}  // namespace

TEST_CASE("norm: backwards with a mistake fail the check, which names them; the right one passes") {
  const Shape shape = {3, 2, 5, 4};
  struct Planted {
    Case norm;
    SetOf wrong_set;  // another norm's
    bool gamma_varies;
  };
  const std::vector<Planted> list = {
      {batch(shape, 0.1), layer(shape, 3).set_of, false},         {layer(shape, 3, 0.1, 1), batch(shape).set_of, true},
      {layer(shape, 3, 0.1), instance(shape).set_of, true},       {layer(shape, 1, 0.1), layer(shape, 2).set_of, true},
      {instance(shape, 0.1), group(shape, 2).set_of, false},      {group(shape, 2, 0.1), instance(shape).set_of, true},
      {batch({7, 5}, 0.1), layer({7, 5}, 1).set_of, false},       {group({4, 6}, 2, 0.1), batch({4, 6}).set_of, true},
      {batch({4, 3, 5}, 0.1), instance({4, 3, 5}).set_of, false},
  };
  for (const Planted& p : list) {
    CAPTURE(p.norm.name);
    const GradientCheck right = check_with(p.norm, Mistake::None, p.wrong_set);
    CHECK_MESSAGE(right.ok, right.text());
    for (const Mistake mistake : {Mistake::MeanPathMissing, Mistake::VariancePathMissing, Mistake::EpsForgotten,
                                  Mistake::WrongSet, Mistake::GammaPulledOut, Mistake::MMinusOne}) {
      CAPTURE(static_cast<int>(mistake));
      const GradientCheck check = check_with(p.norm, mistake, p.wrong_set);
      if (mistake == Mistake::GammaPulledOut && !p.gamma_varies) {  // no mistake: one gamma in each set
        CHECK_MESSAGE(check.ok, check.text());
        continue;
      }
      CHECK(!check.ok);
      CHECK(check.inputs[0].verdict == "the analytic backward is the odd one out");
      // dgamma has the forgotten eps in its x̂; the other mistakes are in dx alone.
      CHECK(check.inputs[1].verdict == (mistake == Mistake::EpsForgotten ? check.inputs[0].verdict : "ok"));
      CHECK(check.inputs[2].verdict == "ok");
    }
  }
}
