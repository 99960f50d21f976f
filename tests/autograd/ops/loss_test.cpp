#include "autograd/ops/loss.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/reference/reference.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

constexpr double kTolerance = sizeof(Scalar) == 8 ? 1e-13 : 2e-6;

double at(const Tensor& x, std::size_t i) { return static_cast<double>(x.data()[i]); }

/// exp(x)/Σ exp(x) along an axis, straight from the formula.
Tensor naive_softmax(const Tensor& x, std::size_t axis) {
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<std::size_t> index = index_of(i, x.shape());
    double total = 0;
    for (index[axis] = 0; index[axis] < x.shape()[axis]; ++index[axis])
      total += std::exp(at(x, offset_of(index, x.shape())));
    y[i] = std::exp(at(x, i)) / total;
  }
  return tensor(y, x.shape());
}

/// The mean over the elements of f(input, target), and of its two derivatives, each scaled by `dy`.
struct NaiveLoss {
  double loss = 0;
  Tensor dx, dt;

  NaiveLoss(const Tensor& x, const Tensor& t, double dy, double (*f)(double, double), double (*fx)(double, double),
            double (*ft)(double, double))
      : dx(x.shape()), dt(x.shape()) {
    const auto n = static_cast<double>(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      loss += f(at(x, i), at(t, i)) / n;
      dx.data()[i] = static_cast<Scalar>(fx(at(x, i), at(t, i)) * dy / n);
      dt.data()[i] = static_cast<Scalar>(ft(at(x, i), at(t, i)) * dy / n);
    }
  }
};

struct MeanLoss {
  const char* name;
  Variable (*function)(const Variable&, const Variable&);
  double (*f)(double, double);
  double (*fx)(double, double);
  double (*ft)(double, double);
};

double sign(double d) { return d > 0 ? 1 : d < 0 ? -1 : 0; }
double huber1(double d) { return std::abs(d) <= 1.25 ? d : 1.25 * sign(d); }
double sigma(double x) { return 1 / (1 + std::exp(-x)); }

const std::vector<MeanLoss>& mean_losses() {
  static const std::vector<MeanLoss> list = {
      {"mse_loss", mse_loss, [](double x, double t) { return (x - t) * (x - t); },
       [](double x, double t) { return 2 * (x - t); }, [](double x, double t) { return 2 * (t - x); }},
      {"l1_loss", l1_loss, [](double x, double t) { return std::abs(x - t); },
       [](double x, double t) { return sign(x - t); }, [](double x, double t) { return sign(t - x); }},
      {"huber_loss", [](const Variable& x, const Variable& t) { return huber_loss(x, t, Scalar(1.25)); },
       [](double x, double t) {
         const double d = std::abs(x - t);
         return d <= 1.25 ? d * d / 2 : 1.25 * (d - 1.25 / 2);
       },
       [](double x, double t) { return huber1(x - t); }, [](double x, double t) { return huber1(t - x); }},
      {"binary_cross_entropy_with_logits", binary_cross_entropy_with_logits,
       [](double x, double t) { return -t * std::log(sigma(x)) - (1 - t) * std::log(1 - sigma(x)); },
       [](double x, double t) { return sigma(x) - t; }, [](double x, double) { return -x; }},
  };
  return list;
}

}  // namespace

TEST_CASE("loss: PyTorch's log-softmax and cross-entropy, analytic and derived") {
  const Reference ops("ops.safetensors");
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const Reference::Case l = ops["log_softmax"];
    Variable x(l("x"), true);
    const Variable y = log_softmax(x);
    y.backward(l("dy"));
    CHECK(relative_error(y.value(), l("y")) < kTolerance);
    CHECK(relative_error(x.grad(), l("dx")) < kTolerance);
    for (const char* name : {"cross_entropy", "cross_entropy_smoothed"}) {
      CAPTURE(name);
      const Reference::Case at = ops[name];
      Variable logits(at("logits"), true);
      const Variable loss = cross_entropy(logits, at.integers("labels"), at.number("label_smoothing"));
      CHECK(loss.shape() == Shape{});
      loss.backward();
      CHECK(relative_error(loss.value(), at("loss")) < kTolerance);
      CHECK(relative_error(logits.grad(), at("dlogits")) < kTolerance);
      logits.zero_grad();
      (Scalar{-3} * cross_entropy(logits, at.integers("labels"), at.number("label_smoothing"))).backward();
      Tensor expected = at("dlogits");
      for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] *= -3;
      CHECK(relative_error(logits.grad(), expected) < kTolerance);
    }
  }
}

