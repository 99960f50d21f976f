#pragma once

#include <optional>
#include <string>
#include <vector>

#include "examples/app/grid/grid.hpp"
#include "examples/app/grid/results.hpp"
#include "examples/app/run/directory.hpp"

namespace xtg::app {

/// What is there of a grid: its cells' runs in OUT/CELL, a reason in OUT/CELL/outcome.txt where one has diverged or was
/// refused, and all results in OUT/GRID.csv.
class GridDirectory {
 public:
  /// Looks at what is there; changes nothing. A cell that the CSV file has as over, but whose run is gone, is taken
  /// from there. Throws FormatError for files that are damaged, and ValueError that names settings and
  /// directory for a run of other settings than its cell's.
  GridDirectory(Grid grid, std::string out);

  const std::vector<PlannedCell>& cells() const { return grid_.cells; }
  /// Of cell i; its outcome is "" if it has not begun.
  const GridCell& result(std::size_t i) const { return results_[i]; }
  /// Finished, diverged or refused.
  bool is_over(std::size_t i) const;
  RunDirectory run(std::size_t i) const { return run_of(grid_.cells[i].name); }
  const std::string& path() const { return out_; }
  std::string csv_path() const { return out_ + "/" + grid_.name + ".csv"; }
  /// Cells that are known from the CSV file alone.
  std::size_t kept() const { return kept_; }

  /// The cells that have begun.
  std::vector<GridCell> results() const;

  /// Looks at cell i's run again: another program may have trained it since. Throws as the constructor does.
  void read_again(std::size_t i);
  /// New results of cell i, then the CSV file anew.
  void set_epochs(std::size_t i, std::vector<nn::EpochResult> epochs);
  /// `outcome` is diverged or refused. Writes outcome.txt as well.
  void set_failed(std::size_t i, const std::string& outcome, const std::string& reason);
  void write_csv() const;

  /// Of each cell, the seconds that an epoch takes in training: its own mean, or that of the cells that differ only in
  /// the seed, or that of all, or nothing.
  std::vector<std::optional<double>> seconds_per_epoch() const;

 private:
  RunDirectory run_of(const std::string& cell) const { return RunDirectory(out_ + "/" + cell); }
  GridCell read_cell(std::size_t i) const;
  /// What the CSV file says of a cell that is over.
  void keep(const GridCell& before);

  const Grid grid_;
  const std::string out_;
  std::vector<GridCell> results_;
  std::size_t kept_ = 0;
};

}  // namespace xtg::app
