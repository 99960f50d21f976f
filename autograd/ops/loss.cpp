#include "autograd/ops/loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "autograd/operation.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/indexing.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

void require_elements(const char* name, const Shape& shape, int axis) {
  require<ShapeError>(shape[normalize_axis(name, axis, shape.size())] > 0, "{}: no elements along axis {} of {}", name,
                      axis, to_string(shape));
}

// Softmax is computed about the first largest element x_m along the axis, with z = x − x_m: nothing overflows. If the
// others are far below, its probability is nearly 1, and what it lacks, the sum of theirs, would be lost in
// Σ exp(z_k) = 1 + rest and in every difference from 1. So it is kept apart: the logarithm of the sum is log1p(rest),
// and the gradient at m is found from the others, for along the axis gradients add up to 0: a number added to all of x
// changes nothing.

/// Where the first largest elements along the axis are in the whole array: (…, n, …) -> (…, 1, …).
Indices largest_along(const Tensor& x, int axis) {
  const Indices largest = argmax(x, axis);
  Shape shape = x.shape();
  const std::size_t k = normalize_axis("softmax", axis, shape.size()), n = shape[k];
  const std::size_t inner = count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(k) + 1, shape.end()));
  shape[k] = 1;
  Indices positions(shape);
  for (std::size_t i = 0; i < largest.size(); ++i) {
    const auto m = static_cast<std::size_t>(largest.data()[i]);
    positions.data()[i] = static_cast<std::int64_t>((i / inner * n + m) * inner + i % inner);
  }
  return positions;
}

Variable balanced(const Variable& u, const Indices& largest, int axis);

/// z_k = x_k − x_m; 0 at m, whatever x is, but NaN if x_m is infinite. dx = balanced(dz).
Variable centered(const Variable& x, const Indices& largest, int axis) {
  return record("centered", x.value() - take(x.value(), largest), {x},
                [=](const Variable& dz, const Context&) { return Variables{balanced(dz, largest, axis)}; });
}

/// u, but −Σ_{k≠m} u_k at m: the gradient along the axis, whatever stood there. du = centered(dy).
Variable balanced(const Variable& u, const Indices& largest, int axis) {
  Tensor y = u.value();
  for (const std::int64_t m : largest) y.data()[m] = 0;
  const Tensor rest = sum(y, {axis}, true);
  for (std::size_t i = 0; i < largest.size(); ++i) y.data()[largest.data()[i]] = -rest.data()[i];
  return record("balanced", std::move(y), {u},
                [=](const Variable& dy, const Context&) { return Variables{centered(dy, largest, axis)}; });
}

struct Centered {
  Variable z, rest;
};

Centered about_largest(const Variable& x, int axis) {
  const Indices largest = largest_along(x.value(), axis);
  const Variable z = centered(x, largest, axis);
  const Variable one_at_m(put(ones(largest.shape()), largest, x.shape()));  // exp(z_m)
  return {z, sum(exp(z) - one_at_m, {axis}, true)};
}

Variable softmax_composed(const Variable& x, int axis) {
  const auto [z, rest] = about_largest(x, axis);
  return exp(z) / (rest + Scalar{1});
}

Variable log_softmax_composed(const Variable& x, int axis) {
  const auto [z, rest] = about_largest(x, axis);
  return z - log1p(rest);
}

/// Calls finish(z_k, rest) for each element.
template <class Finish>
Tensor along_axis(const Tensor& x, int axis, const Finish& finish) {
  const Shape& s = x.shape();
  const std::size_t at = normalize_axis("softmax", axis, s.size()), n = s[at];
  const std::size_t step = count(Shape(s.begin() + static_cast<std::ptrdiff_t>(at) + 1, s.end()));
  Tensor y(s);
  for (std::size_t i = 0; i < x.size() / n; ++i) {
    const std::size_t begin = i / step * n * step + i % step, end = begin + n * step;
    std::size_t first = begin;
    for (std::size_t k = begin; k < end; k += step)
      if (x.data()[k] > x.data()[first]) first = k;
    const auto top = static_cast<double>(x.data()[first]);
    double rest = top - top;  // 0, or NaN
    for (std::size_t k = begin; k < end; k += step)
      if (k != first) rest += std::exp(static_cast<double>(x.data()[k]) - top);
    for (std::size_t k = begin; k < end; k += step)
      y.data()[k] = static_cast<Scalar>(finish(static_cast<double>(x.data()[k]) - top, rest));
  }
  return y;
}

Tensor softmax_forward(const Tensor& x, int axis) {
  return along_axis(x, axis, [](double z, double rest) { return std::exp(z) / (1 + rest); });
}

Tensor log_softmax_forward(const Tensor& x, int axis) {
  return along_axis(x, axis, [](double z, double rest) { return z - std::log1p(rest); });
}

