#pragma once

// The loop under every elementwise operation of two arrays. For the library's own .cpp files.
//
// The simple form is: for every element of the result, find the element of a and of b. When one of them is repeated
// along the inner axes, that costs more than the operation. So the result is cut into tiles of neighbouring elements,
// and an argument that is repeated inside a tile is first written out for it, in a buffer that stays in the cache. Then
// there is one loop over three contiguous pieces of memory, whatever the shapes are; and a tile written out once serves
// until the walk comes to other elements, for a bias (C) to the end.

#include <algorithm>
#include <array>
#include <utility>

#include "../shape.hpp"
#include "parallel_for.hpp"

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
  Shape size;                   // outermost first, at least one axis
  std::array<Shape, 2> stride;  // of a and b, 0 where it is repeated
};

inline BroadcastPlan plan_broadcast(const Shape& out, const Shape& a, const Shape& b) {
  const std::array<const Shape*, 2> shapes = {&a, &b};
  const std::size_t most = std::max<std::size_t>(out.size(), 1);
  BroadcastPlan plan{Shape(most, 1), {Shape(most, 1), Shape(most, 1)}};
  std::size_t axes = 0;
  std::array<std::size_t, 2> extent = {1, 1}, stride = {1, 1};
  const auto append = [&](std::size_t n) {
    plan.size[axes] = n;
    for (const std::size_t k : {0, 1}) plan.stride[k][axes] = stride[k];
    ++axes;
  };
  for (std::size_t i = out.size(); i-- > 0;) {  // innermost first
    if (out[i] == 1) continue;
    bool merges = axes > 0;
    for (const std::size_t k : {0, 1}) {
      const Shape& s = *shapes[k];
      const std::size_t n = i + s.size() < out.size() ? 1 : s[i + s.size() - out.size()];
      stride[k] = n == 1 ? 0 : extent[k];
      extent[k] *= n;
      merges = merges && stride[k] == plan.stride[k][axes - 1] * plan.size[axes - 1];
    }
    if (merges)
      plan.size[axes - 1] *= out[i];
    else
      append(out[i]);
  }
  if (axes == 0) append(1);
  for (Shape* s : {&plan.size, &plan.stride[0], &plan.stride[1]}) {
    s->resize(axes);
    std::reverse(s->begin(), s->end());
  }
  return plan;
}

/// Elements of a tile at most: few enough for the first-level cache, enough that the work around a tile is small.
constexpr std::size_t kTile = 512;

/// The result cut into tiles: `rows` steps along one axis of the plan, with all that lies inside of it.
struct Tiling {
  BroadcastPlan plan;
  std::size_t axis;   // the one that is cut
  std::size_t inner;  // elements of one step along it
  std::size_t rows;   // steps of a tile; the last one along the axis may have fewer
  std::size_t cuts;   // tiles along the axis
  std::size_t tiles;  // all
};

struct Tile {
  std::size_t start, rows;             // in the result
  std::array<std::size_t, 2> offsets;  // in a and b
};

inline Tiling cut_into_tiles(BroadcastPlan plan, std::size_t total) {
  std::size_t axis = plan.size.size() - 1, inner = 1;
  while (axis > 0 && inner * plan.size[axis] <= kTile) inner *= plan.size[axis--];
  const std::size_t n = plan.size[axis], rows = std::min(n, kTile / inner), cuts = (n + rows - 1) / rows;
  return {std::move(plan), axis, inner, rows, cuts, total / (n * inner) * cuts};
}

/// Divides, as finding an element's place does; but once for hundreds of elements.
inline Tile tile_at(const Tiling& t, std::size_t index) {
  const std::size_t n = t.plan.size[t.axis], row = index % t.cuts * t.rows;
  std::size_t rest = index / t.cuts;
  Tile tile = {(rest * n + row) * t.inner, std::min(t.rows, n - row), {}};
  for (const std::size_t k : {0, 1}) tile.offsets[k] = row * t.plan.stride[k][t.axis];
  for (std::size_t i = t.axis; i-- > 0; rest /= t.plan.size[i])
    for (const std::size_t k : {0, 1}) tile.offsets[k] += rest % t.plan.size[i] * t.plan.stride[k][i];
  return tile;
}

