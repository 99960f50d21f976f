#include <doctest/doctest.h>

#include "tests/nn/norm/norms.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

void check_equal(const Result& found, const Result& expected) {
  CHECK(max_error(found.y, expected.y) < kSame);
  CHECK(max_error(found.dx, expected.dx) < kSame);
  CHECK(max_error(found.dgamma, expected.dgamma) < kSame);
  CHECK(max_error(found.dbeta, expected.dbeta) < kSame);
  CHECK(largest(expected.dx) > 1e-2);
  CHECK(largest(expected.dgamma) > 1e-1);
}

}  // namespace

TEST_CASE("norm: forward equals loops over each set") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Example e(c, 3);
    const Statistics s(c.set_of, e.x, c.eps);
    Tensor expected(e.x.shape());
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected.data()[i] = static_cast<Scalar>(at(e.gamma, i) * s.x_hat(i) + at(e.beta, i));
    CHECK(max_error(c.norm(Variable(e.x), Variable(e.gamma), Variable(e.beta)).value(), expected) <
          (kDouble ? 1e-12 : 1e-4));
  }
}

TEST_CASE("norm: the tape's gradients of the definition equal those by hand and the kernel's") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Example e(c, 5);
    const Result derived = run(c.norm, e, GradientForm::Derived);
    check_equal(run(c.norm, e, GradientForm::Fused), derived);
    check_equal(run(c.norm, e, GradientForm::ByHand), derived);
  }
}

TEST_CASE("norm: an absent gamma is 1, an absent beta is 0") {
  for (const Case& c : {batch({7, 5}), layer({3, 4, 5}, 2), instance({4, 3, 5}), group({4, 3, 6}, 2)}) {
    CAPTURE(c.name);
    const Example e(c, 7);
    const Variable one(ones(c.affine_shape)), zero(zeros(c.affine_shape)), gamma(e.gamma), beta(e.beta);
    for (const GradientForm form : kForms) {
      const GradientMode mode(form);
      for (const auto& [absent, given] : {std::make_pair(Variables{{}, {}}, Variables{one, zero}),
                                          std::make_pair(Variables{{}, beta}, Variables{one, beta}),
                                          std::make_pair(Variables{gamma, {}}, Variables{gamma, zero})}) {
        const Variable x(e.x, true), same(e.x, true);
        const Variable y = c.norm(x, absent[0], absent[1]), expected = c.norm(same, given[0], given[1]);
        CHECK(identical(y.value(), expected.value()));
        y.backward(e.dy);
        expected.backward(e.dy);
        CHECK(identical(x.grad(), same.grad()));
        CHECK(largest(x.grad()) > 1e-2);
      }
    }
  }
}

// With dx_i = r·(dx̂_i − <dx̂> − x̂_i·<dx̂·x̂>) and <x̂> = 0, <x̂²> = v·r² = v/(v + eps):
//
//   <dx> = r·(<dx̂> − <dx̂> − 0) = 0
//   <dx·x̂> = r·(<dx̂·x̂> − 0 − <x̂²>·<dx̂·x̂>) = r·<dx̂·x̂>·eps/(v + eps).
TEST_CASE("norm: dx has mean 0 over each set, and along x_hat exactly the part that eps leaves") {
  const double tolerance = kDouble ? 1e-13 : 1e-5;
  for (const Case& c : cases()) {
    const Example e(c, 15);
    const Statistics s(c.set_of, e.x, c.eps);
    const auto dx_hat = [&](std::size_t i) { return at(e.gamma, i) * at(e.dy, i); };
    const auto sums = [&](const auto& term) { return set_sums(c.set_of, e.x.size(), term); };
    const std::vector<double> size = sums([&](std::size_t i) { return std::abs(dx_hat(i)); });
    const std::vector<double> along = sums([&](std::size_t i) { return dx_hat(i) * s.x_hat(i); });
    for (const GradientForm form : kForms) {
      const Tensor dx = run(c.norm, e, form).dx;
      const std::vector<double> sum = sums([&](std::size_t i) { return at(dx, i); });
      const std::vector<double> dx_along = sums([&](std::size_t i) { return at(dx, i) * s.x_hat(i); });
      double largest_eps_term = 0;
      for (std::size_t k = 0; k < sum.size(); ++k) {
        CAPTURE(c.name);
        CAPTURE(k);
        const double scale = s.rstd[k] * size[k];  // Σ|r·dx̂|
        const double eps_term = s.rstd[k] * along[k] * c.eps / (s.variance[k] + c.eps);
        CHECK(std::abs(sum[k]) < tolerance * scale);
        CHECK(std::abs(dx_along[k] - eps_term) < tolerance * scale);
        largest_eps_term = std::max(largest_eps_term, std::abs(eps_term) / scale);
      }
      if (kDouble || c.eps > 0.01) CHECK(largest_eps_term > 100 * tolerance);  // else the equality would show nothing
    }
  }
}