TEST_CASE("loss: large logits do not overflow, and a NaN is not hidden") {
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    Variable x(tensor({1000, 0, -1000, -5000, -5000, -5000}, {2, 3}), true);
    const Variable loss = cross_entropy(x, indices({1, 2}));
    CHECK(static_cast<double>(loss.item()) == doctest::Approx((1000 + std::log(3.0)) / 2).epsilon(1e-6));
    loss.backward();
    CHECK(max_error(x.grad(), tensor({0.5, -0.5, 0, 1.0 / 6, 1.0 / 6, -1.0 / 3}, {2, 3})) < 1e-6);
    for (std::size_t at = 0; at < 3; ++at) {
      Tensor bad = zeros({1, 3});
      bad.data()[at] = std::numeric_limits<Scalar>::quiet_NaN();
      CHECK(std::isnan(static_cast<double>(cross_entropy(Variable(bad, true), indices({1})).item())));
    }
  }
}

TEST_CASE("loss: log-softmax works along the last axis of any rank") {
  const Variable x(normal({2, 3, 4}, 1));
  const Variable y = log_softmax(x);
  for (std::size_t row = 0; row < 6; ++row) {
    double total = 0, sum_exp = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      total += std::exp(static_cast<double>(y.value().data()[4 * row + i]));
      sum_exp += std::exp(static_cast<double>(x.value().data()[4 * row + i]));
    }
    CHECK(total == doctest::Approx(1).epsilon(1e-6));
    CHECK(static_cast<double>(y.value().data()[4 * row]) ==
          doctest::Approx(static_cast<double>(x.value().data()[4 * row]) - std::log(sum_exp)).epsilon(1e-5));
  }
  CHECK(log_softmax(Variable(zeros({0, 3}))).shape() == Shape{0, 3});
}

TEST_CASE("loss: softmax and log-softmax along every axis, with their gradients") {
  const Tensor at_x = normal({3, 4, 5}, 1), w = normal({3, 4, 5}, 2);
  for (const bool derived : {false, true})
    for (const int axis : {0, 1, 2, -1, -2, -3}) {
      CAPTURE(derived);
      CAPTURE(axis);
      const DerivedGradients mode(derived);
      const auto k = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
      const Tensor p = naive_softmax(at_x, k);
      // dx = p·(w − Σ w·p), and for the logarithm w − p·Σ w.
      Tensor dp(p.shape()), dlog(p.shape()), log_p(p.shape());
      for (std::size_t i = 0; i < p.size(); ++i) {
        std::vector<std::size_t> index = index_of(i, p.shape());
        double weighted = 0, total = 0;
        for (index[k] = 0; index[k] < p.shape()[k]; ++index[k]) {
          const std::size_t j = offset_of(index, p.shape());
          weighted += at(w, j) * at(p, j);
          total += at(w, j);
        }
        dp.data()[i] = static_cast<Scalar>(at(p, i) * (at(w, i) - weighted));
        dlog.data()[i] = static_cast<Scalar>(at(w, i) - at(p, i) * total);
        log_p.data()[i] = std::log(p.data()[i]);
      }
      Variable x(at_x, true);
      const Variable y = softmax(x, axis);
      y.backward(w);
      CHECK(max_error(y.value(), p) < kTolerance);
      CHECK(max_error(x.grad(), dp) < kTolerance);
      x.zero_grad();
      const Variable z = log_softmax(x, axis);
      z.backward(w);
      CHECK(max_error(z.value(), log_p) < kTolerance);
      CHECK(max_error(x.grad(), dlog) < kTolerance);
    }
}

