#include "tensor/reduce.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/broadcast.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace xtg {
namespace {

/// Sum of n contiguous elements: eight interleaved double sums, which the compiler can vectorise.
double run_sum(const Scalar* x, std::size_t n) {
  double part[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t k = 0; k < 8; ++k) part[k] += static_cast<double>(x[i + k]);
  for (; i < n; ++i) part[0] += static_cast<double>(x[i]);
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

// The larger and the smaller one; a NaN wins, from either side, so that it is not lost.
constexpr auto larger = [](Scalar a, Scalar b) { return b > a || b != b ? b : a; };
constexpr auto smaller = [](Scalar a, Scalar b) { return b < a || b != b ? b : a; };

/// A walk over x for a reduction: size-1 axes dropped, adjacent axes of the same kind merged.
struct ReductionPlan {
  std::vector<std::size_t> size;
  std::vector<std::size_t> stride;  // in the result; 0 along a reduced axis
};

ReductionPlan plan_reduction(const Shape& shape, const std::vector<std::size_t>& axes) {
  ReductionPlan plan;
  std::size_t extent = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {  // innermost first
    if (shape[i] == 1) continue;
    const bool reduced = std::binary_search(axes.begin(), axes.end(), i);
    if (!plan.size.empty() && reduced == (plan.stride.back() == 0)) {
      plan.size.back() *= shape[i];
    } else {
      plan.size.push_back(shape[i]);
      plan.stride.push_back(reduced ? 0 : extent);
    }
    if (!reduced) extent *= shape[i];
  }
  if (plan.size.empty()) return {{1}, {0}};
  return {{plan.size.rbegin(), plan.size.rend()}, {plan.stride.rbegin(), plan.stride.rend()}};
}

/// Calls visit(offset in the result, run of x, length, whether the run is reduced) for every innermost run of x, in
/// order.
template <class Visit>
void for_each_run(const Tensor& x, const std::vector<std::size_t>& axes, const Visit& visit) {
  if (x.size() == 0) return;
  const ReductionPlan plan = plan_reduction(x.shape(), axes);
  const std::size_t inner = plan.size.back(), rows = x.size() / inner;
  for (std::size_t row = 0; row < rows; ++row) {
    std::size_t offset = 0;
    for (std::size_t k = plan.size.size() - 1, rest = row; k-- > 0; rest /= plan.size[k])
      offset += rest % plan.size[k] * plan.stride[k];
    visit(offset, x.data() + row * inner, inner, plan.stride.back() == 0);
  }
}

Tensor scaled_sum(const Tensor& x, const std::vector<std::size_t>& axes, bool keepdims, double scale) {
  Tensor y(reduced_shape(x.shape(), axes, keepdims));
  std::vector<double> total(y.size(), 0.0);
  for_each_run(x, axes, [&](std::size_t offset, const Scalar* run, std::size_t n, bool reduced) {
    if (reduced)
      total[offset] += run_sum(run, n);
    else
      for (std::size_t i = 0; i < n; ++i) total[offset + i] += static_cast<double>(run[i]);
  });
  std::transform(total.begin(), total.end(), y.data(), [scale](double t) { return static_cast<Scalar>(t * scale); });
  return y;
}

/// The one of each group that `pick` prefers to all others, and to `start`.
template <class Pick>
Tensor extreme(const char* name, const Tensor& x, const Axes& axes, bool keepdims, Scalar start, const Pick& pick) {
  const auto normalized = normalize_axes(name, axes, x.dimension());
  reduced_count(name, x.shape(), normalized);
  Tensor y = full(reduced_shape(x.shape(), normalized, keepdims), start);
  for_each_run(x, normalized, [&](std::size_t offset, const Scalar* run, std::size_t n, bool reduced) {
    Scalar* out = y.data() + offset;
    if (reduced)
      *out = std::accumulate(run, run + n, *out, pick);
    else
      for (std::size_t i = 0; i < n; ++i) out[i] = pick(out[i], run[i]);
  });
  return y;
}

}  // namespace

std::size_t reduced_count(const char* operation, const Shape& shape, const std::vector<std::size_t>& axes) {
  std::size_t n = 1;
  for (const std::size_t axis : axes) n *= shape[axis];
  require<ShapeError>(n > 0, "{}: no elements along the reduced axes of {}", operation, to_string(shape));
  return n;
}

Tensor sum(const Tensor& x, const Axes& axes, bool keepdims) {
  return scaled_sum(x, normalize_axes("sum", axes, x.dimension()), keepdims, 1);
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdims) {
  const auto normalized = normalize_axes("mean", axes, x.dimension());
  return scaled_sum(x, normalized, keepdims, 1.0 / static_cast<double>(reduced_count("mean", x.shape(), normalized)));
}

Tensor max(const Tensor& x, const Axes& axes, bool keepdims) {
  return extreme("max", x, axes, keepdims, -std::numeric_limits<Scalar>::infinity(), larger);
}

Tensor min(const Tensor& x, const Axes& axes, bool keepdims) {
  return extreme("min", x, axes, keepdims, std::numeric_limits<Scalar>::infinity(), smaller);
}

Tensor tie_shares(const Tensor& x, const Tensor& extreme) {
  Tensor ties(x.shape());  // 1 or 0
  kernels::zip(ties.data(), x.shape(), x.data(), x.shape(), extreme.data(), extreme.shape(),
               [](Scalar v, Scalar e) { return static_cast<Scalar>(v == e || (v != v && e != e)); });
  return divide(ties, sum_to(ties, extreme.shape()));
}

Indices argmax(const Tensor& x, int axis) {
  const std::size_t k = normalize_axis("argmax", axis, x.dimension());
  const Shape& shape = x.shape();
  const std::size_t n = shape[k];
  require<ShapeError>(n > 0, "argmax: no elements along axis {} of {}", axis, to_string(shape));
  Indices best(reduced_shape(shape, {k}, false));
  const std::size_t inner = count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(k) + 1, shape.end()));
  for (std::size_t i = 0; i < best.size(); ++i) {
    const Scalar* column = x.data() + i / inner * n * inner + i % inner;
    std::size_t first = 0;
    for (std::size_t j = 1; j < n; ++j)
      if (const Scalar v = column[j * inner], best = column[first * inner]; v > best || (v != v && best == best))
        first = j;
    best.data()[i] = static_cast<std::int64_t>(first);
  }
  return best;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  require<ShapeError>(shape.size() <= x.dimension() && broadcast_shapes("sum_to", x.shape(), shape) == x.shape(),
                      "sum_to: {} does not broadcast to {}", to_string(shape), to_string(x.shape()));
  const std::size_t added = x.dimension() - shape.size();
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < x.dimension(); ++i)
    if (i < added || (shape[i - added] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  return reshape(scaled_sum(x, axes, true, 1), shape);
}

}  // namespace xtg
