// The passes over columns that the norm layers are made of, against naive double loops.

#include "tensor/kernels/columns.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;
using kernels::Moments;
using kernels::WideMatrix;

namespace {

constexpr bool kDouble = sizeof(Scalar) == 8;
constexpr std::size_t kChannels[] = {1, 2, 3, 4, 8, 16, 32, 48, 64, 128};
constexpr std::size_t kRows[] = {1, 2, 63, 64, 65, 128, 300, 1024};  // some divide by 64/C, some do not

/// Both moments of a channel, in two passes.
Moments naive_moments(const std::vector<double>& values) {
  Moments m;
  m.count = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / m.count;
  for (const double v : values) m.squares += (v - m.mean) * (v - m.mean);
  return m;
}

std::vector<double> column(const Tensor& x, std::size_t c, std::size_t first_row, std::size_t last_row) {
  const std::size_t C = x.shape()[1];
  std::vector<double> values;
  for (std::size_t r = first_row; r < last_row; ++r) values.push_back(static_cast<double>(x.data()[r * C + c]));
  return values;
}

/// The error of the mean is told in standard deviations, and may be its own rounding; that of the squares relative to
/// them.
void check_moments(const Moments& found, const Moments& expected, double tolerance) {
  CHECK(found.count == expected.count);
  const double deviation = std::sqrt(expected.squares / expected.count);
  const double rounding = 1e-14 * std::abs(expected.mean);
  CHECK(std::abs(found.mean - expected.mean) <= tolerance * deviation + rounding);
  CHECK(std::abs(found.squares - expected.squares) <= tolerance * expected.squares);
}

/// Moments of the columns of some rows.
std::vector<Moments> moments_of(const Tensor& x, std::size_t first, std::size_t last) {
  const std::size_t C = x.shape()[1];
  std::vector<double> mean(C, 7), squares(C, 7);  // what was there before does not count
  kernels::column_moments<Scalar>(x.data(), first, last, C, mean.data(), squares.data());
  std::vector<Moments> found;
  for (std::size_t c = 0; c < C; ++c) found.push_back({static_cast<double>(last - first), mean[c], squares[c]});
  return found;
}

}  // namespace

TEST_CASE("columns: a matrix of few columns is one of 64 where that divides, and itself elsewhere") {
  for (const std::size_t c : kChannels)
    for (const std::size_t r : kRows) {
      CAPTURE(c);
      CAPTURE(r);
      const WideMatrix m(r, c);
      CHECK(m.channels == c);
      CHECK(m.columns == (64 % c == 0 && r * c % 64 == 0 ? 64 : c));
      CHECK(m.rows * m.columns == r * c);
      CHECK(m.repeats * c == m.columns);

      const Tensor by_channel = normal({c}, 1), sums = normal({m.columns}, 2);
      const std::vector<Scalar> by_column = m.repeated(by_channel.data());
      REQUIRE(by_column.size() == m.columns);
      std::vector<double> folded(sums.data(), sums.data() + m.columns), expected(c, 0.0);
      m.fold(folded.data());
      bool repeated = true;
      for (std::size_t k = 0; k < m.columns; ++k) {
        repeated = repeated && by_column[k] == by_channel.data()[k % c];
        expected[k % c] += static_cast<double>(sums.data()[k]);
      }
      CHECK(repeated);
      for (std::size_t k = 0; k < c; ++k) CHECK(folded[k] == doctest::Approx(expected[k]).epsilon(1e-12));
    }
  CHECK(WideMatrix(0, 0).columns == 0);  // no channels
  CHECK(WideMatrix(0, 4).rows == 0);
}

TEST_CASE("columns: every element is visited once, with its position and its column") {
  for (const std::size_t columns : kChannels) {
    CAPTURE(columns);
    std::vector<int> all(1000 * columns, 0), some(1000 * columns, 0);
    bool right = true;
    kernels::parallel_for_each_element(1000, columns,
                                       [&](std::size_t i, std::size_t c) { all[i] += c == i % columns; });
    kernels::for_each_element(3, 70, columns, [&](std::size_t i, std::size_t c) { some[i] += c == i % columns; });
    for (std::size_t i = 0; i < some.size(); ++i)
      right = right && some[i] == (i / columns >= 3 && i / columns < 70 ? 1 : 0);
    CHECK(all == std::vector<int>(all.size(), 1));
    CHECK(right);
  }
}

