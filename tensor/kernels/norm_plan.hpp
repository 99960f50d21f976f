#pragma once

// What norm_forward.cpp and norm_backward.cpp share: how the work is cut into pieces for the threads, and how a
// sample's numbers come to its columns.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "columns.hpp"
#include "norm.hpp"

namespace xtg::kernels {

/// A sample of at most so many values is one thread's work; larger ones are cut into pieces of rows, for all threads.
/// Which of the two follows from the size of a sample alone, never from how many there are: the order of its sums, and
/// with it its last bits, must not depend on the batch that an image is in.
constexpr std::size_t kWholeSample = 4 * kGrain;
constexpr std::size_t kMostPieces = 64;

/// How the work is cut: samples into pieces of rows, or the samples into runs, each with sums of its own for dgamma.
struct Plan {
  explicit Plan(const NormSets& s)
      : sets(s), matrix(s.rows, s.channels), width(s.channels / s.groups), sample(s.rows * s.channels) {
    const std::size_t rows = std::max<std::size_t>(matrix.rows, 1);
    if (sample > kWholeSample)
      piece_rows = std::max(rows_per_piece(matrix.columns), (rows + kMostPieces - 1) / kMostPieces);
    else
      piece_rows = rows;
    pieces = (rows + piece_rows - 1) / piece_rows;
    // At most 64 runs, and not more than 2^21 sums between them, but for eight runs.
    const std::size_t most = std::clamp<std::size_t>((std::size_t{1} << 21) / s.channels, 8, kMostPieces);
    run = pieces > 1
              ? std::max<std::size_t>(s.samples, 1)
              : std::max({std::size_t{1}, kGrain / std::max<std::size_t>(sample, 1), (s.samples + most - 1) / most});
    runs = (s.samples + run - 1) / run;
  }

  /// body(piece, first row, last row) for the pieces of a sample.
  template <class Body>
  void for_each_piece(const Body& body) const {
    parallel_for(pieces, [&](std::size_t p) { body(p, p * piece_rows, std::min((p + 1) * piece_rows, matrix.rows)); });
  }

  /// body(run, first sample, last sample) for the runs of samples; there is one if samples are cut into pieces.
  template <class Body>
  void for_each_run(const Body& body) const {
    parallel_ranges(sets.samples, run, [&](std::size_t begin, std::size_t end) { body(begin / run, begin, end); });
  }

  /// A value per group -> a value per column.
  void spread(const Scalar* by_group, Scalar* by_column) const {
    if (width == 1)
      std::copy_n(by_group, sets.groups, by_column);
    else
      for (std::size_t k = 0; k < sets.groups; ++k) std::fill_n(by_column + k * width, width, by_group[k]);
    for (std::size_t i = 1; i < matrix.repeats; ++i)
      std::copy_n(by_column, sets.channels, by_column + i * sets.channels);
  }

  const NormSets& sets;
  WideMatrix matrix;               // of one sample; a column is a channel, several times over where there are few
  std::size_t width, sample;       // channels of a group, values of a sample
  std::size_t piece_rows, pieces;  // rows of a piece, pieces of a sample
  std::size_t run, runs;           // samples of a run, runs
};

// One number for all columns of a sample, or one for each. With one group it is the former: a scalar in a register.

struct Same {
  Scalar value;
  Scalar operator[](std::size_t) const { return value; }
};

/// Two numbers of each group of a sample, as the loops want them.
class ByGroup {
 public:
  explicit ByGroup(const Plan& plan)
      : plan_(plan), groups_(plan.sets.groups), columns_(plan.sets.groups == 1 ? 0 : 2 * plan.matrix.columns) {}

  /// first(k) and second(k) are the numbers of group k. A loop for each, of which the compiler makes vectors.
  template <class First, class Second>
  void set(const First& first, const Second& second) {
    set_one(0, first);
    set_one(1, second);
  }

  /// Mean and rstd of a sample's groups.
  void set(const NormStatistics& statistics, std::size_t sample, double eps) {
    const double *const mean = statistics.mean.data() + sample * plan_.sets.groups,
                        *const m2 = statistics.m2.data() + sample * plan_.sets.groups, count = statistics.count;
    set([=](std::size_t k) { return mean[k]; }, [=](std::size_t k) { return 1 / std::sqrt(m2[k] / count + eps); });
  }

  /// use(get), where get(0) and get(1) are the two numbers, by column (const Scalar*) or the same for all (Same).
  template <class Use>
  void with(const Use& use) const {
    if (plan_.sets.groups == 1)
      use([this](std::size_t j) { return Same{same_[j]}; });
    else
      use([this](std::size_t j) { return static_cast<const Scalar*>(columns_.data() + j * plan_.matrix.columns); });
  }

 private:
  template <class Of>
  void set_one(std::size_t j, const Of& of_group) {
    const std::size_t groups = plan_.sets.groups;
    Scalar* const by_group = groups == 1 ? &same_[j] : groups_.data();
    XTGRAD_VECTORIZE
    for (std::size_t k = 0; k < groups; ++k) by_group[k] = static_cast<Scalar>(of_group(k));
    if (groups > 1) plan_.spread(by_group, columns_.data() + j * plan_.matrix.columns);
  }

  const Plan& plan_;
  std::array<Scalar, 2> same_{};
  std::vector<Scalar> groups_, columns_;
};

}  // namespace xtg::kernels
