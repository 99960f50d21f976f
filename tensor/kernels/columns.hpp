#pragma once

// Passes over a matrix (rows, columns) with a value per column: what the norm layers are made of. For the library's own
// .cpp files. `term(i, c)` gets the position i = row·columns + column in the array and the column c.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "parallel_for.hpp"

namespace xtg::kernels {

/// Columns that a matrix has at least where it can: a row of 16 is two instructions, and the loop around them costs
/// more.
constexpr std::size_t kWideColumns = 64;

/// A matrix of few columns seen as one of 64: rows are contiguous, so k rows of C values are also one row of k·C, whose
/// columns belong to the channels 0 … C−1, 0 … C−1, …. Where that does not divide evenly, k is 1.
struct WideMatrix {
  WideMatrix(std::size_t r, std::size_t c)
      : channels(c), repeats(c > 0 && kWideColumns % c == 0 && r % (kWideColumns / c) == 0 ? kWideColumns / c : 1) {
    rows = r / repeats;
    columns = c * repeats;
  }

  /// A value per channel -> a value per column.
  template <class Value>
  void repeat(const Value* by_channel, Value* by_column) const {
    for (std::size_t k = 0; k < repeats; ++k) std::copy_n(by_channel, channels, by_column + k * channels);
  }
  template <class Value>
  std::vector<Value> repeated(const Value* by_channel) const {
    std::vector<Value> by_column(columns);
    repeat(by_channel, by_column.data());
    return by_column;
  }
  /// A sum per column -> a sum per channel, in place in the first C.
  void fold(double* sums) const {
    for (std::size_t k = 1; k < repeats; ++k)
      for (std::size_t c = 0; c < channels; ++c) sums[c] += sums[k * channels + c];
  }

  std::size_t channels, repeats, rows, columns;
};

/// f(c) for every column; the loop over 64 is unrolled.
template <class F>
inline void for_each_column(std::size_t columns, const F& f) {
  if (columns == kWideColumns) {
    XTGRAD_VECTORIZE
    for (std::size_t c = 0; c < kWideColumns; ++c) f(c);
  } else {
    XTGRAD_VECTORIZE
    for (std::size_t c = 0; c < columns; ++c) f(c);
  }
}

/// body(i, c) for every element of the rows; it writes only what belongs to element i.
template <class Body>
void for_each_element(std::size_t first_row, std::size_t last_row, std::size_t columns, const Body& body) {
  for (std::size_t row = first_row; row < last_row; ++row) {
    const std::size_t offset = row * columns;
    for_each_column(columns, [&](std::size_t c) { body(offset + c, c); });
  }
}

/// Rows that one thread takes at a time.
inline std::size_t rows_per_piece(std::size_t columns) {
  return std::max<std::size_t>(1, kGrain / std::max<std::size_t>(columns, 1));
}

/// The same on all threads.
template <class Body>
void parallel_for_each_element(std::size_t rows, std::size_t columns, const Body& body) {
  parallel_ranges(rows, rows_per_piece(columns),
                  [&](std::size_t begin, std::size_t end) { for_each_element(begin, end, columns, body); });
}

/// Rows whose sums are kept in Scalar before they go into totals in double: a float sum over 100,000 rows would lose
/// four digits.
constexpr std::size_t kBlockRows = 64;

/// a[c] += first(i, c) and b[c] += second(i, c) over the rows of a block, as both(i, c, a, b). The sums of 64 columns
/// stay in registers.
template <class Value, class Both>
void add_block(std::size_t first_row, std::size_t last_row, std::size_t columns, Value* a, Value* b, const Both& both) {
  if (columns != kWideColumns) {
    for_each_element(first_row, last_row, columns, [&](std::size_t i, std::size_t c) { both(i, c, a[c], b[c]); });
    return;
  }
  std::array<Value, kWideColumns> sum_a{}, sum_b{};
  for (std::size_t row = first_row; row < last_row; ++row) {
    XTGRAD_VECTORIZE
    for (std::size_t c = 0; c < kWideColumns; ++c) both(row * kWideColumns + c, c, sum_a[c], sum_b[c]);
  }
  std::copy(sum_a.begin(), sum_a.end(), a);
  std::copy(sum_b.begin(), sum_b.end(), b);
}

/// a[c] = Σ over the rows of first(i, c) and b[c] = Σ second(i, c), given as both(i, c, a, b), which adds to its last
/// two arguments. For one thread; the rows are read once.
template <class Value, class Both>
void column_sums(std::size_t first_row, std::size_t last_row, std::size_t columns, double* a, double* b,
                 const Both& both) {
  std::vector<Value> block(2 * columns);
  Value *const block_a = block.data(), *const block_b = block_a + columns;
  std::fill(a, a + columns, 0.0);
  std::fill(b, b + columns, 0.0);
  for (std::size_t begin = first_row; begin < last_row; begin += kBlockRows) {
    std::fill(block.begin(), block.end(), Value{0});
    add_block(begin, std::min(begin + kBlockRows, last_row), columns, block_a, block_b, both);
    for_each_column(columns, [&](std::size_t c) {
      a[c] += static_cast<double>(block_a[c]);
      b[c] += static_cast<double>(block_b[c]);
    });
  }
}

/// The mean of `count` numbers, and the sum of their squared deviations from it.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  /// Those of both sets together (Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115).
  void add(const Moments& other) {
    const double total = count + other.count, distance = other.mean - mean;
    if (total == 0) return;
    mean += distance * (other.count / total);
    squares += other.squares + distance * distance * (count * other.count / total);
    count = total;
  }
};