TEST_CASE("loss: softmax of large and of infinite elements, of one element and of none") {
  const Scalar infinity = std::numeric_limits<Scalar>::infinity();
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    Tensor large = tensor({1000, 1000, -1000, -5000, 0, 0}, {2, 3});
    large.data()[3] = -infinity;  // excluded: probability and gradient 0
    Variable x(large, true);
    const Variable y = softmax(x);
    y.backward(tensor({1, 2, 3, 4, 5, 7}, {2, 3}));
    CHECK(max_error(y.value(), tensor({0.5, 0.5, 0, 0, 0.5, 0.5}, {2, 3})) < kTolerance);
    CHECK(max_error(x.grad(), tensor({-0.25, 0.25, 0, 0, -0.5, 0.5}, {2, 3})) < kTolerance);
    for (Variable (*f)(const Variable&, int) : {softmax, log_softmax}) {
      CHECK(f(Variable(zeros({0, 3})), 1).shape() == Shape{0, 3});
      CHECK(f(Variable(zeros({3, 0})), 0).shape() == Shape{3, 0});
      CHECK(std::isnan(at(f(Variable(full({2}, -infinity)), 0).value(), 0)));
      CHECK(std::isnan(at(f(Variable(tensor({1, std::nan(""), 2}, {3})), 0).value(), 0)));
    }
    CHECK(identical(softmax(Variable(normal({2, 1}, 1))).value(), ones({2, 1})));
    CHECK(identical(log_softmax(Variable(normal({2, 1}, 1))).value(), zeros({2, 1})));
  }
}

TEST_CASE("loss: cross-entropy of an excluded class, with labels, distributions and smoothing") {
  const double inf = std::numeric_limits<double>::infinity(), e = std::exp(1.0), p = 1 / (1 + e);
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const auto check = [&](const Variable& logits, const Variable& targets, double loss, const std::vector<double>& dx,
                           const std::vector<double>& dt) {
      const Variable y = cross_entropy(logits, targets);
      CHECK(at(y.value(), 0) == doctest::Approx(loss).epsilon(1e-6));
      for (const bool create_graph : {false, true}) {
        GradOptions options;
        options.retain_graph = true;
        options.create_graph = create_graph;
        const Variables d = grad({y}, {logits, targets}, {}, options);
        CHECK(max_error(d[0].value(), tensor(dx, logits.shape())) < kTolerance);
        CHECK(max_error(d[1].value(), tensor(dt, logits.shape())) < kTolerance);
      }
    };
    const Variable x(tensor({1, 2, -inf, -inf, 5, -inf}, {2, 3}), true);
    const double l0 = -std::log(p), l1 = -std::log(1 - p);
    CHECK(at(cross_entropy(x, indices({0, 1})).value(), 0) == doctest::Approx(l0 / 2).epsilon(1e-6));
    check(x, Variable(tensor({1, 0, 0, 0, 1, 0}, {2, 3}), true), l0 / 2, {(p - 1) / 2, (1 - p) / 2, 0, 0, 0, 0},
          {l0 / 2, l1 / 2, 0, 0, 0, 0});
    check(x, Variable(tensor({0.25, 0.75, 0, 0, 0, 0}, {2, 3}), true), (l0 + 3 * l1) / 8,
          {(p - 0.25) / 2, (0.25 - p) / 2, 0, 0, 0, 0}, {l0 / 2, l1 / 2, 0, 0, 0, 0});
    // One that counts: the loss is infinite, and smoothing makes all of them count.
    CHECK(at(cross_entropy(x, indices({2, 1})).value(), 0) == inf);
    CHECK(at(cross_entropy(x, indices({0, 1}), 0.1).value(), 0) == inf);
    // NaN is not excluded.
    CHECK(std::isnan(at(cross_entropy(Variable(tensor({1, std::nan(""), -inf}, {1, 3})), indices({0})).value(), 0)));
  }
}

