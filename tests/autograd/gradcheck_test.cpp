#include "autograd/gradcheck.hpp"
#include "autograd/operation.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/linear.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/random.hpp"
#include "tensor/reduce.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

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
        "the backward is the odd one out: no gradient arrives (detach, NoGrad, or a grad without create_graph?)");
  CHECK(check.inputs[1].verdict == "ok");
  const auto infinite = [](const Variables& v) { return sqrt(v[0] * Scalar{0}); };
  CHECK(check_gradients(infinite, {ones({2})}).inputs[0].verdict == "no two of the three agree to tolerance");
}

// ------------------------------------------------------------------------------------- functions that differentiate

namespace {

GradientCheckOptions both_orders() {
  GradientCheckOptions options;
  options.order = 2;
  return options;
}

GradOptions recorded() {
  GradOptions options;
  options.create_graph = true;
  return options;
}

/// The penalty of WGAN-GP, Σ (‖∂D/∂x‖ − 1)² over the rows of x, for D(x) = <tanh(x·a), b>: a function of x, a and b.
Variable gradient_penalty(const Variables& v) {
  const Variable d = sum(matmul(tanh(matmul(v[0], v[1])), v[2]));
  const Variable slope = grad({d}, {v[0]}, {}, recorded())[0];
  return sum(square(sqrt(sum(square(slope), {1})) - Scalar{1}));
}

/// MAML: the loss of w after one step of gradient descent on another loss.
Variable after_a_step(const Variables& v) {
  const auto loss = [](const Variable& x, const Variable& w) { return mean(square(tanh(matmul(x, w)) - Scalar(0.3))); };
  const Variable step = grad({loss(v[0], v[2])}, {v[2]}, {}, recorded())[0];
  return loss(v[1], v[2] - Scalar(0.5) * step);
}

/// x² with a backward of factor·x, recorded as one's own operation that has no other form.
Variable own_square(const Variable& x, Scalar factor) {
  return record("own_square", xtg::square(x.value()), {x}, [x = Saved(x), factor](const Variable& dy, const Context&) {
    return Variables{dy * (factor * x.get())};
  });
}

/// x³, whose backward is right in numbers, but whose second derivative is factor·x, where 6·x is right.
Variable own_cube(const Variable& x, Scalar factor) {
  return record("own_cube", x.value() * xtg::square(x.value()), {x},
                [x = Saved(x), share = factor / 6](const Variable& dy, const Context&) {
                  const Variable at = x.get(), constant = at.detach();
                  return Variables{dy * (Scalar{3} * (share * square(at) + (1 - share) * square(constant)))};
                });
}

using Verdicts = std::vector<std::string>;

Verdicts verdicts(const std::vector<InputReport>& reports) {
  Verdicts result;
  for (const InputReport& r : reports) result.push_back(r.verdict);
  return result;
}

}  // namespace

TEST_CASE("gradcheck: functions that call grad themselves") {
  Generator g(11);
  const Tensor x = random_normal({4, 3}, g), other = random_normal({5, 3}, g), a = random_normal({3, 6}, g),
               b = random_normal({6, 1}, g), w = random_normal({3, 2}, g);
  const GradientCheck penalty = check_gradients(gradient_penalty, {x, a, b}, both_orders());
  CHECK_MESSAGE(penalty.ok, penalty.text());
  for (const auto* reports : {&penalty.inputs, &penalty.second_order})
    for (const InputReport& r : *reports) CHECK(r.largest_gradient > 0.05);
  const GradientCheck maml = check_gradients(after_a_step, {x, other, w}, both_orders());
  CHECK_MESSAGE(maml.ok, maml.text());
  CHECK(maml.inputs[0].largest_gradient > 0.01);  // by way of the step alone

  // Without create_graph the step is a constant, and the gradient by way of it is missing.
  const auto first_order_maml = [](const Variables& v) {
    const Variable step = grad({mean(square(tanh(matmul(v[0], v[2]))))}, {v[2]})[0];
    return mean(square(tanh(matmul(v[1], v[2] - Scalar(0.5) * step))));
  };
  CHECK(verdicts(check_gradients(first_order_maml, {x, other, w}).inputs) ==
        Verdicts{"the backward is the odd one out: no gradient arrives (detach, NoGrad, or a grad without "
                 "create_graph?)",
                 "ok", "the backward is the odd one out"});
}

