#include "autograd/ops/loss.hpp"

#include <algorithm>
#include <cmath>

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

/// x less its largest element along the axis. The shift is a constant: it cancels in what follows.
Variable centred(const Variable& x, int axis) { return x - Variable(max(x.value(), {axis}, true)); }

Variable softmax_composed(const Variable& x, int axis) {
  const Variable e = exp(centred(x, axis));
  return e / sum(e, {axis}, true);
}

Variable log_softmax_composed(const Variable& x, int axis) {
  const Variable z = centred(x, axis);
  return z - log(sum(exp(z), {axis}, true));
}

/// Calls finish(x_k, largest, Σ_j exp(x_j − largest)) for each element, where j runs along the axis.
template <class Finish>
Tensor along_axis(const Tensor& x, int axis, const Finish& finish) {
  const Shape& s = x.shape();
  const std::size_t at = normalize_axis("softmax", axis, s.size()), n = s[at];
  const std::size_t step = count(Shape(s.begin() + static_cast<std::ptrdiff_t>(at) + 1, s.end()));
  Tensor y(s);
  for (std::size_t i = 0; i < x.size() / n; ++i) {
    const std::size_t begin = i / step * n * step + i % step, end = begin + n * step;
    double top = static_cast<double>(x.data()[begin]), total = 0;
    for (std::size_t k = begin; k < end; k += step) top = std::max(top, static_cast<double>(x.data()[k]));
    for (std::size_t k = begin; k < end; k += step) total += std::exp(static_cast<double>(x.data()[k]) - top);
    for (std::size_t k = begin; k < end; k += step)
      y.data()[k] = static_cast<Scalar>(finish(static_cast<double>(x.data()[k]), top, total));
  }
  return y;
}

Tensor softmax_forward(const Tensor& x, int axis) {
  return along_axis(x, axis, [](double v, double top, double total) { return std::exp(v - top) / total; });
}

Tensor log_softmax_forward(const Tensor& x, int axis) {
  return along_axis(x, axis, [](double v, double top, double total) { return v - (top + std::log(total)); });
}

/// t·(1 − s) + s/K for targets (N, K).
Tensor smoothed(const Tensor& targets, double smoothing) {
  const auto classes = static_cast<double>(targets.shape()[1]);
  return targets * static_cast<Scalar>(1 - smoothing) + static_cast<Scalar>(smoothing / classes);
}

Variable cross_entropy_composed(const Variable& logits, const Variable& targets, double smoothing) {
  const auto n = static_cast<double>(targets.shape()[0]), classes = static_cast<double>(targets.shape()[1]);
  const Variable t = targets * static_cast<Scalar>(1 - smoothing) + static_cast<Scalar>(smoothing / classes);
  return negative(sum(t * log_softmax(logits))) / static_cast<Scalar>(n);
}

void require_pairs(const char* name, const Variable& input, const Variable& target) {
  require<ShapeError>(input.shape() == target.shape() && input.size() > 0,
                      "{}: expected input and target of equal shape with at least one element, got {} and {}", name,
                      to_string(input.shape()), to_string(target.shape()));
}

/// −|x| is −x for x > 0, else x: on the side of 0 on which relu(x) is 0, so that both bend as one.
Variable binary_cross_entropy_composed(const Variable& x, const Variable& t) {
  const Variable minus_abs = where(less_equal(x.value(), 0), x, negative(x));
  return mean(relu(x) - x * t + log1p(exp(minus_abs)));
}

}  // namespace

Variable softmax(const Variable& x, int axis) {
  require_elements("softmax", x.shape(), axis);
  const auto backward = [axis](const Variable& dy, const Context& c) {
    const Variable y = c.output();
    return Variables{y * (dy - sum(dy * y, {axis}, true))};
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
    return Variables{dy - exp(c.output()) * sum(dy, {axis}, true)};
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

// The loss is −Σ t·log_p/N over samples and classes, with t the smoothed targets. As dlog_p_k/dlogits_j is 1 where
// j = k, less p_j, its derivative is (p_j·Σ_k t_k − t_j)/N.
Computed cross_entropy_by_hand(const Tensor& logits, const Tensor& targets, double smoothing) {
  Tensor log_p = log_softmax_forward(logits, -1), t = smoothed(targets, smoothing);
  double total = 0;
  for (std::size_t i = 0; i < t.size(); ++i)
    total -= static_cast<double>(t.data()[i]) * static_cast<double>(log_p.data()[i]);
  const double samples = static_cast<double>(t.shape()[0]);
  return {scalar(static_cast<Scalar>(total / samples)),
          [log_p = std::move(log_p), t = std::move(t), smoothing](const Tensor& dy, const Arguments& arguments) {
            const Scalar scale = dy.item() / static_cast<Scalar>(t.shape()[0]);
            AnalyticGradients d(2);
            if (arguments.wants(0)) d[0] = (exp(log_p) * sum(t, {1}, true) - t) * scale;
            if (arguments.wants(1)) d[1] = log_p * (static_cast<Scalar>(smoothing - 1) * scale);
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
    total += std::max(x, 0.0) - x * t + std::log1p(std::exp(-std::abs(x)));
  }
  return {scalar(static_cast<Scalar>(total / n)), [n](const Tensor& dy, const Arguments& a) {
            const double scale = static_cast<double>(dy.item()) / n;
            AnalyticGradients d(2);
            if (a.wants(0)) {
              d[0] = Tensor(a[0].shape());
              for (std::size_t i = 0; i < d[0]->size(); ++i) {
                const double probability = 1 / (1 + std::exp(-static_cast<double>(a[0].data()[i])));
                d[0]->data()[i] = static_cast<Scalar>((probability - static_cast<double>(a[1].data()[i])) * scale);
              }
            }
            if (a.wants(1)) d[1] = a[0] * static_cast<Scalar>(-scale);
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