TEST_CASE("columns: sums of columns, of all rows and of some, against a double loop") {
  for (const std::size_t columns : kChannels)
    for (const std::size_t rows : kRows) {
      CAPTURE(columns);
      CAPTURE(rows);
      const Tensor x = normal({rows, columns}, 1), w = normal({columns}, 2);
      const Scalar *in = x.data(), *weight = w.data();
      for (const std::size_t first : {std::size_t{0}, rows / 3}) {
        std::vector<double> a(columns, 7.0), b(columns, 7.0);  // what was there before does not count
        kernels::column_sums<Scalar>(first, rows, columns, a.data(), b.data(),
                                     [=](std::size_t i, std::size_t c, Scalar& s, Scalar& t) {
                                       s += in[i];
                                       t += in[i] * weight[c];
                                     });
        double worst = 0;
        for (std::size_t c = 0; c < columns; ++c) {
          double sum = 0, size = 0;
          for (const double v : column(x, c, first, rows)) {
            sum += v;
            size += std::abs(v);
          }
          const double factor = static_cast<double>(weight[c]);
          worst =
              std::max({worst, std::abs(a[c] - sum) / size, std::abs(b[c] - factor * sum) / (std::abs(factor) * size)});
        }
        CHECK(worst < (kDouble ? 1e-14 : 2e-6));
      }
    }
  double a = 7, b = 7;
  kernels::column_sums<Scalar>(4, 4, 1, &a, &b, [](std::size_t, std::size_t, Scalar& s, Scalar&) { s += 1; });
  CHECK(a == 0);
  CHECK(b == 0);
}

TEST_CASE("columns: sums of very many rows keep their digits") {
  constexpr std::size_t rows = 1000000;
  for (const std::size_t columns : {1, 64}) {
    std::vector<double> a(columns), b(columns);
    kernels::column_sums<Scalar>(0, rows, columns, a.data(), b.data(),
                                 [](std::size_t, std::size_t, Scalar& s, Scalar& t) {
                                   s += Scalar(0.1);
                                   t += 1;
                                 });
    CHECK(a[columns - 1] == doctest::Approx(1e5).epsilon(1e-6));  // a float sum would be 1 % off
    CHECK(b[columns - 1] == 1e6);
  }
}

TEST_CASE("columns: moments against two passes in double, with an offset, with the first row an outlier") {
  for (const std::size_t channels : kChannels)
    for (const std::size_t rows : kRows)
      for (const double offset : {0.0, 1e4})
        for (const double outlier : {0.0, 1e4}) {
          CAPTURE(channels);
          CAPTURE(rows);
          CAPTURE(offset);
          CAPTURE(outlier);
          Tensor x = normal({rows, channels}, 3);
          for (std::size_t i = 0; i < x.size(); ++i)
            x.data()[i] +=
                static_cast<Scalar>(offset + (i < channels ? outlier : 0) + static_cast<double>(i % channels));
          const std::vector<Moments> found = moments_of(x, 0, rows);
          // An outlier among n rows takes log10(n) digits.
          const double tolerance = (kDouble ? 1e-11 : 1e-5) * (outlier > 0 ? 64 : 1);
          for (std::size_t c = 0; c < channels; ++c) {
            check_moments(found[c], naive_moments(column(x, c, 0, rows)), tolerance);
            CHECK(found[c].squares >= 0);
          }
        }
}

TEST_CASE("columns: moments of a range of rows, of a constant, and of one value") {
  const Tensor x = normal({200, 3}, 4);
  const std::vector<Moments> found = moments_of(x, 17, 171), one = moments_of(x, 5, 6);
  for (std::size_t c = 0; c < 3; ++c)
    check_moments(found[c], naive_moments(column(x, c, 17, 171)), kDouble ? 1e-13 : 1e-5);
  for (const Moments& m : moments_of(Tensor(Shape{300, 4}, Scalar(12345.67)), 0, 300)) {
    CHECK(m.mean == doctest::Approx(static_cast<double>(Scalar(12345.67))).epsilon(1e-15));
    CHECK(m.squares < 1e-15);
  }
  CHECK(one[1].mean == static_cast<double>(x.data()[16]));
  CHECK(one[1].squares == 0);
}

