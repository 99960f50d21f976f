#include "examples/app/grid/results.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "examples/app/run/metrics.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

using nn::EpochResult;

namespace {

Spread spread(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  Spread result;
  for (const double v : values) result.mean += v / n;
  if (values.size() > 1) {
    double squares = 0;
    for (const double v : values) squares += (v - result.mean) * (v - result.mean);
    result.deviation = std::sqrt(squares / (n - 1));
  }
  return result;
}

/// What OUT/NAME/outcome.txt says, or nothing.
std::string reason(const std::string& csv, const std::string& cell) {
  const std::string path = (std::filesystem::path(csv).parent_path() / cell / "outcome.txt").string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return "";
  const std::string text = read_file(path);
  return excerpt(text.substr(0, text.find('\n')), 500);
}

}  // namespace

std::vector<GridCell> read_grid_results(const std::string& path) {
  const std::vector<std::vector<std::string>> rows = parse_csv(read_file(path), path);
  require<FormatError>(!rows.empty(), "{} is empty", path);
  const std::vector<std::string>& header = rows[0];
  const std::size_t outcome =
      static_cast<std::size_t>(std::find(header.begin(), header.end(), "outcome") - header.begin());
  const std::string expected = std::string("outcome,") + metrics_columns;
  std::string columns;
  for (std::size_t i = outcome; i < header.size(); ++i) columns += (i > outcome ? "," : "") + header[i];
  require<FormatError>(header[0] == "cell" && columns == expected, "{}: expected the columns cell,…,{}", path,
                       expected);

  std::vector<GridCell> cells;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const std::vector<std::string>& row = rows[r];
    const std::string where = fmt::format("{}:{}", path, r + 1);
    auto cell = std::find_if(cells.begin(), cells.end(), [&](const GridCell& c) { return c.name == row[0]; });
    if (cell == cells.end()) {
      const bool inside = row[0].find_first_not_of('.') != std::string::npos && row[0].find('/') == std::string::npos;
      require<FormatError>(inside && excerpt(row[0], 255) == row[0], "{}: '{}' is no name of a cell", where,
                           excerpt(row[0]));
      GridCell added{row[0], {}, row[outcome], "", {}};
      require<FormatError>(added.outcome == "finished" || added.outcome == "unfinished" ||
                               added.outcome == "diverged" || added.outcome == "refused",
                           "{}: '{}' is no outcome", where, excerpt(added.outcome));
      for (std::size_t i = 1; i < outcome; ++i) added.axes.emplace_back(header[i], row[i]);
      if (added.outcome == "diverged" || added.outcome == "refused") added.reason = reason(path, added.name);
      cell = cells.insert(cells.end(), std::move(added));
    }
    if (!row[outcome + 1].empty()) cell->epochs.push_back(parse_metrics(row, outcome + 1, where));
  }
  return cells;
}

std::string to_csv(const std::vector<GridCell>& cells) {
  std::string text = "cell";
  if (!cells.empty()) {
    for (const auto& axis : cells[0].axes) text += "," + axis.first;
  }
  text += fmt::format(",outcome,{}\n", metrics_columns);
  for (const GridCell& cell : cells) {
    std::string start = fmt::format("\"{}\"", cell.name);
    for (const auto& axis : cell.axes) start += "," + axis.second;
    start += "," + cell.outcome + ",";
    for (const EpochResult& epoch : cell.epochs) text += start + metrics_row(epoch) + "\n";
    if (cell.epochs.empty()) text += start + std::string(7, ',') + "\n";
  }
  return text;
}

Axes without_seed(const Axes& axes) {
  Axes result = axes;
  result.erase(std::remove_if(result.begin(), result.end(), [](const auto& axis) { return axis.first == "seed"; }),
               result.end());
  return result;
}

std::vector<GridGroup> summarize(const std::vector<GridCell>& cells) {
  struct Last {
    std::vector<double> test_accuracy, train_loss, test_loss;
  };
  std::vector<GridGroup> groups;
  std::vector<Last> lasts;
  for (const GridCell& cell : cells) {
    const Axes axes = without_seed(cell.axes);
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const GridGroup& g) { return g.axes == axes; });
    const auto at = static_cast<std::size_t>(found - groups.begin());
    if (found == groups.end()) {
      groups.push_back({axes, 0, 0, 0, 0, {}, {}, {}});
      lasts.emplace_back();
    }
    GridGroup& group = groups[at];
    std::size_t& count = cell.outcome == "finished"   ? group.finished
                         : cell.outcome == "diverged" ? group.diverged
                         : cell.outcome == "refused"  ? group.refused
                                                      : group.unfinished;
    ++count;
    if (cell.outcome != "finished" || cell.epochs.empty()) continue;
    const EpochResult& last = cell.epochs.back();
    lasts[at].test_accuracy.push_back(last.test_accuracy);
    lasts[at].train_loss.push_back(last.train_loss);
    lasts[at].test_loss.push_back(last.test_loss);
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (lasts[i].test_accuracy.empty()) continue;
    groups[i].test_accuracy = spread(lasts[i].test_accuracy);
    groups[i].train_loss = spread(lasts[i].train_loss);
    groups[i].test_loss = spread(lasts[i].test_loss);
  }
  return groups;
}

}  // namespace xtg::app