TEST_CASE("loss: log-softmax and cross-entropy of huge equal logits") {
  for (const bool derived : {false, true})
    for (const double huge : {1e4, 1e8, 1e16, 1e30, -1e30}) {
      CAPTURE(derived);
      CAPTURE(huge);
      const DerivedGradients mode(derived);
      const Variable x(full({1, 2}, static_cast<Scalar>(huge)), true), loss = cross_entropy(x, indices({0}));
      CHECK(max_error(log_softmax(x).value(), full({1, 2}, static_cast<Scalar>(-std::log(2.0)))) < kTolerance);
      CHECK(at(loss.value(), 0) == doctest::Approx(std::log(2.0)).epsilon(1e-6));
      CHECK(max_error(grad({loss}, {x})[0].value(), tensor({-0.5, 0.5}, {1, 2})) < kTolerance);
      const Variable y = log_softmax(x, 1);
      CHECK(max_error(grad({y}, {x}, {Variable(tensor({1, 0}, {1, 2}))})[0].value(), tensor({0.5, -0.5}, {1, 2})) <
            kTolerance);
    }
}

TEST_CASE("loss: gradients far below 1 are right beside an answer that is nearly certain, along every axis") {
  const double e = std::exp(-40.0), f = std::exp(-50.0);
  const auto column = [](const Tensor& x) { return tensor({at(x, 0), at(x, 2), at(x, 4)}, {3}); };
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const Variable x(tensor({-40, 3, 0, 1, -50, 2}, {3, 2}), true), dy(tensor({0, 1, 1, 2, 0, 3}, {3, 2}));
    const Tensor expected = tensor({-e, e + f, -f}, {3});
    for (Variable (*function)(const Variable&, int) : {softmax, log_softmax})
      CHECK(max_error(column(grad({function(x, 0)}, {x}, {dy})[0].value()), expected) < 1e-6);
    const Variable loss = cross_entropy(transpose(x), indices({1, 0}));
    CHECK(max_error(column(grad({loss}, {x})[0].value()), tensor({e / 2, -(e + f) / 2, f / 2}, {3})) < 1e-6);
  }
}

TEST_CASE("loss: the sigmoid loss of infinite logits is 0 or infinite, and NaN for NaN alone") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const auto loss = [](const Variable& x, const Variable& t) { return binary_cross_entropy_with_logits(x, t); };
    const Variable x(tensor({inf, -inf, 0}, {3}), true), t(tensor({1, 0, 0.25}, {3}), true);
    const Variable y = loss(x, t);
    CHECK(at(y.value(), 0) == doctest::Approx(std::log(2.0) / 3).epsilon(1e-6));
    for (const bool create_graph : {false, true}) {
      GradOptions options;
      options.retain_graph = true;
      options.create_graph = create_graph;
      const Variables d = grad({y}, {x, t}, {}, options);
      CHECK(max_error(d[0].value(), tensor({0, 0, 0.25 / 3}, {3})) < kTolerance);
      CHECK(max_error(d[1].value() + 1, ones({3})) < kTolerance);
    }
    const double infinite[][2] = {{inf, 0}, {inf, 0.5}, {-inf, 1}, {-inf, 0.5}};
    for (const auto& pair : infinite) {
      const double logit = pair[0], target = pair[1];
      CAPTURE(logit);
      CAPTURE(target);
      const Variable v(tensor({logit}, {1}), true), target_of_v(tensor({target}, {1}), true);
      const Variable infinite_loss = loss(v, target_of_v);
      CHECK(at(infinite_loss.value(), 0) == inf);
      const Variables d = grad({infinite_loss}, {v, target_of_v});
      CHECK(at(d[0].value(), 0) == (logit > 0 ? 1 : 0) - target);
      CHECK(at(d[1].value(), 0) == -logit);
    }
    CHECK(std::isnan(at(loss(Variable(tensor({std::nan("")}, {1})), Variable(zeros({1}))).value(), 0)));
  }
}