TEST_CASE("gradcheck: the caller's modes do not matter, nor that it is called inside a walk") {
  const auto f = [](const Variables& v) { return batch_norm(v[0], v[1], v[2], 0.1); };
  const std::string expected = check_gradients(f, inputs(), both_orders()).text();
  CHECK(check_gradients(f, inputs(), both_orders()).ok);
  for (const GradientForm form : {GradientForm::Fused, GradientForm::ByHand, GradientForm::Derived})
    for (const bool off : {false, true}) {
      const NoGrad recording(off);
      const GradientMode mode(form);
      CHECK(check_gradients(f, inputs(), both_orders()).text() == expected);
      CHECK(NoGrad::current() == off);
      CHECK(GradientMode::current() == form);
    }
  std::string inside;
  const Variable x(ones({}), true);
  x.register_hook([&](const Variable&) {
    inside = check_gradients(f, inputs(), both_orders()).text();
    return Variable();
  });
  square(x).backward();
  CHECK(inside == expected);
}

TEST_CASE("gradcheck: it is not ok where nothing was compared") {
  const auto verdict = [](const Function& f, const std::vector<Tensor>& at) {
    const GradientCheck check = check_gradients(f, at, both_orders());
    CHECK_FALSE(check.ok);
    REQUIRE(check.second_order.size() == check.inputs.size());
    CHECK(check.second_order.back().verdict != "ok");
    return check.inputs.back().verdict;
  };
  const auto squares = [](const Variables& v) { return sum(square(v.front())) + sum(square(v.back())); };
  CHECK(verdict(squares, {ones({2}), ones({0, 3})}) == "nothing was compared: the input has no elements");
  CHECK(verdict(
            [](const Variables& v) {
              return square(v[0]) * Variable(ones({0, 1}));
            },
            {ones({2})}) == "nothing was compared: the result has no elements");
  const std::string zero = "nothing was compared: all gradients are zero";
  const Variable outside(ones({2}), true);
  CHECK(verdict([&](const Variables&) { return square(outside); }, {ones({2})}) == zero);
  CHECK(verdict([](const Variables&) { return Variable(ones({2})); }, {ones({2}), ones({3})}) == zero);
  CHECK(verdict([](const Variables& v) { return relu(v[0]); }, {full({3}, -2)}) == zero);
  // An input that does not count beside others that do is compared: its differences are zero, too.
  CHECK(check_gradients(squares, {ones({2}), ones({3}), ones({2})}).ok);

  // With an offset that swallows the differences a wrong gradient would look right.
  const double offset = sizeof(Scalar) == 8 ? 1e12 : 1e5;
  for (const Scalar factor : {Scalar{2}, Scalar{4}})
    CHECK(verdict([=](const Variables& v) { return own_square(v[0], factor) + static_cast<Scalar>(offset); },
                  {full({3}, 1)}) == "nothing was compared: the differences are lost in the rounding of the result");

  const auto error = [&](const std::vector<Tensor>& at, const GradientCheckOptions& options) {
    return error_of([&] { check_gradients(squares, at, options); });
  };
  CHECK(error({}, {}) == "ValueError: check_gradients: expected at least one input");
  GradientCheckOptions options;
  options.directions = 0;
  CHECK(error({ones({300})}, options) == "ValueError: check_gradients: expected at least one direction");
  for (double GradientCheckOptions::*member :
       {&GradientCheckOptions::step, &GradientCheckOptions::tolerance, &GradientCheckOptions::numeric_tolerance}) {
    options = {};
    options.*member = std::numeric_limits<double>::infinity();
    CHECK(error({ones({2})}, options) ==
          "ValueError: check_gradients: step and tolerances must be finite and at least 0, got inf");
    options.*member = -1;
    CHECK(error({ones({2})}, options) ==
          "ValueError: check_gradients: step and tolerances must be finite and at least 0, got -1");
  }
}

TEST_CASE("gradcheck: a wrong backward of an operation that has no other form is named") {
  const std::string backward = "the backward is the odd one out";
  const Tensor at = inputs()[0];
  const auto check = [&](const Function& f, const std::vector<Tensor>& where) {
    return check_gradients(f, where, both_orders());
  };
  CHECK(check([](const Variables& v) { return own_square(v[0], 2); }, {at}).ok);
  CHECK(check([](const Variables& v) { return own_cube(v[0], 6); }, {at}).ok);
  const double small = sizeof(Scalar) == 8 ? 1e-5 : 0.1;
  Generator g(12);
  const Tensor many = random_uniform({40, 7}, g, 0.5, 2);
  for (const double factor : {2 + small, 2 - small, 3.0, 1.0, -2.0}) {
    CAPTURE(factor);
    const auto planted = [&](const Variables& v) { return own_square(v[0], static_cast<Scalar>(factor)); };
    const GradientCheck first = check(planted, {at});
    CHECK(verdicts(first.inputs) == Verdicts{backward});
    CHECK(verdicts(first.second_order) == Verdicts{"not judged: the first derivative is not known to be right"});
    // Among others, which have several forms; and in many elements, along random directions.
    const auto layer = [&](const Variables& v) { return batch_norm(planted({v[0]}), v[1], v[2], 0.1); };
    CHECK(verdicts(check(layer, inputs()).inputs) == Verdicts{backward, "ok", "ok"});
    CHECK(verdicts(check(planted, {many}).inputs) == Verdicts{backward});
  }
  const double small_6 = sizeof(Scalar) == 8 ? 1e-4 : 0.5;
  for (const double factor : {6 + small_6, 6 - small_6, 3.0, 0.0, -6.0}) {
    CAPTURE(factor);
    const auto planted = [&](const Variables& v) { return own_cube(v[0], static_cast<Scalar>(factor)); };
    const GradientCheck second = check(planted, {at});
    CHECK(verdicts(second.inputs) == Verdicts{"ok"});
    CHECK(second.second_order[0].verdict.find(backward) == 0);
    CHECK_FALSE(second.ok);
  }
}

