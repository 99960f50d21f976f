#pragma once

// Passes over a matrix (rows, columns) with a value per column: what the norm layers are made of. For the library's own
// .cpp files. `term(i, c)` gets the position i = row·columns + column in the array and the column c.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tensor/kernels/parallel_for.hpp"

// The iterations of the loop that follows are independent, so it may be vectorised without a check at run time.
// (clang vectorises with that check; told to do without, it warns wherever a sanitizer keeps it from vectorising.)
#if defined(__clang__)
#define XTGRAD_VECTORIZE
#else
#define XTGRAD_VECTORIZE _Pragma("GCC ivdep")
#endif

namespace xtg::kernels {

/// total[c] = Σ over rows of term(i, c), for one thread. Sums of a block of rows are kept in term's type and added to
/// totals in double: a float sum over 100,000 rows would lose four digits.
template <class Term>
void column_sums(std::size_t first_row, std::size_t last_row, std::size_t columns, double* total, const Term& term) {
  using Value = decltype(term(std::size_t{}, std::size_t{}));
  constexpr std::size_t kBlock = 64;
  std::vector<Value> block(columns);
  Value* const sums = block.data();
  std::fill(total, total + columns, 0.0);
  for (std::size_t begin = first_row; begin < last_row; begin += kBlock) {
    std::fill(sums, sums + columns, Value{0});
    for (std::size_t row = begin; row < std::min(begin + kBlock, last_row); ++row) {
      const std::size_t offset = row * columns;
      XTGRAD_VECTORIZE
      for (std::size_t c = 0; c < columns; ++c) sums[c] += term(offset + c, c);
    }
    for (std::size_t c = 0; c < columns; ++c) total[c] += static_cast<double>(sums[c]);
  }
}

/// The same on all threads. Rows are cut into pieces whose number does not depend on the thread count, and the pieces'
/// sums are added in order: the result is the same for any number of threads.
template <class Term>
std::vector<double> parallel_column_sums(std::size_t rows, std::size_t columns, const Term& term) {
  const std::size_t piece = std::max<std::size_t>(64, kGrain / std::max<std::size_t>(columns, 1));
  const std::size_t pieces = (rows + piece - 1) / piece;
  std::vector<double> partial(pieces * columns);
  parallel_for(pieces, [&](std::size_t p) {
    column_sums(p * piece, std::min((p + 1) * piece, rows), columns, partial.data() + p * columns, term);
  });
  std::vector<double> total(columns, 0.0);
  for (std::size_t p = 0; p < pieces; ++p)
    for (std::size_t c = 0; c < columns; ++c) total[c] += partial[p * columns + c];
  return total;
}

/// body(i, c) for every element of the rows; it writes only what belongs to element i.
template <class Body>
void for_each_element(std::size_t first_row, std::size_t last_row, std::size_t columns, const Body& body) {
  for (std::size_t row = first_row; row < last_row; ++row) {
    const std::size_t offset = row * columns;
    XTGRAD_VECTORIZE
    for (std::size_t c = 0; c < columns; ++c) body(offset + c, c);
  }
}

/// The same on all threads.
template <class Body>
void parallel_for_each_element(std::size_t rows, std::size_t columns, const Body& body) {
  parallel_ranges(rows, std::max<std::size_t>(1, kGrain / std::max<std::size_t>(columns, 1)),
                  [&](std::size_t begin, std::size_t end) { for_each_element(begin, end, columns, body); });
}

}  // namespace xtg::kernels