TEST_CASE("loss: cross-entropy with distributions as targets") {
  const Tensor x0 = normal({4, 5}, 1), t0 = positive({4, 5}, 2);  // rows that do not add up to 1
  const Tensor p = naive_softmax(x0, 1);
  for (const bool derived : {false, true})
    for (const double smoothing : {0.0, 0.3, 1.0}) {
      CAPTURE(derived);
      CAPTURE(smoothing);
      const DerivedGradients mode(derived);
      double expected = 0;
      Tensor dx(x0.shape()), dt(x0.shape());
      for (std::size_t i = 0; i < 4; ++i) {
        double mass = 0;
        for (std::size_t k = 0; k < 5; ++k) mass += at(t0, 5 * i + k) * (1 - smoothing) + smoothing / 5;
        for (std::size_t k = 5 * i; k < 5 * i + 5; ++k) {
          const double t = at(t0, k) * (1 - smoothing) + smoothing / 5;
          expected -= t * std::log(at(p, k)) / 4;
          dx.data()[k] = static_cast<Scalar>((at(p, k) * mass - t) * -3 / 4);
          dt.data()[k] = static_cast<Scalar>(-(1 - smoothing) * std::log(at(p, k)) * -3 / 4);
        }
      }
      Variable logits(x0, true), targets(t0, true);
      const Variable loss = cross_entropy(logits, targets, smoothing);
      REQUIRE(loss.shape() == Shape{});
      (Scalar{-3} * loss).backward();
      CHECK(at(loss.value(), 0) == doctest::Approx(expected).epsilon(kTolerance));
      CHECK(max_error(logits.grad(), dx) < kTolerance);
      CHECK(max_error(targets.grad(), dt) < kTolerance);
    }
}

TEST_CASE("loss: labels are distributions with a single one") {
  const Tensor x0 = normal({3, 4}, 1), one_hot = tensor({0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1}, {3, 4});
  for (const double smoothing : {0.0, 0.1}) {
    Variable x(x0, true), z(x0, true);
    const Variable a = cross_entropy(x, indices({2, 0, 3}), smoothing),
                   b = cross_entropy(z, Variable(one_hot), smoothing);
    CHECK(identical(a.value(), b.value()));
    a.backward();
    b.backward();
    CHECK(identical(x.grad(), z.grad()));
  }
}

TEST_CASE("loss: the mean losses against their formulas, analytic and derived") {
  const Tensor x0 = normal({3, 4, 2}, 1), t0 = normal({3, 4, 2}, 2);
  for (const MeanLoss& l : mean_losses())
    for (const bool derived : {false, true}) {
      CAPTURE(l.name);
      CAPTURE(derived);
      const DerivedGradients mode(derived);
      const NaiveLoss expected(x0, t0, -3, l.f, l.fx, l.ft);
      Variable x(x0, true), t(t0, true);
      const Variable loss = l.function(x, t);
      REQUIRE(loss.shape() == Shape{});
      (Scalar{-3} * loss).backward();
      CHECK(at(loss.value(), 0) == doctest::Approx(expected.loss).epsilon(kTolerance));
      CHECK(max_error(x.grad(), expected.dx) < kTolerance);
      CHECK(max_error(t.grad(), expected.dt) < kTolerance);
      CHECK(l.function(Variable(scalar(2)), Variable(scalar(Scalar(0.5)))).item() ==
            doctest::Approx(l.f(2, 0.5)).epsilon(1e-6));
    }
}