TEST_CASE("gradcheck: a wrong backward on Variables beside a definition is named in both orders") {
  // x²: the first derivative, or the derivative of the first, is wrong in the form by hand alone.
  const auto square_with = [](Scalar first, Scalar second) {
    return [=](const Variables& v) {
      const auto by_hand = [&] {
        return Computed{xtg::square(v[0].value()),
                        [x = Saved(v[0]), first, second](const Variable& dy, const Context&) {
                          const Variable at = x.get();
                          return Variables{dy * (second * at + (first - second) * at.detach())};
                        }};
      };
      return operation(
          "square", v, [](const Variables& u) { return u[0] * u[0]; }, by_hand);
    };
  };
  const std::string analytic = "the analytic backward is the odd one out";
  const auto check = [&](Scalar first, Scalar second) {
    return check_gradients(square_with(first, second), {inputs()[0]}, both_orders());
  };
  const GradientCheck right = check(2, 2), wrong = check(Scalar(2.2), Scalar(2.2)), later = check(2, Scalar(2.2));
  CHECK_MESSAGE(right.ok, right.text());
  CHECK(verdicts(wrong.inputs) == Verdicts{analytic});
  CHECK(verdicts(wrong.second_order) == Verdicts{analytic});
  CHECK(verdicts(later.inputs) == Verdicts{"ok"});
  CHECK(verdicts(later.second_order) == Verdicts{analytic});
}

TEST_CASE("gradcheck: kinks are not taken for wrong backwards, nor wrong backwards for kinks") {
  const std::string difference = "the finite difference is the odd one out (a kink, or a wrong step?)";
  const double h = std::cbrt(static_cast<double>(std::numeric_limits<Scalar>::epsilon()));
  const Tensor slopes = tensor({1.5, -0.7, 2, -1.1}, {4, 1});
  for (const double at : {0.0, 0.3 * h, -0.3 * h, 0.5 * h, -0.9 * h}) {
    CAPTURE(at / h);
    // Several kinks in one element: the gradient, with relu'(0) = 0, need not lie between the slopes on the sides.
    const Tensor x = full({3}, static_cast<Scalar>(at));
    const auto kinks = [&](const Variables& v) { return relu(v[0] * Variable(slopes)); };
    CHECK(check_gradients(kinks, {x}).inputs[0].verdict == difference);
    const auto absolute = check_gradients([](const Variables& v) { return abs(v[0]); }, {x}).inputs[0].verdict;
    CHECK(absolute == (at == 0 ? "nothing was compared: all gradients are zero" : difference));
  }
  const auto both = [](const Variables& v) { return relu(v[0]) + own_square(v[1], 3); };
  CHECK(verdicts(check_gradients(both, {zeros({2}), ones({2})}).inputs) ==
        Verdicts{difference, "the backward is the odd one out"});
  // A step that is too long for the wave.
  GradientCheckOptions wide;
  wide.step = 0.1;
  const auto wave = [](const Variables& v) { return sin(v[0] * Scalar{20}); };
  CHECK(check_gradients(wave, {full({3}, Scalar(0.3))}, wide).inputs[0].verdict == difference);
  // The differences leave the domain of the logarithm: NaN.
  CHECK(check_gradients([](const Variables& v) { return log(v[0]); }, {full({2}, static_cast<Scalar>(h / 2))})
            .inputs[0]
            .verdict == difference);
}

