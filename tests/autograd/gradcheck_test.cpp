#include "autograd/gradcheck.hpp"
#include "autograd/operation.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/random.hpp"
#include "tensor/reduce.hpp"

using namespace xtg;
using namespace xtg::nn;

// The checker is checked: analytic backwards with one mistake each, the mistakes that people make.

namespace {

using Backward = std::function<NormGradients(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                             const Tensor& gamma, double eps)>;

/// Batch norm's true forward and definition with another backward.
Variable with_backward(const Variables& v, double eps, const Backward& backward) {
  return operation(
      "planted", v, [eps](const Variables& a) { return batch_norm_composed(a[0], a[1], a[2], eps); },
      [&] {
        const NormForward f = batch_norm_forward(v[0].value(), v[1].value(), v[2].value(), eps);
        return Computed{f.y, [f, eps, backward](const Tensor& dy, const Arguments& a) {
                          NormGradients d = backward(dy, a[0], f.mean, f.rstd, a[1], eps);
                          return AnalyticGradients{d.dx, d.dgamma, d.dbeta};
                        }};
      });
}

Tensor x_hat_of(const Tensor& x, const Tensor& mean, const Tensor& rstd) { return (x - mean) * rstd; }

/// rstd · (dx̂ − first − x̂ · second), for the first and second that a mistake leads to.
Tensor three_terms(const Tensor& rstd, const Tensor& dx_hat, const Tensor& first, const Tensor& x_hat,
                   const Tensor& second) {
  return rstd * (dx_hat - first - x_hat * second);
}

struct Planted {
  const char* mistake;
  Backward backward;
};

std::vector<Planted> planted() {
  const auto variant = [](auto dx_of) {
    return [dx_of](const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma,
                   double eps) {
      NormGradients d = batch_norm_backward(dy, x, mean, rstd, gamma);
      const Tensor x_hat = x_hat_of(x, mean, rstd), dx_hat = dy * gamma;
      d.dx = dx_of(dx_hat, x_hat, rstd, gamma, dy, eps);
      return d;
    };
  };
  const auto m = [](const Tensor& t) { return xtg::mean(t, {0}, true); };
  const Tensor zero = zeros({});
  return {
      {"mean path missing", variant([=](const Tensor& d, const Tensor& h, const Tensor& r, const Tensor&, const Tensor&,
                                        double) { return three_terms(r, d, zero, h, m(d * h)); })},
      {"variance path missing", variant([=](const Tensor& d, const Tensor& h, const Tensor& r, const Tensor&,
                                            const Tensor&, double) { return three_terms(r, d, m(d), h, zero); })},
      {"factor 1/M missing",
       variant([=](const Tensor& d, const Tensor& h, const Tensor& r, const Tensor&, const Tensor&, double) {
         return three_terms(r, d, xtg::sum(d, {0}, true), h, xtg::sum(d * h, {0}, true));
       })},
      {"factor 2 of the square missing",
       variant([=](const Tensor& d, const Tensor& h, const Tensor& r, const Tensor&, const Tensor&, double) {
         return three_terms(r, d, m(d), h, Scalar{0.5} * m(d * h));
       })},
      {"means over the wrong axis",
       variant([=](const Tensor& d, const Tensor& h, const Tensor& r, const Tensor&, const Tensor&, double) {
         return three_terms(r, d, xtg::mean(d, {1}, true), h, xtg::mean(d * h, {1}, true));
       })},
      {"gamma missing", variant([=](const Tensor&, const Tensor& h, const Tensor& r, const Tensor&, const Tensor& dy,
                                    double) { return three_terms(r, dy, m(dy), h, m(dy * h)); })},
      {"eps forgotten",
       variant([=](const Tensor& d, const Tensor& h, const Tensor& r, const Tensor&, const Tensor&, double eps) {
         Tensor without = r;  // 1/√v instead of 1/√(v + eps)
         for (std::size_t i = 0; i < r.size(); ++i)
           without.data()[i] = static_cast<Scalar>(1 / std::sqrt(std::pow(static_cast<double>(r.data()[i]), -2) - eps));
         return three_terms(without, d, m(d), h, m(d * h));
       })},
      {"dgamma and dbeta swapped",
       [](const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma, double) {
         NormGradients d = batch_norm_backward(dy, x, mean, rstd, gamma);
         std::swap(d.dgamma, d.dbeta);
         return d;
       }},
      {"dgamma with x instead of x_hat",
       [](const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma, double) {
         NormGradients d = batch_norm_backward(dy, x, mean, rstd, gamma);
         d.dgamma = xtg::sum(dy * x, {0});
         return d;
       }},
  };
}

std::vector<Tensor> inputs() {
  Generator g(3);
  Tensor x = random_normal({6, 5}, g);
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = x.data()[i] * static_cast<Scalar>(0.5 + i % 5) + 2;
  return {x, tensor({1.5, -0.7, 0.3, 2, -1.1}, {5}), random_normal({5}, g)};
}

}  // namespace