TEST_CASE("loss: the mean losses where they bend, and far out") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const auto gradient = [](Variable (*f)(const Variable&, const Variable&), double x, double t) {
      const Variable v(tensor({x}, {1}), true);
      f(v, Variable(tensor({t}, {1}))).backward();
      return at(v.grad(), 0);
    };
    const auto huber = mean_losses()[2].function;
    CHECK(gradient(l1_loss, 0.5, 0.5) == 0);
    CHECK(gradient(huber, 0.5, 0.5) == 0);
    CHECK(gradient(huber, 1.25, 0) == 1.25);
    CHECK(gradient(huber, -1.25, 0) == -1.25);
    CHECK(gradient(huber, 1e30, 0) == 1.25);
    CHECK(gradient(huber, -inf, 0) == -1.25);
    CHECK(gradient(binary_cross_entropy_with_logits, 0, 0.25) == 0.25);  // σ(0) − t
    CHECK(gradient(binary_cross_entropy_with_logits, 1000, 0.25) == 0.75);
    CHECK(gradient(binary_cross_entropy_with_logits, -1000, 0.25) == -0.25);
    const auto value = [](double x, double t) {
      return at(binary_cross_entropy_with_logits(Variable(scalar(static_cast<Scalar>(x))),
                                                 Variable(scalar(static_cast<Scalar>(t))))
                    .value(),
                0);
    };
    CHECK(value(1000, 1) == 0);
    CHECK(value(1000, 0) == 1000);
    CHECK(value(-1000, 0) == 0);
    CHECK(value(-1000, 1) == 1000);
    CHECK(value(20, 1) / std::log1p(std::exp(-20.0)) == doctest::Approx(1).epsilon(1e-6));
    for (const MeanLoss& l : mean_losses()) {
      CAPTURE(l.name);
      CHECK(std::isnan(at(l.function(Variable(tensor({0, std::nan("")}, {2})), Variable(zeros({2}))).value(), 0)));
      CHECK(std::isnan(at(l.function(Variable(zeros({2})), Variable(tensor({0, std::nan("")}, {2}))).value(), 0)));
    }
  }
}

TEST_CASE("loss: bad arguments are refused") {
  const Variable x(zeros({2, 3}), true);
  CHECK(error_of([&] {
          cross_entropy(x, indices({0, 3}));
        }) == "ValueError: cross_entropy: label 3 at 1 is not within 0 … 2");
  CHECK(error_of([&] {
          cross_entropy(x, indices({-1, 0}));
        }) == "ValueError: cross_entropy: label -1 at 0 is not within 0 … 2");
  CHECK(error_of([&] { cross_entropy(x, indices({0})); }) ==
        "ShapeError: cross_entropy: expected logits (N, K) and N labels, got (2, 3) and labels (1)");
  CHECK(starts_with(error_of([&] {
                      cross_entropy(Variable(zeros({0, 3})), indices({}));
                    }),
                    "ShapeError: cross_entropy: "));
  CHECK(error_of([&] {
          cross_entropy(x, indices({0, 1}), 1.5);
        }) == "ValueError: cross_entropy: label smoothing 1.5 is not within [0, 1]");
  CHECK(starts_with(error_of([&] { cross_entropy(x, indices({0, 1}), std::nan("")); }), "ValueError: cross_entropy: "));
  const Variable t(zeros({2, 3}));
  CHECK(error_of([&] {
          cross_entropy(x, Variable(zeros({3, 2})));
        }) == "ShapeError: cross_entropy: expected logits and targets (N, K), got (2, 3) and (3, 2)");
  CHECK(error_of([&] {
          cross_entropy(Variable(zeros({0, 3})), Variable(zeros({0, 3})));
        }) == "ShapeError: cross_entropy: expected logits and targets (N, K), got (0, 3) and (0, 3)");
  CHECK(error_of([&] { cross_entropy(Variable(zeros({3})), Variable(zeros({3}))); }) ==
        "ShapeError: cross_entropy: expected logits and targets (N, K), got (3) and (3)");
  CHECK(error_of([&] { cross_entropy(x, t, -0.5); }) ==
        "ValueError: cross_entropy: label smoothing -0.5 is not within [0, 1]");
  CHECK(error_of([&] { softmax(Variable(scalar(1))); }) == "ValueError: softmax: axis -1 is out of range for 0 axes");
  CHECK(error_of([&] { softmax(x, 2); }) == "ValueError: softmax: axis 2 is out of range for 2 axes");
  CHECK(error_of([&] { log_softmax(x, -3); }) == "ValueError: log_softmax: axis -3 is out of range for 2 axes");
  CHECK(error_of([&] {
          softmax(Variable(zeros({2, 0})));
        }) == "ShapeError: softmax: no elements along axis -1 of (2, 0)");
  CHECK(error_of([&] {
          log_softmax(Variable(zeros({0, 2})), 0);
        }) == "ShapeError: log_softmax: no elements along axis 0 of (0, 2)");
  for (const MeanLoss& l : mean_losses()) {
    const std::string start =
        fmt::format("ShapeError: {}: expected input and target of equal shape with at least one element, got ", l.name);
    CHECK(error_of([&] { l.function(x, Variable(zeros({3}))); }) == start + "(2, 3) and (3)");
    CHECK(error_of([&] {
            l.function(Variable(zeros({0, 3})), Variable(zeros({0, 3})));
          }) == start + "(0, 3) and (0, 3)");
  }
  CHECK(error_of([&] { huber_loss(x, t, 0); }) == "ValueError: huber_loss: expected delta > 0, got 0");
  CHECK(starts_with(error_of([&] { huber_loss(x, t, std::numeric_limits<Scalar>::quiet_NaN()); }),
                    "ValueError: huber_loss: "));
}

