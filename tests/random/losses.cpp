#include <algorithm>

#include "autograd/ops/dropout.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/train/classification_loss.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

using testing::broadcast_offset;

/// The largest of n numbers m, and Σ exp(x − m) of the others.
std::pair<Real, Real> about_largest(const Real* x, std::size_t n) {
  const Real* const largest = std::max_element(x, x + n);
  Real rest = *largest - *largest;  // NaN if it is infinite
  for (const Real* v = x; v < x + n; ++v)
    if (v != largest) rest += std::exp(*v - *largest);
  return {*largest, rest};
}

/// The size of a rounding of the x − m in it, which are about log(rest).
Real rounding_of(Real rest) { return rest > 0 && rest < 1 ? rest * std::abs(std::log(rest)) : 0; }

Case softmaxes(Draw& r, bool logarithm) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite});
  const Shape x = r.shape(1, 4, false);
  const int axis = r.axis(x.size());
  Shape kept = x;
  kept[static_cast<std::size_t>(axis < 0 ? axis + static_cast<int>(x.size()) : axis)] = 1;
  Case c;
  c.call = fmt::format("{}(x0, {})", logarithm ? "log_softmax" : "softmax", axis);
  c.function = [=](V v) { return logarithm ? log_softmax(v[0], axis) : softmax(v[0], axis); };
  c.inputs = {r.values(x)};
  c.reach = {reach_of(c.inputs[0], Kind::Normal)};
  std::vector<std::size_t> set;
  for (std::size_t i = 0; i < count(x); ++i) set.push_back(broadcast_offset(i, x, kept));
  c.reference = [=](const std::vector<Numbers>& in) {
    std::vector<std::vector<Real>> sets(count(kept));
    for (std::size_t i = 0; i < set.size(); ++i) sets[set[i]].push_back(in[0].v[i]);
    Answer answer{x, {}};
    for (std::size_t i = 0; i < set.size(); ++i) {
      const auto [largest, rest] = about_largest(sets[set[i]].data(), sets[set[i]].size());
      const Real z = in[0].v[i] - largest, y = std::exp(z) / (1 + rest);
      answer.y.push_back(logarithm ? z - std::log1p(rest) : y);
      answer.scale.push_back(logarithm ? std::abs(answer.y.back()) + rounding_of(rest) : y * (1 + std::abs(z)));
    }
    return answer;
  };
  c.ulps = 8;
  c.gradient_ulps = 512;
  return c;
}

/// t·(1 − s) + s/K of K classes.
Real smoothed(Real t, Real s, std::size_t classes) { return t * (1 - s) + s / static_cast<Real>(classes); }

/// A term that does not count is 0.
Real term(Real weight, Real value) { return weight == 0 && std::isinf(value) ? 0 : weight * value; }

/// Logits (N, K) with labels or with targets (N, K).
Case classification(Draw& r, const std::string& name,
                    const std::function<Variable(const Variable&, const Indices&, double)>& with_labels,
                    const std::function<Variable(const Variable&, const Variable&, double)>& with_targets,
                    bool targets_differ, bool sigmoid) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite});
  const Shape x = r.shape(2, 2, false);
  const std::size_t N = x[0], K = x[1];
  const double smoothing = r.chance(0.5) ? 0 : r.one_of(std::vector<double>{0.1, 0.25, 1});
  Case c;
  c.inputs = {r.values(x)};
  c.reach = {reach_of(c.inputs[0], Kind::Normal)};
  Tensor targets(x, 0);
  if (r.chance(0.5)) {
    const Indices labels = r.positions({N}, K);
    for (std::size_t i = 0; i < N; ++i) targets(i, labels.data()[i]) = 1;
    c.call = fmt::format("{}(x0, {}, {})", name, text(labels), smoothing);
    c.function = [=](V v) { return with_labels(v[0], labels, smoothing); };
  } else {
    for (Scalar& t : targets) t = r.chance(0.2) ? Scalar(0) : static_cast<Scalar>(r.generator.uniform(0, 1));
    c.call = fmt::format("{}(x0, {}, {})", name, targets_differ ? "x1" : text(targets), smoothing);
    if (targets_differ) {
      c.inputs.push_back(targets);
      c.reach.push_back(reach_of(targets, Kind::Normal));
    }
    c.function = [=](V v) { return with_targets(v[0], targets_differ ? v[1] : Variable(targets), smoothing); };
  }
  // σ(x) − t and p·Σt − t cancel, but not where t is 1 at one place alone.
  const bool hard =
      smoothing == 0 && std::all_of(targets.begin(), targets.end(), [](Scalar t) { return t == 0 || t == 1; });
  if (!hard) c.slack = {constant_of(c.inputs[0], 1 / static_cast<Real>(N))};
  const std::vector<Real> constant(targets.begin(), targets.end());
  c.reference = [=](const std::vector<Numbers>& in) {
    const std::vector<Real>& t = in.size() > 1 ? in[1].v : constant;
    Answer answer{{}, {0}, {0}};
    for (std::size_t i = 0; i < N; ++i) {
      const Real* row = in[0].v.data() + i * K;
      const auto [largest, rest] = about_largest(row, K);
      for (std::size_t k = 0; k < K; ++k) {
        const Real weight = smoothed(t[i * K + k], smoothing, K), size = std::abs(row[k]);
        const Real loss = sigmoid ? term(row[k] < 0 ? weight : 1 - weight, size) + std::log1p(std::exp(-size))
                                  : -term(weight, row[k] - largest - std::log1p(rest));
        answer.y[0] += loss / static_cast<Real>(N);
        answer.scale[0] += std::abs(loss) / static_cast<Real>(N);
      }
    }
    return answer;
  };
  c.ulps = 16 + static_cast<double>(N * K) / 8;
  c.gradient_ulps = 512;
  return c;
}

