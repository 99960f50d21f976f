#include "autograd/ops/reduce.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include "autograd/operation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace xtg {

Variable sum(const Variable& x, const Axes& axes, bool keepdims) {
  const Shape kept = reduced_shape(x.shape(), normalize_axes("sum", axes, x.shape().size()), true);
  return record("sum", sum(x.value(), axes, keepdims), {x}, [kept](const Variable& dy, const Context& c) {
    return Variables{broadcast_to(reshape(dy, kept), c.input_shape(0))};
  });
}

Variable mean(const Variable& x, const Axes& axes, bool keepdims) {
  const std::vector<std::size_t> reduced = normalize_axes("mean", axes, x.shape().size());
  const Shape kept = reduced_shape(x.shape(), reduced, true);
  const std::size_t n = reduced_count("mean", x.shape(), reduced);
  return record("mean", mean(x.value(), axes, keepdims), {x},
                [kept, n = static_cast<Scalar>(n)](const Variable& dy, const Context& c) {
                  return Variables{broadcast_to(reshape(dy / n, kept), c.input_shape(0))};
                });
}

namespace {

/// About the mean, not E[x²] − E[x]²: that difference of large numbers is lost in rounding where |mean| is large.
/// Twice, for the mean is rounded: floats near 1e6 are 0.06 apart.
Variable variance_composed(const Variable& x, const Axes& axes, bool keepdims, Scalar correction) {
  const Variable about = x - mean(x, axes, true);
  return mean(square(about - mean(about, axes, true)), axes, keepdims) * correction;
}

Variable variance_of(const char* name, const Variable& x, const Axes& axes, bool keepdims, bool unbiased) {
  const std::vector<std::size_t> reduced = normalize_axes(name, axes, x.shape().size());
  const Shape kept = reduced_shape(x.shape(), reduced, true);
  const std::size_t n = reduced_count(name, x.shape(), reduced);
  require(n > 1 || !unbiased, "{}: unbiased, expected two elements or more along the reduced axes of {}, got one", name,
          to_string(x.shape()));
  const std::size_t divisor = unbiased ? n - 1 : n;
  const auto correction = static_cast<Scalar>(static_cast<double>(n) / static_cast<double>(divisor));
  return operation(
      "variance", {x}, [=](const Variables& v) { return variance_composed(v[0], axes, keepdims, correction); },
      [&] {
        // The mean, of x's shape with reduced axes 1, and what it lost in rounding.
        const Tensor average = mean(x.value(), axes, true), about = x.value() - average;
        const Tensor rest = mean(about, axes, true);
        return Computed{mean(square(about - rest), axes, keepdims) * correction,
                        [=](const Tensor& dy, const Arguments& a) {
                          // x also moves the mean, but by that the variance changes by −2·mean(x − mean) = 0.
                          const Tensor scale = reshape(Scalar{2} * dy / static_cast<Scalar>(divisor), kept);
                          return analytic_gradients((a[0] - average - rest) * scale);
                        }};
      });
}

/// Max or min: the gradient goes to the elements that are equal to it. Which ones are does not change with small
/// changes of x, so their shares are constants.
Variable extreme(const char* name, Tensor y, const Variable& x, const Axes& axes) {
  const Shape kept = reduced_shape(x.shape(), normalize_axes(name, axes, x.shape().size()), true);
  return record(
      name, std::move(y), {x},
      [x = Saved(x), kept](const Variable& dy, const Context& c) {
        const Variable shares(tie_shares(x.value(), reshape(c.output().value(), kept)));
        return Variables{reshape(dy, kept) * shares};
      },
      Keep::Output);
}

}  // namespace

Variable variance(const Variable& x, const Axes& axes, bool keepdims, bool unbiased) {
  return variance_of("variance", x, axes, keepdims, unbiased);
}

Variable standard_deviation(const Variable& x, const Axes& axes, bool keepdims, bool unbiased) {
  const Variable v = variance_of("standard_deviation", x, axes, keepdims, unbiased);
  const Mask none = less_equal(v.value(), 0);  // there the root is infinitely steep
  return where(none, Variable(scalar(0)), sqrt(where(none, Variable(scalar(1)), v)));
}

Variable max(const Variable& x, const Axes& axes, bool keepdims) {
  return extreme("max", max(x.value(), axes, keepdims), x, axes);
}

Variable min(const Variable& x, const Axes& axes, bool keepdims) {
  return extreme("min", min(x.value(), axes, keepdims), x, axes);
}

Indices argmax(const Variable& x, int axis) { return argmax(x.value(), axis); }

Variable logsumexp(const Variable& x, const Axes& axes, bool keepdims) {
  const std::vector<std::size_t> reduced = normalize_axes("logsumexp", axes, x.shape().size());
  reduced_count("logsumexp", x.shape(), reduced);
  const Scalar infinity = std::numeric_limits<Scalar>::infinity();
  Tensor largest = max(x.value(), axes, true);
  const Mask none = less_equal(largest, -infinity);  // exp(x) is 0 everywhere
  const Variable shares(tie_shares(x.value(), largest));
  // The shift cancels, so it is a constant. Where it would be infinite there is none, for ∞ − ∞ is NaN.
  for (Scalar& v : largest)
    if (!std::isfinite(v)) v = 0;
  const Variable shift(std::move(largest));  // x's shape, reduced axes 1
  // Σ exp(x − shift) less 1, which is the largest element's: what is left may be too small to show in the sum.
  const Variable rest = sum(exp(x - shift) - shares, axes, true);
  const Variable y = log1p(where(none, Variable(scalar(0)), rest)) + shift;
  return reshape(where(none, Variable(scalar(-infinity)), y), reduced_shape(x.shape(), reduced, keepdims));
}

Variable broadcast_to(const Variable& x, const Shape& shape) {
  return record("broadcast_to", broadcast_to(x.value(), shape), {x},
                [](const Variable& dy, const Context& c) { return Variables{sum_to(dy, c.input_shape(0))}; });
}

Variable sum_to(const Variable& x, const Shape& shape) {
  return record("sum_to", sum_to(x.value(), shape), {x},
                [](const Variable& dy, const Context& c) { return Variables{broadcast_to(dy, c.input_shape(0))}; });
}

}  // namespace xtg