/// t·(1 − s) + s/K for targets (N, K).
Tensor smoothed(const Tensor& targets, double smoothing) {
  const auto classes = static_cast<double>(targets.shape()[1]);
  return targets * static_cast<Scalar>(1 - smoothing) + static_cast<Scalar>(smoothing / classes);
}

/// weight·value, but 0 where the weight is 0 and the value infinite: a term that does not count.
double term(double weight, double value) { return weight == 0 && std::isinf(value) ? 0 : weight * value; }

/// The same for Variables; a term that does not count has no gradient.
Variable terms(const Variable& weight, const Variable& value) {
  const Tensor zero = scalar(0), of_no_weight = where(equal(weight.value(), zero), value.value(), zero);
  const Mask none = equal(abs(of_no_weight), scalar(std::numeric_limits<Scalar>::infinity()));
  return weight * where(none, Variable(zero), value);
}

Variable cross_entropy_composed(const Variable& logits, const Variable& targets, double smoothing) {
  const auto n = static_cast<double>(targets.shape()[0]), classes = static_cast<double>(targets.shape()[1]);
  const Variable t = targets * static_cast<Scalar>(1 - smoothing) + static_cast<Scalar>(smoothing / classes);
  return negative(sum(terms(t, log_softmax(logits)))) / static_cast<Scalar>(n);
}

void require_pairs(const char* name, const Variable& input, const Variable& target) {
  require<ShapeError>(input.shape() == target.shape() && input.size() > 0,
                      "{}: expected input and target of equal shape with at least one element, got {} and {}", name,
                      to_string(input.shape()), to_string(target.shape()));
}

Variable binary_cross_entropy_composed(const Variable& x, const Variable& t) {
  const Mask below = less(x.value(), scalar(0));
  const Variable size = where(below, negative(x), x), other = where(below, t, Scalar{1} - t);
  return mean(terms(other, size) + log1p(exp(negative(size))));
}

}  // namespace

Variable softmax(const Variable& x, int axis) {
  require_elements("softmax", x.shape(), axis);
  const auto backward = [axis](const Variable& dy, const Context& c) {
    const Variable y = c.output();
    return Variables{balanced(y * (dy - sum(dy * y, {axis}, true)), largest_along(y.value(), axis), axis)};
  };
  return operation(
      "softmax", {x}, [axis](const Variables& v) { return softmax_composed(v[0], axis); },
      [&] {
        return Computed{softmax_forward(x.value(), axis), backward, Keep::Output};
      });
}

Variable log_softmax(const Variable& x, int axis) {
  require_elements("log_softmax", x.shape(), axis);
  const auto backward = [axis](const Variable& dy, const Context& c) {
    const Variable y = c.output();
    return Variables{balanced(dy - exp(y) * sum(dy, {axis}, true), largest_along(y.value(), axis), axis)};
  };
  return operation(
      "log_softmax", {x}, [axis](const Variables& v) { return log_softmax_composed(v[0], axis); },
      [&] {
        return Computed{log_softmax_forward(x.value(), axis), backward, Keep::Output};
      });
}

Variable cross_entropy(const Variable& logits, const Indices& labels, double label_smoothing) {
  const Shape& shape = logits.shape();
  require<ShapeError>(shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && labels.shape() == Shape{shape[0]},
                      "cross_entropy: expected logits (N, K) and N labels, got {} and labels {}", to_string(shape),
                      to_string(labels.shape()));
  return cross_entropy(logits, Variable(one_hot("cross_entropy", labels, shape[1])), label_smoothing);
}