TEST_CASE("norm: group norm with one group is layer norm, with C groups instance norm") {
  const auto equal = [](const Case& a, const Case& b) {
    CAPTURE(a.name);
    const Example e(b, 17);
    for (const GradientForm form : kForms) check_equal(run(a.norm, e, form), run(b.norm, e, form));
  };
  for (const double eps : {1e-5, 0.1}) {
    equal(group({5, 6}, 1, eps), layer({5, 6}, 1, eps));
    equal(group({4, 5, 6}, 1, eps), layer({4, 5, 6}, 2, eps, 1));
    equal(group({3, 4, 5, 6}, 1, eps), layer({3, 4, 5, 6}, 3, eps, 1));
    equal(group({4, 5, 6}, 6, eps), instance({4, 5, 6}, eps));
    equal(group({3, 4, 5, 6}, 6, eps), instance({3, 4, 5, 6}, eps));
    equal(batch({1, 4, 5, 6}, eps), instance({1, 4, 5, 6}, eps));  // one sample is the whole batch
  }
}

TEST_CASE("norm: one value per statistic gives beta in layer and group norm, and nothing for x and gamma") {
  for (const Case& c : {layer({4, 1}, 1), layer({1}, 1), layer({4, 3, 1, 1}, 2), layer({4, 1, 1, 1}, 3, 1e-5, 1),
                        group({4, 6}, 6), group({4, 1, 1, 6}, 6), group({4, 1, 1}, 1)}) {
    CAPTURE(c.name);
    const Example e(c, 19);
    for (const GradientForm form : kForms) {
      const Result r = run(c.norm, e, form);
      for (std::size_t i = 0; i < r.y.size(); ++i) CHECK(at(r.y, i) == at(e.beta, i));
      // dx̂ − <dx̂> is 0 but for the rounding of a fused multiply-add, times rstd = 1/√eps = 316.
      CHECK(largest(r.dx) < 316 * kRounding * largest(e.gamma) * largest(e.dy));
      CHECK(largest(r.dgamma) == 0);
      CHECK(max_error(r.dbeta, naive_sum_to(e.dy, c.affine_shape)) < kRounding);
    }
  }
}

TEST_CASE("norm: one value per statistic is refused by batch and instance norm") {
  const auto error = [](const Case& c) { return error_of([&] { c.norm(Variable(ones(c.shape)), {}, {}); }); };
  const std::string text = "expected more than one value per statistic, x is ";
  CHECK(error(batch({1, 3})) == "ValueError: batch_norm: " + text + "(1, 3)");
  CHECK(error(batch({1, 1, 1, 3})) == "ValueError: batch_norm: " + text + "(1, 1, 1, 3)");
  CHECK(error(instance({5, 3})) == "ValueError: instance_norm: " + text + "(5, 3)");
  CHECK(error(instance({5, 1, 3})) == "ValueError: instance_norm: " + text + "(5, 1, 3)");
  CHECK(error(instance({5, 1, 1, 3})) == "ValueError: instance_norm: " + text + "(5, 1, 1, 3)");
}

TEST_CASE("norm: a constant channel stays finite and gives beta") {
  for (const Case& c : {batch({3, 4, 5, 6}), instance({3, 4, 5, 6}), group({3, 4, 5, 6}, 6)}) {
    Example e(c, 21);
    for (std::size_t i = 0; i < e.x.size(); i += 6) e.x.data()[i] = 7;
    const Result r = run(c.norm, e, GradientForm::Fused);
    for (std::size_t i = 0; i < r.y.size(); i += 6) CHECK(at(r.y, i) == at(e.beta, i));
    CHECK(std::isfinite(largest(r.dx)));
  }
}

