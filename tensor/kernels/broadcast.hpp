#pragma once

// The loop under every elementwise operation of two arrays. For the library's own .cpp files.

#include <algorithm>
#include <array>
#include <vector>

#include "tensor/kernels/parallel_for.hpp"
#include "tensor/shape.hpp"

namespace xtg::kernels {

/// out[i] = f(x[i]).
template <class Out, class In, class F>
void map(Out* out, const In* x, std::size_t n, const F& f) {
  parallel_ranges(n, 2 * kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) out[i] = f(x[i]);
  });
}

/// A walk over two arrays broadcast to one shape: adjacent axes that both arrays traverse alike are merged into one.
struct BroadcastPlan {
  std::vector<std::size_t> size;                   // outermost first; the last axis is the inner loop
  std::vector<std::array<std::size_t, 2>> stride;  // of a and b, 0 where it is repeated
};

inline BroadcastPlan plan_broadcast(const Shape& out, const Shape& a, const Shape& b) {
  BroadcastPlan plan;
  std::array<std::size_t, 2> extent = {1, 1};
  const auto axis_size = [&](const Shape& s, std::size_t i) {
    return i + s.size() < out.size() ? 1 : s[i + s.size() - out.size()];
  };
  for (std::size_t i = out.size(); i-- > 0;) {  // innermost first
    if (out[i] == 1) continue;
    const std::size_t na = axis_size(a, i), nb = axis_size(b, i);
    const std::array<std::size_t, 2> stride = {na == 1 ? 0 : extent[0], nb == 1 ? 0 : extent[1]};
    extent[0] *= na;
    extent[1] *= nb;
    const bool merges = !plan.size.empty() && stride[0] == plan.stride.back()[0] * plan.size.back() &&
                        stride[1] == plan.stride.back()[1] * plan.size.back();
    if (merges) {
      plan.size.back() *= out[i];
    } else {
      plan.size.push_back(out[i]);
      plan.stride.push_back(stride);
    }
  }
  if (plan.size.empty()) {
    plan.size = {1};
    plan.stride = {{1, 1}};
  }
  return {{plan.size.rbegin(), plan.size.rend()}, {plan.stride.rbegin(), plan.stride.rend()}};
}

/// out[i] = f(a[i], b[i]) with a and b broadcast to out's shape. `out` may be `a` if a has out's shape.
template <class Out, class A, class B, class F>
void zip(Out* out, const Shape& out_shape, const A* a, const Shape& a_shape, const B* b, const Shape& b_shape,
         const F& f) {
  const std::size_t total = count(out_shape);
  if (total == 0) return;
  if (a_shape == out_shape && b_shape == out_shape) {
    parallel_ranges(total, 2 * kGrain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) out[i] = f(a[i], b[i]);
    });
    return;
  }
  const BroadcastPlan plan = plan_broadcast(out_shape, a_shape, b_shape);
  const std::size_t inner = plan.size.back(), rows = total / inner;
  const std::size_t sa = plan.stride.back()[0], sb = plan.stride.back()[1];
  parallel_ranges(rows, 1 + 2 * kGrain / inner, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      const A* pa = a;
      const B* pb = b;
      for (std::size_t k = plan.size.size() - 1, rest = row; k-- > 0; rest /= plan.size[k]) {
        pa += rest % plan.size[k] * plan.stride[k][0];
        pb += rest % plan.size[k] * plan.stride[k][1];
      }
      Out* o = out + row * inner;
      if (sa != 0 && sb != 0)
        for (std::size_t i = 0; i < inner; ++i) o[i] = f(pa[i], pb[i]);
      else if (sa != 0)
        for (std::size_t i = 0; i < inner; ++i) o[i] = f(pa[i], *pb);
      else if (sb != 0)
        for (std::size_t i = 0; i < inner; ++i) o[i] = f(*pa, pb[i]);
      else
        std::fill(o, o + inner, f(*pa, *pb));
    }
  });
}

}  // namespace xtg::kernels
