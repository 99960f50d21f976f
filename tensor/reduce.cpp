#include "tensor/reduce.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/kernels/broadcast.hpp"
#include "tensor/kernels/reduce.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace xtg {
namespace {

// The larger and the smaller one; a NaN wins, from either side, so that it is not lost. Two selections, and not one
// with two conditions, which becomes a branch; numbers in no order make it mispredict.
constexpr auto larger = [](Scalar a, Scalar b) {
  const Scalar chosen = b > a ? b : a;
  return b != b ? b : chosen;
};
constexpr auto smaller = [](Scalar a, Scalar b) {
  const Scalar chosen = b < a ? b : a;
  return b != b ? b : chosen;
};

/// A sum of doubles, and beside it what its roundings lost, by Knuth's exact formula; together they have twice the
/// digits (Ogita, Rump & Oishi 2005, doi:10.1137/030601818). Of this and of plain sums, either precision uses one.
struct Compensated {
  Compensated() = default;  // not set
  Compensated(double v) : sum(v), lost(0) {}
  [[maybe_unused]] friend Compensated operator+(Compensated a, Compensated b) {
    Compensated c;
    c.sum = a.sum + b.sum;
    const double of_b = c.sum - a.sum, of_a = c.sum - of_b;
    c.lost = (a.lost + b.lost) + ((a.sum - of_a) + (b.sum - of_b));
    return c;
  }
  double sum, lost;
};

/// total/divisor as if it had been rounded once, so that the mean of equal numbers is that number. Infinities and NaN
/// are those of the sum alone.
[[maybe_unused]] inline double quotient(Compensated total, double divisor) {
  const double q = total.sum / divisor, rest = std::fma(-q, divisor, total.sum) + total.lost;
  return std::isfinite(rest) ? q + rest / divisor : q;
}
/// The total of floats: a double has 29 binary digits more, enough for what the roundings lose. Where few numbers are
/// summed, dividing by 1 would take longer than the sum.
[[maybe_unused]] inline double quotient(double total, double divisor) { return divisor == 1 ? total : total / divisor; }

// What reduce() is given: how two values become one, from `start`, and how a total becomes an element of the result.
struct Sum {
  using Total = std::conditional_t<std::is_same_v<Scalar, float>, double, Compensated>;
  explicit Sum(double d = 1) : divisor(d) {}
  Total operator()(Total a, Total b) const { return a + b; }
  Scalar result(Total total) const { return static_cast<Scalar>(quotient(total, divisor)); }
  Total start = 0;
  double divisor;
};
template <class Pick>
struct Extreme {
  using Total = Scalar;
  Scalar start;
  Pick pick;
  Scalar operator()(Scalar a, Scalar b) const { return pick(a, b); }
  Scalar result(Scalar total) const { return total; }
};

struct Axis {
  std::size_t size;
  bool reduced;
};

bool any_reduced(const std::vector<Axis>& axes) {
  return std::any_of(axes.begin(), axes.end(), [](const Axis& a) { return a.reduced; });
}

/// The axes of x without those of size 1, neighbours of the same kind merged.
std::vector<Axis> merged_axes(const Shape& shape, const std::vector<std::size_t>& reduced) {
  std::vector<Axis> result;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    const bool is_reduced = std::binary_search(reduced.begin(), reduced.end(), i);
    if (!result.empty() && result.back().reduced == is_reduced)
      result.back().size *= shape[i];
    else
      result.push_back({shape[i], is_reduced});
  }
  return result;
}

/// Takes from `axes` the one to be reduced next: the first that leaves little, for with wide rows inside it is fastest,
/// or the longest. It stays, shorter, if there are few totals of many numbers: then threads share the numbers.
kernels::ReduceStep next_step(std::vector<Axis>& axes) {
  const auto key = [](const Axis& a) { return a.reduced ? std::min<std::size_t>(a.size, 8) : 0; };
  const auto axis =
      std::max_element(axes.begin(), axes.end(), [&](const Axis& a, const Axis& b) { return key(a) < key(b); });
  const auto times = [](std::size_t n, const Axis& a) { return n * a.size; };
  const std::size_t outer = std::accumulate(axes.begin(), axis, std::size_t{1}, times);
  const std::size_t inner = std::accumulate(axis + 1, axes.end(), std::size_t{1}, times);
  const std::size_t piece = inner > kernels::kTotals ? axis->size : std::min(axis->size, 4 * kernels::kGrain / inner);
  const kernels::ReduceStep step = {outer, axis->size, inner, piece};
  axis->size = step.pieces();
  if (axis->size == 1) axes.erase(axis);
  return step;
}