TEST_CASE("gradcheck: a right backward passes, with every pairwise error small") {
  for (const double eps : {1e-5, 0.1}) {
    const GradientCheck check = check_gradients(
        [eps](const Variables& v) {
          return with_backward(
              v, eps,
              [](const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& gamma,
                 double) { return batch_norm_backward(dy, x, mean, rstd, gamma); });
        },
        inputs());
    CHECK_MESSAGE(check.ok, check.text());
    CHECK(check.text().find("input 2: analytic/derived") != std::string::npos);
  }
}

/// In float, differences resolve about 1e-3: mistakes of that size are for the double library.
constexpr double kEps[] = {1e-5, 0.1};
constexpr bool kDouble = sizeof(Scalar) == 8;

TEST_CASE("gradcheck: planted mistakes are caught, and the analytic backward is named") {
  for (const Planted& p : planted())
    for (const double eps : kEps) {
      if (!kDouble && eps < 1e-3 && std::string(p.mistake) == "eps forgotten") continue;
      CAPTURE(p.mistake);
      const GradientCheck check =
          check_gradients([&](const Variables& v) { return with_backward(v, eps, p.backward); }, inputs());
      CHECK(!check.ok);
      bool named = false;
      for (const InputReport& r : check.inputs)
        named = named || r.verdict == "the analytic backward is the odd one out";
      // Without eps the error at eps = 1e-5 is near 1e-6: seen against the tape's gradient, not by finite differences.
      CHECK((named || (std::string(p.mistake) == "eps forgotten" && eps < 1e-3)));
    }
}

TEST_CASE("gradcheck: a mistake in one of the three forms is caught, and that form is named") {
  enum class Wrong { None, Definition, ByHand, Fused, ByHandAndFused };
  const auto square_with = [](Wrong wrong) {
    return [wrong](const Variables& v) {
      const auto form = [&](bool is_wrong) {
        return [&v, is_wrong] {
          return Computed{xtg::square(v[0].value()), [is_wrong](const Tensor& dy, const Arguments& a) {
                            return analytic_gradients(dy * a[0] * Scalar(is_wrong ? 2.1 : 2));
                          }};
        };
      };
      const auto definition = [wrong](const Variables& u) {
        return wrong == Wrong::Definition ? u[0] * u[0].detach() : u[0] * u[0];
      };
      return operation("square", v, definition, form(wrong == Wrong::ByHand || wrong == Wrong::ByHandAndFused),
                       form(wrong == Wrong::Fused || wrong == Wrong::ByHandAndFused));
    };
  };
  Generator g(9);
  const Tensor x = random_uniform({4, 3}, g, 0.5, 2);
  const auto verdict = [&](Wrong wrong) { return check_gradients(square_with(wrong), {x}).inputs[0].verdict; };
  CHECK(verdict(Wrong::None) == "ok");
  CHECK(verdict(Wrong::Definition) == "the definition's gradient is the odd one out");
  CHECK(verdict(Wrong::ByHand) == "the backward by hand is the odd one out");
  CHECK(verdict(Wrong::Fused) == "the fused backward is the odd one out");
  CHECK(verdict(Wrong::ByHandAndFused) == "the analytic backward is the odd one out");
}

