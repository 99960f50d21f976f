#include "autograd/ops/loss.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

Variable log_softmax_composed(const Variable& x) {
  const Variable centred = x - Variable(max(x.value(), {-1}, true));  // the shift is a constant: it cancels
  return centred - log(sum(exp(centred), {-1}, true));
}

Tensor log_softmax_forward(const Tensor& x) {
  Tensor y(x.shape());
  const std::size_t k = x.shape().back();
  for (std::size_t row = 0; row < x.size(); row += k) {
    const Scalar* in = x.data() + row;
    const double top = static_cast<double>(*std::max_element(in, in + k));
    double total = 0;
    for (std::size_t i = 0; i < k; ++i) total += std::exp(static_cast<double>(in[i]) - top);
    const double shift = top + std::log(total);
    for (std::size_t i = 0; i < k; ++i) y.data()[row + i] = static_cast<Scalar>(static_cast<double>(in[i]) - shift);
  }
  return y;
}

/// (N, K): 1 − s at the label, plus s/K everywhere.
Tensor smoothed_targets(const Indices& labels, std::size_t classes, double smoothing) {
  Tensor t = full({labels.size(), classes}, static_cast<Scalar>(smoothing / static_cast<double>(classes)));
  for (std::size_t i = 0; i < labels.size(); ++i)
    t.data()[i * classes + static_cast<std::size_t>(labels.data()[i])] += static_cast<Scalar>(1 - smoothing);
  return t;
}

Variable cross_entropy_composed(const Variable& logits, const Tensor& targets) {
  return negative(sum(Variable(targets) * log_softmax(logits))) / static_cast<Scalar>(targets.shape()[0]);
}

}  // namespace

Variable log_softmax(const Variable& x, int) {
  require<ShapeError>(!x.shape().empty() && x.shape().back() > 0, "log_softmax: expected x (…, K) with K > 0, got {}",
                      to_string(x.shape()));
  if (DerivedGradients::current()) return log_softmax_composed(x);
  return record(
      "log_softmax", log_softmax_forward(x.value()), {x},
      [](const Variable& dy, const Context& c) { return Variables{dy - exp(c.output()) * sum(dy, {-1}, true)}; },
      Keep::Output);
}

Variable cross_entropy(const Variable& logits, const Indices& labels, double label_smoothing) {
  const Shape& shape = logits.shape();
  require<ShapeError>(shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && labels.shape() == Shape{shape[0]},
                      "cross_entropy: expected logits (N, K) and N labels, got {} and labels {}", to_string(shape),
                      to_string(labels.shape()));
  const auto k = static_cast<std::int64_t>(shape[1]);
  for (std::size_t i = 0; i < labels.size(); ++i)
    require(labels.data()[i] >= 0 && labels.data()[i] < k, "cross_entropy: label {} at {} is not within 0 … {}",
            labels.data()[i], i, k - 1);
  require(label_smoothing >= 0 && label_smoothing <= 1, "cross_entropy: label smoothing {} is not within [0, 1]",
          label_smoothing);

  Tensor targets = smoothed_targets(labels, shape[1], label_smoothing);
  if (DerivedGradients::current()) return cross_entropy_composed(logits, targets);
  const Tensor log_p = log_softmax_forward(logits.value());
  double total = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i)
    total -= static_cast<double>(targets.data()[i]) * static_cast<double>(log_p.data()[i]);
  return record_analytic(
      "cross_entropy", scalar(static_cast<Scalar>(total / static_cast<double>(shape[0]))), {logits},
      [targets](const Variables& v) { return cross_entropy_composed(v[0], targets); },
      [targets, log_p](const Tensor& dy, const Arguments&) {
        Tensor dx(log_p.shape());
        const Scalar scale = dy.data()[0] / static_cast<Scalar>(log_p.shape()[0]);
        for (std::size_t i = 0; i < dx.size(); ++i)
          dx.data()[i] = (std::exp(log_p.data()[i]) - targets.data()[i]) * scale;
        return AnalyticGradients{std::move(dx)};
      });
}

}  // namespace xtg