/// Σ f(i) over 0 … n−1, as eight sums side by side: one alone would wait for itself at each step.
template <class F>
double sum_of(std::size_t n, const F& f) {
  std::array<double, 8> sums{};
  double rest = 0;
  const std::size_t whole = n / sums.size() * sums.size();
  for (std::size_t i = 0; i < whole; i += sums.size())
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += f(i + j);
  for (std::size_t i = whole; i < n; ++i) rest += f(i);
  return rest + ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Of sets of `count` values each, all values together; the sets are a matrix (rows, columns), its rows `stride` apart.
inline Moments of_equal(double count, const double* mean, const double* squares, std::size_t rows, std::size_t columns,
                        std::size_t stride) {
  if (rows * columns == 1) return {count, *mean, *squares};
  const double n = static_cast<double>(rows * columns);
  Moments all;
  const double first = std::isfinite(*mean) ? *mean : 0;  // about it: the mean of equal numbers is that number
  for (std::size_t i = 0; i < rows; ++i)
    all.mean += sum_of(columns, [=](std::size_t j) { return mean[i * stride + j] - first; });
  all.mean = first + all.mean / n;
  for (std::size_t i = 0; i < rows; ++i)
    all.squares += sum_of(columns, [=, centre = all.mean](std::size_t j) {
      const double distance = mean[i * stride + j] - centre;
      return squares[i * stride + j] + count * distance * distance;
    });
  all.count = count * n;
  return all;
}

/// The mean of each column over the rows of x, and the sum of squared deviations from it; x is read once. A block's
/// deviations are taken from its first row: that is far from the block's mean only where the deviations are large
/// anyway (its own square is one of them), so of the digits of Σ d² − (Σ d)²/n no more than log10(n + 1) cancel,
/// whatever the offset of the data. Deviations and their squares are of type Sum within a block.
template <class Sum, class Value>
void column_moments(const Value* x, std::size_t first_row, std::size_t last_row, std::size_t columns, double* mean,
                    double* squares) {
  std::vector<Sum> block(2 * columns);
  Sum *const sum = block.data(), *const square = sum + columns;
  std::fill(mean, mean + columns, 0.0);
  std::fill(squares, squares + columns, 0.0);
  double rows = 0;
  for (std::size_t begin = first_row; begin < last_row; begin += kBlockRows) {
    const std::size_t end = std::min(begin + kBlockRows, last_row);
    const Value* const shift = x + begin * columns;
    std::fill(block.begin(), block.end(), Sum{0});
    add_block(begin + 1, end, columns, sum, square, [=](std::size_t i, std::size_t c, Sum& s, Sum& q) {
      const Sum d = static_cast<Sum>(x[i]) - static_cast<Sum>(shift[c]);
      s += d;
      q += d * d;
    });
    // Moments::add, for all columns at once.
    const double n = static_cast<double>(end - begin), weight = n / (rows + n), both = rows * weight;
    for_each_column(columns, [&](std::size_t c) {
      const double s = static_cast<double>(sum[c]), distance = static_cast<double>(shift[c]) + s / n - mean[c];
      mean[c] += distance * weight;
      squares[c] += static_cast<double>(square[c]) - s * s / n + distance * distance * both;
    });
    rows += n;
  }
}

/// Of a matrix of 64 columns in which they are all of one set, as one row of numbers is: the set's moments.
template <class Sum, class Value>
Moments run_moments(const Value* x, std::size_t n) {
  std::array<double, kWideColumns> mean, squares;
  const std::size_t rows = n / kWideColumns;
  Moments all;
  if (rows > 0) {
    column_moments<Sum>(x, 0, rows, kWideColumns, mean.data(), squares.data());
    all = of_equal(static_cast<double>(rows), mean.data(), squares.data(), 1, kWideColumns, 0);
  }
  Moments rest;
  for (std::size_t i = rows * kWideColumns; i < n; ++i) rest.add({1, static_cast<double>(x[i]), 0});
  all.add(rest);
  return all;
}

/// What `piece(first_row, last_row, result)` finds of pieces of the rows, `width` results each, on all threads. The
/// number of pieces does not depend on the thread count; the caller combines them in order, so that the outcome does
/// not either.
template <class Result, class Piece>
std::vector<Result> by_pieces(const WideMatrix& matrix, std::size_t width, const Piece& piece) {
  const std::size_t size = rows_per_piece(matrix.columns), pieces = (matrix.rows + size - 1) / size;
  std::vector<Result> results(pieces * width);
  parallel_for(pieces, [&](std::size_t p) {
    piece(p * size, std::min((p + 1) * size, matrix.rows), results.data() + p * width);
  });
  return results;
}

}  // namespace xtg::kernels