TEST_CASE("gradcheck: a random function, and one whose result changes its shape") {
  Generator random(1);
  const auto noisy = [&](const Variables& v) { return v[0] * Variable(random_normal({2}, random)); };
  const GradientCheck check = check_gradients(noisy, {ones({2})}, both_orders());
  CHECK_FALSE(check.ok);
  CHECK(verdicts(check.inputs) == Verdicts{"the function gives another result each time"});
  CHECK(verdicts(check.second_order) == verdicts(check.inputs));
  const auto repeatable = [](const Variables& v) {
    Generator same(1);
    return v[0] * Variable(random_normal({2}, same));
  };
  CHECK(check_gradients(repeatable, {ones({2})}).ok);
  const auto growing = [](const Variables& v) {
    return v[0].value().data()[0] > 1 ? v[0] * Variable(ones({3, 1})) : square(v[0]);
  };
  CHECK(error_of([&] { check_gradients(growing, {ones({2})}); }) ==
        "ShapeError: check_gradients: expected results of one shape, got (2) and, with input 0 moved, (3, 2)");
}

// ------------------------------------------------------------------------------------------ variables where they are

namespace {

/// A linear layer and batch norm, with x given.
class Net : public Module {
 public:
  Net() {
    Generator g(21);
    linear_ = &add_module("linear", std::make_unique<Linear>(3, 4, g));
    norm_ = &add_module("norm", std::make_unique<BatchNorm>(4));
    own_ = add_parameter("own", random_normal({4}, g));
  }
  Variable forward(const Variable& x) override {
    const Variable h = (*norm_)((*linear_)(x));
    return tanh(h * own_square(own_, factor));
  }
  Scalar factor = 2;

 private:
  Module *linear_, *norm_;
  Variable own_;
};

}  // namespace

TEST_CASE("gradcheck: a network, its parameters moved in place") {
  Net net;
  Generator g(22);
  const Variable x(random_normal({7, 3}, g));
  const Variables parameters = net.parameters();
  sum(net(x)).backward();  // gradients that are there before
  std::vector<Tensor> numbers, gradients;
  std::vector<const Scalar*> places;
  for (const Variable& p : parameters) {
    numbers.push_back(p.value());
    gradients.push_back(p.grad());
    places.push_back(p.value().data());
  }
  const auto unchanged = [&] {
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      CHECK(identical(parameters[k].value(), numbers[k]));
      CHECK(identical(parameters[k].grad(), gradients[k]));
      CHECK(parameters[k].value().data() == places[k]);
    }
  };
  {
    const NoGrad off;
    const GradientCheck check = check_gradients([&] { return net(x); }, parameters, both_orders());
    CHECK_MESSAGE(check.ok, check.text());
    REQUIRE(check.inputs.size() == 5);
    CHECK(check.inputs[0].largest_gradient > 0.01);  // own, and linear.weight
    CHECK(check.inputs[1].largest_gradient > 0.01);
    CHECK(check.inputs[2].largest_gradient < 1e-2);  // a bias that the norm takes away again: 0 agrees with 0
  }
  unchanged();
  net.factor = 3;
  CHECK(verdicts(check_gradients([&] { return net(x); }, parameters).inputs) ==
        Verdicts{"the backward is the odd one out", "ok", "ok", "ok", "ok"});
  unchanged();

  // The same numbers come from the form with arguments.
  const auto f = [](const Variables& v) { return batch_norm(v[0], v[1], v[2], 0.1); };
  Variables leaves;
  for (const Tensor& at : inputs()) leaves.emplace_back(at, true);
  CHECK(check_gradients([&] { return f(leaves); }, leaves, both_orders()).text() ==
        check_gradients(f, inputs(), both_orders()).text());

  int left = 20;
  const auto throws = [&] {
    if (--left == 0) throw ValueError("enough");
    return net(x);
  };
  CHECK(error_of([&] { check_gradients(throws, parameters); }) == "ValueError: enough");
  unchanged();
}

TEST_CASE("gradcheck: variables that cannot be moved in place are refused") {
  const Variable p(ones({2}), true), frozen(ones({2})), q(ones({3}), true);
  const auto refusal = [&](const Variables& variables) {
    return error_of([&] { check_gradients([&] { return sum(square(p)); }, variables); });
  };
  CHECK(refusal({}) == "ValueError: check_gradients: expected at least one input");
  for (const Variable& bad : {frozen, Variable(), p * p})
    CHECK(refusal({p, bad}) ==
          "ValueError: check_gradients: expected leaves that require a gradient; input 1 is not one");
  CHECK(refusal({p, q, p}) == "ValueError: check_gradients: inputs 0 and 2 are one");
  Variable shared = p.detach();
  shared.set_requires_grad(true);
  CHECK(refusal({q, p, shared}) == "ValueError: check_gradients: inputs 1 and 2 are one");
  CHECK(refusal({p, q}) == "");
}
