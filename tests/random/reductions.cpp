#include <algorithm>
#include <limits>

#include "autograd/ops/reduce.hpp"
#include "tests/proofs/table.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

using testing::broadcast_offset;

/// Which element of the result each element of x goes to.
struct Sets {
  Shape kept, shape;  // of the result, with the reduced axes at 1, and as it is asked for
  std::vector<std::size_t> of;
  std::size_t each;  // elements in a set

  Sets(const Shape& x, const Axes& axes, bool keepdims) : kept(x) {
    std::vector<bool> reduced(x.size(), axes.empty());
    for (const int axis : axes)
      reduced[static_cast<std::size_t>(axis < 0 ? axis + static_cast<int>(x.size()) : axis)] = true;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (reduced[k]) kept[k] = 1;
      if (!reduced[k] || keepdims) shape.push_back(kept[k]);
    }
    for (std::size_t i = 0; i < count(x); ++i) of.push_back(broadcast_offset(i, x, kept));
    each = count(x) / std::max<std::size_t>(count(kept), 1);
  }

  /// The elements of each set, in their order.
  std::vector<std::vector<Real>> split(const Numbers& x) const {
    std::vector<std::vector<Real>> sets(count(kept));
    for (std::size_t i = 0; i < of.size(); ++i) sets[of[i]].push_back(x.v[i]);
    return sets;
  }
};

struct Sized {
  Real y, scale;
};
using OfSet = std::function<Sized(const std::vector<Real>&)>;

Sized sum_of(const std::vector<Real>& x) {
  Sized s{0, 0};
  for (const Real v : x) {
    s.y += v;
    s.scale += std::abs(v);
  }
  return s;
}

Sized mean_of(const std::vector<Real>& x) {
  const Sized s = sum_of(x);
  const auto n = static_cast<Real>(x.size());
  return {s.y / n, s.scale / n};
}

Real variance_of(const std::vector<Real>& x, bool unbiased) {
  const Real mean = mean_of(x).y;
  Real total = 0;
  for (const Real v : x) total += (v - mean) * (v - mean);
  return total / static_cast<Real>(x.size() - (unbiased ? 1 : 0));
}

/// The first element that no other one exceeds by sign·element; a NaN is it.
std::size_t extreme_at(const std::vector<Real>& x, Real sign) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isnan(x[at]) && (std::isnan(x[i]) || sign * x[i] > sign * x[at])) at = i;
  return at;
}

Sized logsumexp_of(const std::vector<Real>& x) {
  const std::size_t at = extreme_at(x, 1);
  if (!std::isfinite(x[at])) return {x[at], 0};
  Real rest = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (i != at) rest += std::exp(x[i] - x[at]);
  return {x[at] + std::log1p(rest), std::abs(x[at]) + std::log1p(rest)};
}

Reference of_sets(const Sets& sets, const OfSet& f) {
  return [=](const std::vector<Numbers>& x) {
    Answer answer{sets.shape, {}};
    for (const std::vector<Real>& set : sets.split(x[0])) {
      const Sized s = f(set);
      answer.y.push_back(s.y);
      answer.scale.push_back(s.scale);
    }
    return answer;
  };
}

Case reduction(Draw& r, const std::string& name, Variable (*f)(const Variable&, const Axes&, bool), const OfSet& of,
               bool may_be_empty, double ulps) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite});
  Case c;
  const Shape shape = r.shape(0, 5, may_be_empty);
  const Axes axes = r.axes(shape.size());
  const bool keepdims = r.chance(0.5);
  c.call = fmt::format("{}(x0, {}, {})", name, text(axes), truth(keepdims));
  c.function = [=](V v) { return f(v[0], axes, keepdims); };
  c.inputs = {r.values(shape)};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  c.reference = of_sets(Sets(shape, axes, keepdims), of);
  c.ulps = ulps;
  c.gradient_ulps = 256;
  return c;
}

/// Variances and standard deviations.
Case spread(Draw& r, const std::string& name, Variable (*f)(const Variable&, const Axes&, bool, bool), bool root) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::NotFinite});
  Case c;
  const Shape shape = r.shape(0, 5, false);
  const Axes axes = r.axes(shape.size());
  const bool keepdims = r.chance(0.5);
  const Sets sets(shape, axes, keepdims);
  const bool unbiased = sets.each > 1 && r.chance(0.5);
  c.call = fmt::format("{}(x0, {}, {}, {})", name, text(axes), truth(keepdims), truth(unbiased));
  c.function = [=](V v) { return f(v[0], axes, keepdims, unbiased); };
  c.inputs = {r.values(shape)};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  c.reference = of_sets(sets, [=](const std::vector<Real>& x) {
    // A square that is too small to have all its digits, below 1e-19 in float, is off by a part of the smallest number.
    const Real v = variance_of(x, unbiased), smallest = std::numeric_limits<Scalar>::min(), y = root ? std::sqrt(v) : v;
    return Sized{y, root && v > 0 ? y + smallest / y : y + smallest};
  });
  c.ulps = 16;
  c.slack = {constant_of(c.inputs[0], root ? 1 : c.reach[0][0])};
  if (sets.each < 3) c.order = 1;  // of two numbers, the deviation is |a − b|
  return c;
}

}  // namespace

std::vector<Operation> reduction_operations() {
  std::vector<Operation> rows;
  rows.push_back({"sum", [](Draw& r) { return reduction(r, "sum", sum, sum_of, true, 4); }});
  rows.push_back({"mean", [](Draw& r) { return reduction(r, "mean", mean, mean_of, false, 4); }});
  rows.push_back({"variance", [](Draw& r) { return spread(r, "variance", variance, false); }});
  rows.push_back(
      {"standard_deviation", [](Draw& r) { return spread(r, "standard_deviation", standard_deviation, true); }});
  const auto extreme = [](Real sign) {
    return [sign](const std::vector<Real>& x) { return Sized{x[extreme_at(x, sign)], 0}; };
  };
  rows.push_back({"max", [=](Draw& r) { return reduction(r, "max", max, extreme(1), false, 0); }});
  rows.push_back({"min", [=](Draw& r) { return reduction(r, "min", min, extreme(-1), false, 0); }});
  rows.push_back({"logsumexp", [](Draw& r) { return reduction(r, "logsumexp", logsumexp, logsumexp_of, false, 8); }});
  rows.push_back({"argmax", [](Draw& r) {
                    r.choose({Kind::Integers, Kind::Large, Kind::NotFinite});
                    Case c;
                    const Shape shape = r.shape(1, 5, false);
                    const int axis = r.axis(shape.size());
                    c.call = fmt::format("argmax(x0, {})", axis);
                    c.function = [axis](V v) { return proofs::numbers(argmax(v[0], axis)); };
                    c.inputs = {r.values(shape)};
                    c.reference = of_sets(Sets(shape, {axis}, false), [](const std::vector<Real>& x) {
                      return Sized{static_cast<Real>(extreme_at(x, 1)), 0};
                    });
                    c.ulps = c.order = 0;
                    return c;
                  }});
  return rows;
}

}  // namespace xtg::random_cases