#ifdef XTGRAD_DOUBLE

TEST_CASE("loss: analytic, derived and numeric gradients, and second derivatives") {
  const Indices labels = indices({3, 0, 1, 3, 2});
  const std::vector<std::function<Variable(const Variable&)>> list = {
      [](const Variable& x) { return square(softmax(x)); },
      [](const Variable& x) { return square(softmax(x, 0)); },
      [](const Variable& x) { return square(log_softmax(x)); },
      [](const Variable& x) { return square(log_softmax(x, 0)); },
      [&](const Variable& x) { return square(cross_entropy(x, labels)); },
      [&](const Variable& x) { return square(cross_entropy(x, labels, 0.1)); },
      [](const Variable& x) { return square(cross_entropy(x, x, 0.1)); },  // one Variable in two places
      [](const Variable& x) { return square(binary_cross_entropy_with_logits(x, x)); },
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    CAPTURE(i);
    CHECK(check_two_orders([&](const Variables& v) { return list[i](v[0]); }, {normal({5, 4}, 1)}) == "");
  }
}

TEST_CASE("loss: gradients of input and target to second order") {
  const std::vector<Tensor> inputs = {normal({5, 4}, 1), positive({5, 4}, 2)};
  for (const MeanLoss& l : mean_losses()) {
    CAPTURE(l.name);
    CHECK(check_two_orders([&](const Variables& v) { return square(l.function(v[0], v[1])); }, inputs) == "");
  }
  CHECK(check_two_orders([](const Variables& v) { return square(cross_entropy(v[0], v[1], 0.2)); }, inputs) == "");
}

TEST_CASE("loss: only the gradients that are wanted, and what is recorded") {
  Variable x(normal({2, 3}, 1), true), t(positive({2, 3}, 2));
  for (const bool input : {true, false}) {
    x.set_requires_grad(input).zero_grad();
    t.set_requires_grad(!input).zero_grad();
    const Variable entropy = cross_entropy(x, t), binary = binary_cross_entropy_with_logits(x, t);
    CHECK(std::string(entropy.node()->name) == "cross_entropy");
    CHECK(std::string(binary.node()->name) == "binary_cross_entropy_with_logits");
    CHECK(std::string(softmax(input ? x : t).node()->name) == "softmax");
    (entropy + binary).backward();
    CHECK(x.has_grad() == input);
    CHECK(t.has_grad() != input);
    const DerivedGradients derived;
    CHECK(std::string(cross_entropy(x, t).node()->name) != "cross_entropy");
    CHECK(std::string(binary_cross_entropy_with_logits(x, t).node()->name) != "binary_cross_entropy_with_logits");
    CHECK(std::string(softmax(input ? x : t).node()->name) != "softmax");
  }
}

#endif