namespace {

/// scale·(p_k·Σ_j t_j − t_k) in each row; at the largest p as in `balanced`.
Tensor cross_entropy_slope(const Tensor& log_p, const Tensor& t, double scale) {
  const std::size_t classes = t.shape()[1];
  Tensor d(t.shape());
  for (std::size_t begin = 0; begin < t.size(); begin += classes) {
    const Scalar *row = log_p.data() + begin, *target = t.data() + begin;
    const double mass = std::accumulate(target, target + classes, 0.0);
    const std::size_t largest = static_cast<std::size_t>(std::max_element(row, row + classes) - row);
    double rest = 0;
    for (std::size_t k = 0; k < classes; ++k) {
      const double slope = scale * (std::exp(static_cast<double>(row[k])) * mass - static_cast<double>(target[k]));
      if (k != largest) rest += slope;
      d.data()[begin + k] = static_cast<Scalar>(slope);
    }
    d.data()[begin + largest] = static_cast<Scalar>(-rest);
  }
  return d;
}

// The loss is −Σ t·log_p/N over samples and classes, with t the smoothed targets. As dlog_p_k/dlogits_j is 1 where
// j = k, less p_j, its derivative is (p_j·Σ_k t_k − t_j)/N.
Computed cross_entropy_by_hand(const Tensor& logits, const Tensor& targets, double smoothing) {
  Tensor log_p = log_softmax_forward(logits, -1), t = smoothed(targets, smoothing);
  double total = 0;
  for (std::size_t i = 0; i < t.size(); ++i)
    total -= term(static_cast<double>(t.data()[i]), static_cast<double>(log_p.data()[i]));
  const double samples = static_cast<double>(t.shape()[0]);
  return {scalar(static_cast<Scalar>(total / samples)),
          [log_p = std::move(log_p), t = std::move(t), smoothing](const Tensor& dy, const Arguments& arguments) {
            const double scale = static_cast<double>(dy.item()) / static_cast<double>(t.shape()[0]);
            AnalyticGradients d(2);
            if (arguments.wants(0)) d[0] = cross_entropy_slope(log_p, t, scale);
            if (arguments.wants(1)) {
              d[1] = Tensor(t.shape());
              for (std::size_t i = 0; i < t.size(); ++i) {
                const bool counts = t.data()[i] != 0 || !std::isinf(log_p.data()[i]);
                const double value = static_cast<double>(log_p.data()[i]) * (smoothing - 1) * scale;
                d[1]->data()[i] = counts ? static_cast<Scalar>(value) : Scalar{0};
              }
            }
            return d;
          }};
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Variable& targets, double label_smoothing) {
  const Shape& shape = logits.shape();
  require<ShapeError>(shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && targets.shape() == shape,
                      "cross_entropy: expected logits and targets (N, K), got {} and {}", to_string(shape),
                      to_string(targets.shape()));
  require(label_smoothing >= 0 && label_smoothing <= 1, "cross_entropy: label smoothing {} is not within [0, 1]",
          label_smoothing);
  return operation(
      "cross_entropy", {logits, targets},
      [label_smoothing](const Variables& v) { return cross_entropy_composed(v[0], v[1], label_smoothing); },
      [&] { return cross_entropy_by_hand(logits.value(), targets.value(), label_smoothing); });
}

Variable mse_loss(const Variable& input, const Variable& target) {
  require_pairs("mse_loss", input, target);
  return mean(square(input - target));
}

Variable l1_loss(const Variable& input, const Variable& target) {
  require_pairs("l1_loss", input, target);
  return mean(abs(input - target));
}

// With c the difference d limited to −delta … delta, both branches are c·(d − c/2): d²/2, and ±delta·d − delta²/2.
Variable huber_loss(const Variable& input, const Variable& target, Scalar delta) {
  require_pairs("huber_loss", input, target);
  require(delta > 0, "huber_loss: expected delta > 0, got {}", delta);
  const Variable d = input - target, c = clamp(d, -delta, delta);
  return mean(c * (d - c / 2));
}

namespace {

Computed binary_cross_entropy_by_hand(const Tensor& logits, const Tensor& targets) {
  const auto n = static_cast<double>(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double x = static_cast<double>(logits.data()[i]), t = static_cast<double>(targets.data()[i]);
    total += term(x < 0 ? t : 1 - t, std::abs(x)) + std::log1p(std::exp(-std::abs(x)));
  }
  return {scalar(static_cast<Scalar>(total / n)), [n](const Tensor& dy, const Arguments& a) {
            const double scale = static_cast<double>(dy.item()) / n;
            AnalyticGradients d(2);
            if (a.wants(0)) {
              d[0] = Tensor(a[0].shape());
              for (std::size_t i = 0; i < d[0]->size(); ++i) {
                // σ(x) − t as (1 − t)·σ(x) − t·σ(−x): where σ(x) is 1 but for rounding, the difference has no digits.
                const double x = static_cast<double>(a[0].data()[i]), t = static_cast<double>(a[1].data()[i]);
                const double e = std::exp(-std::abs(x)), right = x < 0 ? e : 1, left = x < 0 ? 1 : e;
                d[0]->data()[i] = static_cast<Scalar>(((1 - t) * right - t * left) / (1 + e) * scale);
              }
            }
            if (a.wants(1)) {
              d[1] = Tensor(a[1].shape());
              for (std::size_t i = 0; i < d[1]->size(); ++i) {
                const Scalar x = a[0].data()[i], t = a[1].data()[i];
                const bool counts = !std::isinf(x) || (x < 0 ? t : 1 - t) != 0;
                d[1]->data()[i] = counts ? static_cast<Scalar>(-scale) * x : Scalar{0};
              }
            }
            return d;
          }};
}

}  // namespace

Variable binary_cross_entropy_with_logits(const Variable& logits, const Variable& targets) {
  require_pairs("binary_cross_entropy_with_logits", logits, targets);
  return operation(
      "binary_cross_entropy_with_logits", {logits, targets},
      [](const Variables& v) { return binary_cross_entropy_composed(v[0], v[1]); },
      [&] { return binary_cross_entropy_by_hand(logits.value(), targets.value()); });
}

}  // namespace xtg
