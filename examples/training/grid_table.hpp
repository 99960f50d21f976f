#pragma once

// How a grid is shown: the state of its cells, and at the end what they came to.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "examples/training/grid_directory.hpp"
#include "nn/train/trainer.hpp"

/// The training under way.
struct UnderWay {
  std::size_t cell = 0;
  xtg::nn::StepReport step = {};        // its last; step.steps is 0 before the first
  std::size_t tested = 0, to_test = 0;  // images, in an evaluation
};

/// A line a cell: name, state, last test accuracy, images/s.
std::vector<std::string> cell_lines(const GridDirectory& grid, const UnderWay* under_way);

/// A line for all the cells that differ only in their seed.
std::vector<std::string> group_lines(const GridDirectory& grid, const UnderWay* under_way);

/// "batch  3 seeds  71.20 ± 0.31 %  …", under a heading.
std::string summary_table(const std::vector<GridCell>& cells);

/// Lines on a terminal that are rewritten in place, at most ten times a second. Where there are more of them than rows,
/// those around line `middle` are shown.
class LiveLines {
 public:
  /// Whether it is time for another show(). Never, if standard output is no terminal.
  bool due() const;
  void show(const std::vector<std::string>& lines, std::size_t middle);
  /// Takes them away, so that something else can be printed.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::size_t shown_ = 0;  // lines
  std::optional<Clock::time_point> at_;
};
