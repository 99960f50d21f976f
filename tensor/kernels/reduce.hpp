#pragma once

// The loops under every reduction. For the library's own .cpp files.
//
// The simple form is: for every element of x, find its place in the result and combine the two. Instead, one axis after
// the other is reduced. Whatever the axes are, x is for such a step an array (outer, length, inner), the result is
// (outer, inner), and no element's place has to be computed. That is all there is to understand. What is fast about it
// are the two loops below that reduce matrices (rows, width) to their column totals: none has an inner loop of few
// steps, since such a loop takes longer than its steps.

#include <algorithm>
#include <cstddef>

#include "parallel_for.hpp"

namespace xtg::kernels {

/// (outer, length, inner) -> (outer, pieces, inner): up to `piece` rows of each (length, inner) become one.
struct ReduceStep {
  std::size_t outer, length, inner, piece;

  std::size_t pieces() const { return (length + piece - 1) / piece; }
  std::size_t results() const { return outer * pieces() * inner; }
};

/// Totals that are computed at once. They stay in the first-level cache.
constexpr std::size_t kTotals = 512;

/// Wide rows: row after row, total[j] = op(total[j], x[j]).
template <class Op, class In, class Total>
void reduce_rows(const In* x, std::size_t rows, std::size_t stride, std::size_t width, const Op& op, Total* total) {
  for (std::size_t r = 0; r < rows; ++r, x += stride)
    for (std::size_t j = 0; j < width; ++j) total[j] = op(total[j], static_cast<Total>(x[j]));
}

/// kRows rows of each of many matrices that follow each other with `size` elements; total is (width, matrices).
template <std::size_t kRows, class Op, class In, class Total>
void reduce_across(const In* x, std::size_t matrices, std::size_t size, std::size_t width, const Op& op, Total* total) {
  for (std::size_t j = 0; j < width; ++j, total += matrices)
    for (std::size_t i = 0; i < matrices; ++i) {
      Total t = total[i];
      for (std::size_t k = 0; k < kRows; ++k) t = op(t, static_cast<Total>(x[i * size + k * width + j]));
      total[i] = t;
    }
}

/// Small matrices (rows, width), one after the other in memory: the inner loop goes from matrix to matrix.
template <class Op, class In, class Total>
void reduce_small(const In* x, std::size_t matrices, std::size_t rows, std::size_t width, const Op& op, Total* total) {
  alignas(64) Total buffer[kTotals];
  Total* const across = width == 1 ? total : buffer;  // (width, matrices)
  std::fill_n(across, matrices * width, op.start);
  std::size_t r = 0;
  for (; r + 2 <= rows; r += 2) reduce_across<2>(x + r * width, matrices, rows * width, width, op, across);
  if (r < rows) reduce_across<1>(x + r * width, matrices, rows * width, width, op, across);
  if (across == total) return;
  for (std::size_t j = 0; j < width; ++j)
    for (std::size_t i = 0; i < matrices; ++i) total[i * width + j] = across[j * matrices + i];
}

/// The least of width, 2·width, 4·width … that makes rows worth a loop, more where there are many of them; but `width`
/// if there would not be two.
inline std::size_t widened(std::size_t width, std::size_t size) {
  std::size_t n = width;
  while (n < 16 || (n < 64 && 16 * n <= size)) n *= 2;
  return 2 * n <= size ? n : width;
}

/// The column totals of matrices (rows, width), one after the other in memory; or of one, whose rows are `stride`
/// apart. Where rows are narrow, several are read as one: (rows, width) is (rows/2, 2·width), and so on; the totals of
/// that are small matrices.
template <class Op, class In, class Total>
void reduce_matrices(const In* x, std::size_t matrices, std::size_t rows, std::size_t stride, std::size_t width,
                     const Op& op, Total* total) {
  const std::size_t size = rows * width, n = stride == width ? widened(width, size) : width, rest = size % n;
  if (n < 8 && stride == width) return reduce_small(x, matrices, rows, width, op, total);
  alignas(64) Total wide_totals[kTotals];
  Total* const wide = n == width ? total : wide_totals;
  std::fill_n(wide, matrices * n, op.start);
  for (std::size_t i = 0; i < matrices; ++i) {
    reduce_rows(x + i * size, size / n, n == width ? stride : n, n, op, wide + i * n);
    reduce_rows(x + (i + 1) * size - rest, 1, 0, rest, op, wide + i * n);
  }
  if (n != width) reduce_small(wide, matrices, n / width, width, op, total);
}

/// How many matrices are reduced at once: as many as kTotals allows, but small ones, which are walked through once for
/// every two rows, should stay in the cache, and large ones be left to several threads.
inline std::size_t matrices_at_once(std::size_t rows, std::size_t width) {
  const std::size_t size = rows * width, n = widened(width, size);
  return std::max<std::size_t>(1, std::min(kTotals / n, (n < 16 ? 2 * kTotals : kGrain) / size));
}

/// One step. Calls write(first, totals, n) for each run of n results, in any order and from all threads. The runs, and
/// the order in which op combines, depend on the step alone.
template <class Op, class In, class Write>
void reduce_axis(const In* x, const ReduceStep& step, const Op& op, const Write& write) {
  const std::size_t pieces = step.pieces(), all = step.outer * pieces, inner = step.inner;
  // A tile is some matrices, or some columns of one that is wide.
  const std::size_t matrices = pieces > 1 ? 1 : matrices_at_once(step.piece, inner), width = std::min(inner, kTotals);
  const std::size_t cuts = (inner + width - 1) / width, tiles = (all + matrices - 1) / matrices * cuts;
  parallel_ranges(tiles, 1 + 2 * kGrain / (matrices * step.piece * width), [&](std::size_t begin, std::size_t end) {
    alignas(64) typename Op::Total total[kTotals];
    for (std::size_t tile = begin; tile < end; ++tile) {
      const std::size_t matrix = tile / cuts * matrices, column = tile % cuts * width;
      const std::size_t row = matrix % pieces * step.piece, rows = std::min(step.piece, step.length - row);
      const std::size_t m = std::min(matrices, all - matrix), w = std::min(width, inner - column);
      reduce_matrices(x + (matrix / pieces * step.length + row) * inner + column, m, rows, inner, w, op, total);
      write(matrix * inner + column, total, m * w);
    }
  });
}

}  // namespace xtg::kernels