/// The mean of a loss for each pair of input and target.
Case pairs(Draw& r, const std::string& call, const Function& f, const std::vector<Kind>& kinds,
           const std::function<Real(Real, Real)>& of) {
  r.choose(kinds);
  const Shape x = r.shape(0, 4, false);
  Case c;
  c.call = call;
  c.function = f;
  c.inputs = {r.values(x), r.values(x)};
  for (const Tensor& input : c.inputs) c.reach.push_back(reach_of(input, r.kind));
  c.reference = [of](const std::vector<Numbers>& in) {
    Answer answer{{}, {0}, {0}};
    for (std::size_t i = 0; i < in[0].v.size(); ++i) {
      const Real loss = of(in[0].v[i], in[1].v[i]) / static_cast<Real>(in[0].v.size());
      answer.y[0] += loss;
      answer.scale[0] += std::abs(loss);
    }
    return answer;
  };
  c.ulps = 8 + static_cast<double>(count(x)) / 8;
  c.gradient_ulps = 64;
  return c;
}

}  // namespace

std::vector<Operation> loss_operations() {
  std::vector<Operation> rows;
  rows.push_back({"softmax", [](Draw& r) { return softmaxes(r, false); }});
  rows.push_back({"log_softmax", [](Draw& r) { return softmaxes(r, true); }});
  rows.push_back({"cross_entropy", [](Draw& r) {
                    return classification(
                        r, "cross_entropy",
                        [](const Variable& x, const Indices& labels, double s) { return cross_entropy(x, labels, s); },
                        [](const Variable& x, const Variable& t, double s) { return cross_entropy(x, t, s); }, true,
                        false);
                  }});
  rows.push_back({"classification_loss", [](Draw& r) {
                    const bool sigmoid = r.chance(0.7);
                    const nn::LossKind kind = sigmoid ? nn::LossKind::BinaryCrossEntropy : nn::LossKind::CrossEntropy;
                    return classification(
                        r, sigmoid ? "sigmoid_loss" : "cross_entropy",
                        [kind](const Variable& x, const Indices& labels, double s) {
                          return nn::classification_loss(kind, x, labels, s);
                        },
                        [kind](const Variable& x, const Variable& t, double s) {
                          return nn::classification_loss(kind, x, t.value(), s);
                        },
                        false, sigmoid);
                  }});
  const std::vector<Kind> all = {Kind::Integers, Kind::Offset, Kind::Small, Kind::Large};
  rows.push_back({"mse_loss", [all](Draw& r) {
                    return pairs(
                        r, "mse_loss(x0, x1)", [](V v) { return mse_loss(v[0], v[1]); }, all,
                        [](Real x, Real t) { return (x - t) * (x - t); });
                  }});
  rows.push_back({"l1_loss", [all](Draw& r) {
                    return pairs(
                        r, "l1_loss(x0, x1)", [](V v) { return l1_loss(v[0], v[1]); }, all,
                        [](Real x, Real t) { return std::abs(x - t); });
                  }});
  rows.push_back({"huber_loss", [all](Draw& r) {
                    const auto delta = static_cast<Scalar>(r.one_of(std::vector<double>{1, 0.3, 2.5}));
                    Case c = pairs(
                        r, fmt::format("huber_loss(x0, x1, {})", exact(delta)),
                        [=](V v) { return huber_loss(v[0], v[1], delta); }, all,
                        [=](Real x, Real t) {
                          const Real d = std::abs(x - t), limit = real(delta);
                          return d <= limit ? d * d / 2 : limit * (d - limit / 2);
                        });
                    c.order = 1;  // at delta the second derivative jumps
                    return c;
                  }});
  rows.push_back(
      {"binary_cross_entropy_with_logits", [](Draw& r) {
         Case c = pairs(
             r, "binary_cross_entropy_with_logits(x0, x1)",
             [](V v) { return binary_cross_entropy_with_logits(v[0], v[1]); },
             {Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite},
             [](Real x, Real t) { return term(x < 0 ? t : 1 - t, std::abs(x)) + std::log1p(std::exp(-std::abs(x))); });
         for (Scalar& t : c.inputs[1])
           t = r.chance(0.4) ? static_cast<Scalar>(r.below(2)) : static_cast<Scalar>(r.generator.uniform());
         for (auto& reach : c.reach) std::fill(reach.begin(), reach.end(), 1);
         c.gradient_ulps = 512;
         c.slack = {constant_of(c.inputs[0], 1 / static_cast<Real>(c.inputs[0].size()))};
         return c;
       }});
  rows.push_back({"dropout", [](Draw& r) {
                    r.choose({Kind::Integers, Kind::Small, Kind::Large});
                    const double p = r.one_of(std::vector<double>{0, 0.3, 0.5, 0.99});
                    const std::uint64_t seed = r.below(1000);
                    Case c;
                    c.call = fmt::format("dropout(x0, {}, {})", p, seed);
                    c.function = [=](V v) {
                      Generator generator(seed);
                      return dropout(v[0], p, generator);
                    };
                    c.inputs = {r.values(r.shape(0, 4))};
                    c.reach = {reach_of(c.inputs[0])};
                    c.reference = [=](const std::vector<Numbers>& in) {
                      Generator generator(seed);
                      Answer answer{in[0].shape, {}};
                      for (const Real v : in[0].v) answer.y.push_back(generator.uniform() < p ? 0 : v / (1 - p));
                      return answer;
                    };
                    return c;
                  }});
  return rows;
}

}  // namespace xtg::random_cases