TEST_CASE("columns: moments of a run of numbers, of any length, as of one set") {
  for (const std::size_t n : {1, 2, 63, 64, 65, 127, 128, 300, 4096, 5000}) {
    CAPTURE(n);
    Tensor x = normal({n, 1}, 5);
    for (std::size_t i = 0; i < n; ++i) x.data()[i] += static_cast<Scalar>(1e3 + static_cast<double>(i % 7));
    const Moments found = kernels::run_moments<Scalar>(x.data(), n);
    check_moments(found, naive_moments(column(x, 0, 0, n)), kDouble ? 1e-11 : 1e-5);
  }
}

TEST_CASE("columns: pieces cover the rows, each once") {
  for (const std::size_t channels : {3, 16, 64}) {
    CAPTURE(channels);
    const std::size_t rows = 3 * kernels::kGrain / channels + 64;  // several pieces, the last one short
    const WideMatrix matrix(rows, channels);
    const auto ranges =
        kernels::by_pieces<std::size_t>(matrix, 2, [](std::size_t first, std::size_t last, std::size_t* r) {
          r[0] = first;
          r[1] = last;
        });
    REQUIRE(ranges.size() > 4);
    CHECK(ranges.front() == 0);
    CHECK(ranges.back() == matrix.rows);
    for (std::size_t i = 0; i < ranges.size(); i += 2) {
      CHECK(ranges[i] < ranges[i + 1]);
      CHECK(ranges[i + 1] - ranges[i] <= kernels::rows_per_piece(matrix.columns));
      if (i > 0) CHECK(ranges[i] == ranges[i - 1]);
    }
  }
}

TEST_CASE("columns: moments of sets, put together, are those of all values") {
  const Tensor x = normal({60}, 6);
  std::vector<double> values;
  for (std::size_t i = 0; i < x.size(); ++i)
    values.push_back(static_cast<double>(x.data()[i]) + 100.0 * static_cast<double>(i / 20));
  const Moments all = naive_moments(values);
  const auto part = [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    return naive_moments({values.begin() + first, values.begin() + last});
  };
  const std::vector<Moments> thirds = {part(0, 20), part(20, 40), part(40, 60)};
  const double mean[] = {thirds[0].mean, 7, thirds[1].mean, 7, thirds[2].mean};  // every other one
  const double squares[] = {thirds[0].squares, 7, thirds[1].squares, 7, thirds[2].squares};
  check_moments(kernels::of_equal(20, mean, squares, 3, 1, 2), all, 1e-13);
  check_moments(kernels::of_equal(20, mean + 2, squares + 2, 1, 1, 1), thirds[1], 1e-13);

  const std::vector<Moments> sixths = {part(0, 10),  part(10, 20), part(20, 30),
                                       part(30, 40), part(40, 50), part(50, 60)};
  double means[9], squared[9];  // two rows of three, of which 7 is no part
  std::fill_n(means, 9, 7), std::fill_n(squared, 9, 7);
  for (const std::size_t i : {0, 1, 2, 3, 4, 5}) {
    means[i / 3 * 5 + i % 3] = sixths[i].mean;
    squared[i / 3 * 5 + i % 3] = sixths[i].squares;
  }
  check_moments(kernels::of_equal(10, means, squared, 2, 3, 5), all, 1e-13);

  Moments m;
  m.add(Moments{});  // nothing to nothing
  CHECK(m.count == 0);
  CHECK(m.mean == 0);
  m.add(part(0, 1));  // sets of 1, 40 and 19
  check_moments(m, part(0, 1), 0);
  m.add(part(1, 41));
  m.add(Moments{});
  m.add(part(41, 60));
  check_moments(m, all, 1e-13);
}