TEST_CASE("norm: errors name the operation, what was expected and what came") {
  const Variable x(ones({8, 4, 4, 30})), wrong(ones({4})), empty(ones({8, 0, 4, 30}));
  Tensor statistics = ones({30}), short_one = ones({29});
  const auto error = [](const Case& c, const Variable& at, const Variable& gamma = {}, const Variable& beta = {}) {
    return error_of([&] { c.norm(at, gamma, beta); });
  };
  const Case b = batch({2, 1}), l = layer({2, 3}, 1), i = instance({2, 1}), g = group({2, 3}, 3);

  CHECK(error(b, Variable(ones({3}))) == "ShapeError: batch_norm: expected x (N, …, C) without empty axes, got (3)");
  CHECK(error(b, empty) == "ShapeError: batch_norm: expected x (N, …, C) without empty axes, got (8, 0, 4, 30)");
  CHECK(error(i, empty) == "ShapeError: instance_norm: expected x (N, …, C) without empty axes, got (8, 0, 4, 30)");
  CHECK(error(g, empty) == "ShapeError: group_norm: expected x (N, …, C) without empty axes, got (8, 0, 4, 30)");
  CHECK(error(l, empty) == "ShapeError: layer_norm: expected x (…, C) without empty axes, got (8, 0, 4, 30)");
  CHECK(error(l, Variable(ones({}))) == "ShapeError: layer_norm: expected x (…, C) without empty axes, got ()");

  const std::string affine = "expected gamma and beta of shape (30) for x (8, 4, 4, 30), got ";
  CHECK(error(b, x, wrong) == "ShapeError: batch_norm: " + affine + "(4) and (30)");
  CHECK(error(b, x, {}, wrong) == "ShapeError: batch_norm: " + affine + "(30) and (4)");
  CHECK(error(i, x, wrong) == "ShapeError: instance_norm: " + affine + "(4) and (30)");
  CHECK(error(g, x, {}, wrong) == "ShapeError: group_norm: " + affine + "(30) and (4)");
  CHECK(error(l, x, wrong) == "ShapeError: layer_norm: " + affine + "(4) and (30)");
  CHECK(error(layer({2, 3}, 2), x, Variable(ones({4, 4})), Variable(ones({30}))) ==
        "ShapeError: layer_norm: expected gamma and beta of shape (4, 30) for x (8, 4, 4, 30), got (4, 4) and (30)");

  CHECK(error_of([&] { layer_norm(x, {}, {}, 5, 1e-5); }) ==
        "ValueError: layer_norm: expected 1 to 4 axes to normalize over for x (8, 4, 4, 30), got 5");
  CHECK(error_of([&] { layer_norm(x, {}, {}, 0, 1e-5); }) ==
        "ValueError: layer_norm: expected 1 to 4 axes to normalize over for x (8, 4, 4, 30), got 0");
  CHECK(error_of([&] { group_norm(x, {}, {}, 4, 1e-5); }) ==
        "ValueError: group_norm: 30 channels are not divisible into 4 groups, x is (8, 4, 4, 30)");
  CHECK(error_of([&] { group_norm(x, {}, {}, 0, 1e-5); }) ==
        "ValueError: group_norm: 30 channels are not divisible into 0 groups, x is (8, 4, 4, 30)");

  const std::string running = "expected running statistics of shape (30), got ";
  CHECK(error_of([&] { batch_norm_eval(x, {}, {}, statistics, short_one, 1e-5); }) ==
        "ShapeError: batch_norm: " + running + "(30) and (29)");
  CHECK(error_of([&] {
          batch_norm(x, {}, {}, 1e-5, RunningStatistics{short_one, statistics, 0.1});
        }) == "ShapeError: batch_norm: " + running + "(29) and (30)");
  CHECK(error_of([&] {
          instance_norm(x, {}, {}, 1e-5, RunningStatistics{short_one, statistics, 0.1});
        }) == "ShapeError: instance_norm: " + running + "(29) and (30)");
  CHECK(identical(statistics, ones({30})));
}
