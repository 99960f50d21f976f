// Derivatives of the norms with their epilogues, first and second, held against finite differences; and a mistake that
// the check must find. In double.

#include <doctest/doctest.h>

#include "autograd/operation.hpp"
#include "tensor/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/nn/norm/epilogues.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

std::vector<Case> small_cases() {
  return {batch({7, 5}),
          batch({4, 2, 2, 8}),
          batch({3, 4, 2, 6}, 0.1),
          layer({7, 5}, 1),
          layer({4, 3, 5}, 2),
          layer({2, 4, 4, 4}, 3, 1e-5, 1),
          instance({2, 4, 4, 4}),
          instance({4, 7, 5}, 0.1),
          group({2, 4, 4, 4}, 2),
          group({3, 2, 5, 4}, 2, 0.1),
          evaluation({7, 5}),
          evaluation({4, 4, 4})};
}

}  // namespace

TEST_CASE(
    "norm epilogues: both gradients equal central differences, with relu, with a residual, and with x as the "
    "residual") {
  for (const Case& c : small_cases()) {
    CAPTURE(c.name);
    const Example e(c, 7);
    const std::vector<Tensor> three = {e.x, e.gamma, e.beta}, four = {e.x, e.gamma, e.beta, normal(c.shape, 31)};
    for (const GradientCheck& check :
         {check_gradients([&](const Variables& v) { return fused(c, v[0], v[1], v[2], {}); }, three),
          check_gradients([&](const Variables& v) { return fused(c, v[0], v[1], v[2], v[3]); }, four),
          check_gradients([&](const Variables& v) { return fused(c, v[0], v[1], v[2], v[0]); }, three)}) {
      CHECK_MESSAGE(check.ok, check.text());
      for (const InputReport& r : check.inputs) CHECK(r.largest_gradient > 1e-2);
    }
  }
}

TEST_CASE("norm epilogues: second derivatives, through the definitions, equal differences of gradients") {
  for (const Case& c : small_cases()) {
    CAPTURE(c.name);
    const Example e(c, 9);
    const Tensor r = normal(c.shape, 31);
    // Squared, for y is straight in gamma, beta and the residual.
    CHECK(check_two_orders([&](const Variables& v) { return square(fused(c, v[0], v[1], v[2], {})); },
                           {e.x, e.gamma, e.beta}) == "");
    CHECK(check_two_orders([&](const Variables& v) { return square(fused(c, v[0], v[1], v[2], v[3])); },
                           {e.x, e.gamma, e.beta, r}) == "");
    CHECK(check_two_orders([&](const Variables& v) { return square(fused(c, v[0], v[1], v[2], v[0])); },
                           {e.x, e.gamma, e.beta}) == "");
  }
}

TEST_CASE("norm epilogues: one Variable in all places, to second order") {
  const auto all = [](const Variables& v) { return layer_norm(v[0], v[0], v[0], 1, 0.1, {true, v[0]}); };
  CHECK(check_two_orders([&](const Variables& v) { return square(all(v)); }, {normal({5}, 16)}) == "");
}

namespace {

enum class MaskOf { Y, X, Norm, Nothing };

/// Batch norm, a residual and relu, with the gradient let through where the mask says.
GradientCheck check_with(MaskOf mask, bool with_residual) {
  const Case c = batch({4, 4, 5}, 0.1);
  const Example e(c, 27);
  const Function right = [&](const Variables& v) {
    return fused(c, v[0], v[1], v[2], with_residual ? v[3] : Variable());
  };
  const auto planted = [&](const Variables& v) {
    const Variable x(v[0].value()), gamma(v[1].value()), beta(v[2].value());
    const Tensor norm = c.norm(x, gamma, beta).value();
    const Tensor y = right({x, gamma, beta, Variable(v[3].value())}).value();
    const Tensor open = mask == MaskOf::Y      ? y
                        : mask == MaskOf::X    ? x.value()
                        : mask == MaskOf::Norm ? norm
                                               : ones(c.shape);
    return operation("planted", v, right, [&] {
      return Computed{y, [&c, open](const Tensor& dy, const Arguments& a) {
                        Tensor dz = zeros(dy.shape());
                        for (std::size_t i = 0; i < dz.size(); ++i)
                          if (open.data()[i] > 0) dz.data()[i] = dy.data()[i];
                        const NoGrad record(false);  // a walk does not
                        const Variable x_again(a[0], true), g(a[1], true), b(a[2], true);
                        c.norm(x_again, g, b).backward(dz);
                        return AnalyticGradients{x_again.grad(), g.grad(), b.grad(), dz};
                      }};
    });
  };
  return with_residual ? check_gradients(planted, {e.x, e.gamma, e.beta, normal(c.shape, 31)})
                       : check_gradients(
                             [&](const Variables& v) {
                               return planted({v[0], v[1], v[2], v[0] * Scalar{0}});
                             },
                             {e.x, e.gamma, e.beta});
}

}  // namespace

TEST_CASE("norm epilogues: a backward with the wrong mask fails the check; the right one passes") {
  for (const bool with_residual : {false, true}) {
    CAPTURE(with_residual);
    const GradientCheck good = check_with(MaskOf::Y, with_residual);
    CHECK_MESSAGE(good.ok, good.text());
    for (const MaskOf wrong : {MaskOf::X, MaskOf::Nothing}) {
      const GradientCheck check = check_with(wrong, with_residual);
      CHECK_FALSE(check.ok);
      CHECK(check.inputs[0].analytic_against_derived > 1e-2);
      CHECK(check.inputs[0].analytic_against_numeric > 1e-2);
      CHECK(check.inputs[0].derived_against_numeric < 1e-6);
    }
  }
  CHECK(check_with(MaskOf::Norm, false).ok);  // without a residual it is y's
  CHECK_FALSE(check_with(MaskOf::Norm, true).ok);
}