/// Reduces x over `axes` to y, axis by axis: each step leaves half of its input to the next, or less.
template <class Op, class In>
void reduce_axes(const In* x, std::vector<Axis> axes, const Op& op, Scalar* y) {
  using Total = typename Op::Total;
  const kernels::ReduceStep step = next_step(axes);
  if (!any_reduced(axes))
    return kernels::reduce_axis(x, step, op, [&](std::size_t first, const Total* total, std::size_t n) {
      std::transform(total, total + n, y + first, [op](Total t) { return op.result(t); });
    });
  std::vector<Total, Allocator<Total>> partial(step.results());
  kernels::reduce_axis(x, step, op, [&](std::size_t first, const Total* total, std::size_t n) {
    std::copy_n(total, n, partial.data() + first);
  });
  reduce_axes(partial.data(), std::move(axes), op, y);
}

template <class Op>
Tensor reduce(const Tensor& x, const std::vector<std::size_t>& axes, bool keepdims, const Op& op) {
  Tensor y(reduced_shape(x.shape(), axes, keepdims));
  const std::vector<Axis> merged = merged_axes(x.shape(), axes);
  if (x.size() == 0)
    std::fill(y.begin(), y.end(), op.result(op.start));
  else if (any_reduced(merged))
    reduce_axes(x.data(), merged, op, y.data());
  else  // nothing to combine but for the start, which makes +0 of −0
    kernels::map(y.data(), x.data(), x.size(), [op](Scalar v) { return op.result(op(op.start, v)); });
  return y;
}

/// The one of each group that `pick` prefers to all others, and to `start`.
template <class Pick>
Tensor extreme(const char* name, const Tensor& x, const Axes& axes, bool keepdims, Scalar start, const Pick& pick) {
  const auto normalized = normalize_axes(name, axes, x.dimension());
  reduced_count(name, x.shape(), normalized);
  return reduce(x, normalized, keepdims, Extreme<Pick>{start, pick});
}

}  // namespace

std::size_t reduced_count(const char* operation, const Shape& shape, const std::vector<std::size_t>& axes) {
  std::size_t n = 1;
  for (const std::size_t axis : axes) n *= shape[axis];
  require<ShapeError>(n > 0, "{}: no elements along the reduced axes of ({})", operation, fmt::join(shape, ", "));
  return n;
}

Tensor sum(const Tensor& x, const Axes& axes, bool keepdims) {
  return reduce(x, normalize_axes("sum", axes, x.dimension()), keepdims, Sum());
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdims) {
  const auto normalized = normalize_axes("mean", axes, x.dimension());
  const std::size_t n = reduced_count("mean", x.shape(), normalized);
  return reduce(x, normalized, keepdims, Sum(static_cast<double>(n)));
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
  require<ShapeError>(n > 0, "argmax: no elements along axis {} of ({})", axis, fmt::join(shape, ", "));
  Indices best(reduced_shape(shape, {k}, false));
  const std::size_t inner = count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(k) + 1, shape.end()));
  for (std::size_t i = 0; i < best.size(); ++i) {
    const Scalar* column = x.data() + i / inner * n * inner + i % inner;
    std::size_t first = 0;
    Scalar largest = column[0];
    for (std::size_t j = 1; j < n; ++j) {
      const Scalar v = column[j * inner];
      if (v <= largest) continue;
      if (largest != largest) break;
      first = j;  // larger, or the first NaN
      largest = v;
    }
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
  return reshape(reduce(x, axes, true, Sum()), shape);
}

}  // namespace xtg
