#pragma once

// How a grid is shown: the state of its cells, and at the end what they came to.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "examples/app/grid/directory.hpp"
#include "nn/train/trainer.hpp"

namespace xtg::app {

/// The training under way.
struct UnderWay {
  std::size_t cell = 0;
  nn::StepReport step = {};             // its last; step.steps is 0 before the first
  std::size_t tested = 0, to_test = 0;  // images, in an evaluation
};

struct TableLines {
  std::vector<std::string> lines;
  std::size_t under_way = 0;  // the line of that cell, if there is one
};

/// A line a cell: name, state, last test accuracy, images/s. Longer names than `name_columns` are shortened.
TableLines cell_lines(const GridDirectory& grid, const UnderWay* under_way, std::size_t name_columns);

/// A line for all the cells that differ only in their seed.
TableLines group_lines(const GridDirectory& grid, const UnderWay* under_way, std::size_t name_columns);

/// "batch  3  71.20 ± 0.31 %  …" for all the cells that differ only in their seed, under a heading. `judge`: test or
/// validation.
std::string summary_table(const std::vector<GridCell>& cells, const std::string& judge);

/// A table on a terminal that is rewritten in place.
class LiveTable {
 public:
  LiveTable();
  bool on_terminal() const { return terminal_; }
  /// Whether the last draw() was a tenth of a second ago or more. Never, if standard output is no terminal.
  bool due() const;
  /// Cells, or groups if there are more than 40 cells; those around the cell under way where the terminal has not room
  /// for all; and `last_line`.
  void draw(const GridDirectory& grid, const UnderWay* under_way, const std::string& last_line);
  /// Lets it stand: what is printed next comes below it.
  void leave() { drawn_ = 0; }

 private:
  using Clock = std::chrono::steady_clock;

  const bool terminal_;
  std::size_t drawn_ = 0;  // lines
  std::optional<Clock::time_point> drawn_at_;
};

}  // namespace xtg::app