/// (outer, inner) -> (outer, length, inner): repeats each row. Always eight values at a time, without a loop for the
/// rest, for a loop of few steps takes longer than its steps: what is too much is overwritten by the next row, and both
/// arrays have room for seven values more.
template <class T>
void repeat_rows(const T* from, std::size_t outer, std::size_t length, std::size_t inner, T* to) {
  if (inner == 1) {
    for (std::size_t i = 0; i < outer; ++i, to += length)
      for (std::size_t k = 0; k < length; k += 8) std::fill_n(to + k, 8, from[i]);
  } else {
    for (std::size_t i = 0; i < outer; ++i, from += inner)
      for (std::size_t k = 0; k < length; ++k, to += inner)
        for (std::size_t j = 0; j < inner; j += 8) std::copy_n(from + j, 8, to + j);
  }
}

/// a or b, tile by tile as contiguous memory: where it stands, or written out.
template <class T>
class Argument {
 public:
  Argument(const Tiling& tiling, std::size_t which, const T* data) : t_(tiling), which_(which), data_(data) {}

  const T* values(const Tile& tile) {
    const T* from = data_ + tile.offsets[which_];
    if (from == from_ && tile.rows <= rows_) return values_;
    from_ = from;
    rows_ = tile.rows;
    return values_ = written_out(from);
  }

 private:
  std::size_t stride(std::size_t axis) const { return t_.plan.stride[which_][axis]; }
  std::size_t size(std::size_t axis) const { return axis == t_.axis ? rows_ : t_.plan.size[axis]; }

  /// What the tile reads is contiguous in the argument, but that axes are missing: they are put in, innermost first,
  /// while there is little to copy.
  const T* written_out(const T* from) {
    std::size_t own = 1, elements = 1, inner = 1;
    for (std::size_t i = t_.axis; i < t_.plan.size.size(); ++i) {
      own *= stride(i) == 0 ? 1 : size(i);
      elements *= size(i);
    }
    if (own == elements) return from;
    T *values = buffer_[0], *next = buffer_[1];
    std::copy_n(from, own, values);
    std::fill_n(values + own, 8, T{});  // room that repeat_rows reads
    for (std::size_t i = t_.plan.size.size(); i-- > t_.axis; inner *= size(i)) {
      if (stride(i) != 0) {
        own /= size(i);
      } else {
        repeat_rows(values, own, size(i), inner, next);
        std::swap(values, next);
      }
    }
    return values;
  }

  const Tiling& t_;
  const std::size_t which_;
  const T* const data_;
  const T *from_ = nullptr, *values_ = nullptr;  // of the tile before
  std::size_t rows_ = 0;
  alignas(64) T buffer_[2][kTile + 8];
};

/// out[i] = f(a[i], b[i]) with a and b broadcast to out's shape. `out` may be a or b, if that has out's shape.
template <class Out, class A, class B, class F>
void zip(Out* out, const Shape& out_shape, const A* a, const Shape& a_shape, const B* b, const Shape& b_shape,
         const F& f) {
  const std::size_t total = count(out_shape);
  if (total == 0) return;
  if (a_shape == out_shape && b_shape == out_shape) {
    parallel_ranges(total, 2 * kGrain, [&](std::size_t begin, std::size_t end) {
      XTGRAD_VECTORIZE
      for (std::size_t i = begin; i < end; ++i) out[i] = f(a[i], b[i]);
    });
    return;
  }
  const Tiling tiling = cut_into_tiles(plan_broadcast(out_shape, a_shape, b_shape), total);
  const std::size_t step = tiling.inner;
  parallel_ranges(tiling.tiles, 1 + 2 * kGrain / (tiling.rows * step), [&](std::size_t begin, std::size_t end) {
    Argument<A> left(tiling, 0, a);
    Argument<B> right(tiling, 1, b);
    for (std::size_t i = begin; i < end; ++i) {
      const Tile tile = tile_at(tiling, i);
      const A* pa = left.values(tile);
      const B* pb = right.values(tile);
      Out* o = out + tile.start;
      XTGRAD_VECTORIZE
      for (std::size_t j = 0; j < tile.rows * step; ++j) o[j] = f(pa[j], pb[j]);
    }
  });
}

}  // namespace xtg::kernels