TEST_CASE("gradcheck: a mistake is caught along random directions too") {
  Generator g(5);
  const std::vector<Tensor> large = {random_normal({60, 5}, g), tensor({1.5, -0.7, 0.3, 2, -1.1}, {5}),
                                     random_normal({5}, g)};
  for (const Planted& p : planted()) {
    CAPTURE(p.mistake);
    CHECK(!check_gradients([&](const Variables& v) { return with_backward(v, 0.1, p.backward); }, large).ok);
  }
  const auto right = [](const Variables& v) { return batch_norm(v[0], v[1], v[2], 0.1); };
  CHECK(check_gradients(right, large).ok);
}

TEST_CASE("gradcheck: a wrong definition, and a kink, are told apart") {
  Generator g(7);
  const Tensor x = random_uniform({4, 3}, g, 0.5, 2);
  const auto wrong_definition = [](const Variables& v) {
    if (DerivedGradients::current()) return v[0] * v[0] * v[0];
    return square(v[0]);
  };
  CHECK(check_gradients(wrong_definition, {x}).inputs[0].verdict == "the definition's gradient is the odd one out");
  const auto kink = [](const Variables& v) { return relu(v[0] - Scalar{1}); };
  CHECK(check_gradients(kink, {ones({2, 2})}).inputs[0].verdict.find("finite difference") != std::string::npos);
}

TEST_CASE("gradcheck: second derivatives are checked on request") {
  GradientCheckOptions options;
  options.order = 2;
  const auto right = [](const Variables& v) { return batch_norm(v[0], v[1], v[2], 1e-3); };
  const GradientCheck check = check_gradients(right, inputs(), options);
  CHECK_MESSAGE(check.ok, check.text());
  REQUIRE(check.second_order.size() == 3);
  CHECK(check.second_order[0].largest_gradient > 0.01);
  CHECK(check.text().find("second order, input 2") != std::string::npos);
  CHECK(check_gradients(right, inputs()).second_order.empty());
  // A linear function has none: zeros agree with zeros.
  CHECK(check_gradients([](const Variables& v) { return v[0] - v[1]; }, {ones({3}), ones({2, 3})}, options).ok);
  options.order = 3;
  CHECK_THROWS_WITH_AS(check_gradients(right, inputs(), options), "check_gradients: expected order 1 or 2, got 3",
                       ValueError);
}

TEST_CASE("gradcheck: a first derivative that is right and a second that is wrong") {
  // x³ with a backward that is right in numbers, but holds 3x² as a constant: it cannot be differentiated again.
  const auto detached = [](const Variables& v) {
    return record(
        "detached", v[0].value() * xtg::square(v[0].value()), {v[0]},
        [x = v[0].detach()](const Variable& dy, const Context&) { return Variables{dy * (Scalar{3} * square(x))}; });
  };
  GradientCheckOptions options;
  CHECK(check_gradients(detached, {inputs()[0]}, options).ok);
  options.order = 2;
  const GradientCheck check = check_gradients(detached, {inputs()[0]}, options);
  CHECK(!check.ok);
  CHECK(check.inputs[0].verdict == "ok");
  CHECK(check.second_order[0].verdict != "ok");
}

TEST_CASE("gradcheck: a gradient that is missing, and one that is not finite") {
  const auto cut = [](const Variables& v) { return v[0].detach() * v[1]; };  // v[0] counts, but has no gradient
  const GradientCheck check = check_gradients(cut, {inputs()[1], inputs()[2]});
  CHECK(!check.ok);
  CHECK(check.inputs[0].verdict ==
        "the finite difference is the odd one out (a kink, a random function, or a wrong "
        "step?)");
  CHECK(check.inputs[1].verdict == "ok");
  const auto infinite = [](const Variables& v) { return sqrt(v[0] * Scalar{0}); };
  CHECK(check_gradients(infinite, {ones({2})}).inputs[0].verdict == "no two of the three agree to tolerance");
}
