#pragma once

// What the tests of the norms share: examples of every norm, and the formulas of a norm in slow loops in double, which
// are told which elements are one set.

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/grad_mode.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tests/testing.hpp"

namespace xtg::testing {

constexpr GradientForm kForms[] = {GradientForm::Fused, GradientForm::ByHand, GradientForm::Derived};

using NormFunction = std::function<Variable(const Variable& x, const Variable& gamma, const Variable& beta)>;

using NormWithEpilogue = std::function<Variable(const Variable& x, const Variable& gamma, const Variable& beta,
                                                const nn::Epilogue& epilogue)>;

/// The number of the set in which element i of x is normalized: equal numbers, one mean and one variance.
using SetOf = std::function<std::size_t(std::size_t i)>;

struct Case {
  std::string name;
  Shape shape, affine_shape;
  double eps;
  NormFunction norm;
  SetOf set_of;
  NormWithEpilogue with_epilogue = nullptr;  // the same with an epilogue
};

inline Case make_case(const std::string& name, const Shape& shape, const Shape& affine_shape, double eps,
                      const NormWithEpilogue& norm, const SetOf& set_of) {
  const auto plain = [norm](const Variable& x, const Variable& g, const Variable& b) { return norm(x, g, b, {}); };
  return {name, shape, affine_shape, eps, plain, set_of, norm};
}

inline Case batch(const Shape& shape, double eps = 1e-5) {
  const std::size_t C = shape.back();
  return make_case(
      fmt::format("batch norm of {}, eps {}", to_string(shape), eps), shape, {C}, eps,
      [=](const auto& x, const auto& g, const auto& b, const nn::Epilogue& epilogue) {
        return nn::batch_norm(x, g, b, eps, std::nullopt, epilogue);
      },
      [=](std::size_t i) { return i % C; });
}

/// gamma and beta have the shape of the last `affine_axes` axes, those that are normalized unless given.
inline Case layer(const Shape& shape, std::size_t axes, double eps = 1e-5, std::size_t affine_axes = 0) {
  const auto last = [&](std::size_t n) { return Shape(shape.end() - static_cast<std::ptrdiff_t>(n), shape.end()); };
  const std::size_t K = count(last(axes));
  return make_case(
      fmt::format("layer norm of {}, {} axes, eps {}", to_string(shape), axes, eps), shape,
      last(affine_axes == 0 ? axes : affine_axes), eps,
      [=](const auto& x, const auto& g, const auto& b, const nn::Epilogue& epilogue) {
        return nn::layer_norm(x, g, b, axes, eps, epilogue);
      },
      [=](std::size_t i) { return i / K; });
}

inline Case instance(const Shape& shape, double eps = 1e-5) {
  const std::size_t C = shape.back(), K = count(shape) / shape[0];
  return make_case(
      fmt::format("instance norm of {}, eps {}", to_string(shape), eps), shape, {C}, eps,
      [=](const auto& x, const auto& g, const auto& b, const nn::Epilogue& epilogue) {
        return nn::instance_norm(x, g, b, eps, std::nullopt, epilogue);
      },
      [=](std::size_t i) { return i / K * C + i % C; });
}

inline Case group(const Shape& shape, std::size_t groups, double eps = 1e-5) {
  const std::size_t C = shape.back(), K = count(shape) / shape[0], D = C / groups;
  return make_case(
      fmt::format("group norm of {}, {} groups, eps {}", to_string(shape), groups, eps), shape, {C}, eps,
      [=](const auto& x, const auto& g, const auto& b, const nn::Epilogue& epilogue) {
        return nn::group_norm(x, g, b, groups, eps, epilogue);
      },
      [=](std::size_t i) { return i / K * groups + i % C / D; });
}

/// Batch norm in evaluation mode, with some statistics.
inline Case evaluation(const Shape& shape, double eps = 1e-5) {
  const std::size_t C = shape.back();
  const Tensor mean = normal({C}, 21), var = positive({C}, 22);
  return make_case(
      fmt::format("batch norm of {} in evaluation mode, eps {}", to_string(shape), eps), shape, {C}, eps,
      [=](const auto& x, const auto& g, const auto& b, const nn::Epilogue& epilogue) {
        return nn::batch_norm_eval(x, g, b, mean, var, eps, epilogue);
      },
      nullptr);
}

inline std::vector<Case> cases() {
  return {batch({7, 5}),
          batch({4, 3, 5}),
          batch({3, 4, 5, 6}),
          batch({3, 4, 2, 6}, 0.1),
          batch({2, 3}, 0.1),
          layer({5}, 1),
          layer({7, 5}, 1),
          layer({4, 3, 5}, 2),
          layer({4, 3, 5}, 2, 1e-5, 1),
          layer({2, 3, 4, 6}, 1),
          layer({2, 3, 4, 6}, 2),
          layer({3, 2, 4, 5}, 3),
          layer({3, 4, 5, 6}, 3, 1e-5, 1),
          layer({3, 4, 5, 6}, 3, 0.1, 1),
          instance({4, 7, 5}),
          instance({3, 4, 5, 6}),
          instance({2, 4, 5, 3}, 0.1),
          group({4, 6}, 1),
          group({4, 6}, 2),
          group({4, 5, 6}, 3),
          group({2, 5, 4, 6}, 1),
          group({3, 4, 5, 6}, 2),
          group({2, 5, 4, 6}, 6),
          group({3, 2, 5, 4}, 2, 0.1)};
}

/// x with a scale and an offset of its own in each channel, gamma of both signs, beta, and a random upstream gradient.
struct Example {
  Example(const Shape& shape, const Shape& affine_shape, std::uint64_t seed) {
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
  Example(const Case& c, std::uint64_t seed) : Example(c.shape, c.affine_shape, seed) {}

  Tensor x, gamma, beta, dy;
};

struct Result {
  Tensor y, dx, dgamma, dbeta;
};

inline Result run(const NormFunction& norm, const Example& e, GradientForm form) {
  const GradientMode mode(form);
  const Variable x(e.x, true), gamma(e.gamma, true), beta(e.beta, true);
  const Variable y = norm(x, gamma, beta);
  y.backward(e.dy);
  return {y.value(), x.grad(), gamma.grad(), beta.grad()};
}

/// Element i; of gamma or beta, the one that element i of x uses.
inline double at(const Tensor& t, std::size_t i) { return static_cast<double>(t.data()[i % t.size()]); }

/// Σ term(i) over the elements of each set.
template <class Term>
std::vector<double> set_sums(const SetOf& set_of, std::size_t elements, const Term& term) {
  std::vector<double> sums;
  for (std::size_t i = 0; i < elements; ++i) {
    if (set_of(i) >= sums.size()) sums.resize(set_of(i) + 1, 0.0);
    sums[set_of(i)] += term(i);
  }
  return sums;
}

/// Of each set, from the definition; the variance is biased.
struct Statistics {
  Statistics(const SetOf& sets, const Tensor& values, double eps) : set_of(sets), x(values) {
    count = set_sums(set_of, x.size(), [](std::size_t) { return 1.0; });
    mean = set_sums(set_of, x.size(), [&](std::size_t i) { return at(x, i) / count[set_of(i)]; });
    variance = set_sums(set_of, x.size(),
                        [&](std::size_t i) { return std::pow(at(x, i) - mean[set_of(i)], 2) / count[set_of(i)]; });
    for (const double v : variance) rstd.push_back(1 / std::sqrt(v + eps));
  }
  double x_hat(std::size_t i) const { return (at(x, i) - mean[set_of(i)]) * rstd[set_of(i)]; }

  SetOf set_of;
  Tensor x;
  std::vector<double> count, mean, variance, rstd;
};

constexpr bool kDouble = sizeof(Scalar) == 8;

/// Two ways to the same result: another order of sums, analytic and derived gradients.
constexpr double kSame = kDouble ? 1e-13 : 1e-5;

}  // namespace xtg::testing
