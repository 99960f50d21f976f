#include "examples/app/grid/table.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "examples/app/terminal/terminal.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

using nn::EpochResult;

namespace {

constexpr std::size_t most_cells = 40;  // in the live table; beyond that they are grouped

/// Columns of a text on the terminal: a continuation byte of UTF-8, as in ±, takes none.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// As much of `text` as fits into so many columns.
std::string cut(const std::string& text, std::size_t columns) {
  std::size_t end = 0, used = 0;
  for (; end < text.size(); ++end) {
    if ((text[end] & 0xc0) != 0x80 && ++used > columns) break;
  }
  return text.substr(0, end);
}

/// "norm=batch,ba...seed=0": the end tells cells apart as well as the beginning.
std::string shorten(const std::string& name, std::size_t columns) {
  if (name.size() <= columns) return name;
  const std::size_t tail = std::min(columns - 3, columns / 2), head = columns - 3 - tail;
  return name.substr(0, head) + "..." + name.substr(name.size() - tail);
}

/// Rows of texts as lines. A column is as wide as its widest text and two blanks; the last text of a row, such as a
/// long reason, does not count.
std::vector<std::string> align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]) + 2);
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) line += row[i] + std::string(widths[i] - width(row[i]), ' ');
    if (!row.empty()) line += row.back();
    lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  return lines;
}

std::string percent(double value) { return fmt::format("{:.2f} %", value); }

std::string speed(double images_per_second) { return fmt::format("{:.0f} images/s", images_per_second); }

std::string state(const UnderWay& now) {
  if (now.step.steps == 0) return "begins";
  const bool testing = now.to_test > 0;
  return fmt::format("{} {:>{}}/{} {}", testing ? "test " : "epoch", now.step.epoch,
                     std::to_string(now.step.epochs).size(), now.step.epochs,
                     testing ? progress_bar(now.tested, now.to_test) : progress_bar(now.step.step, now.step.steps));
}

std::string state(const GridCell& cell, const Settings& settings) {
  if (!cell.reason.empty()) return cell.reason;
  if (cell.outcome.empty()) return "not begun";
  if (cell.outcome == "unfinished") return fmt::format("epoch {} of {}", cell.epochs.size(), settings.epochs);
  return cell.outcome;
}

std::string text(const std::optional<Spread>& spread, int digits, const char* unit) {
  if (!spread) return "";
  const std::string mean = fmt::format("{:.{}f}", spread->mean, digits);
  return spread->deviation ? fmt::format("{} ± {:.{}f}{}", mean, *spread->deviation, digits, unit) : mean + unit;
}

std::string joined(const Axes& axes) {
  std::string result;
  for (const auto& [key, value] : axes) result += (result.empty() ? "" : ",") + key + "=" + value;
  return result;
}

}  // namespace

TableLines cell_lines(const GridDirectory& grid, const UnderWay* under_way, std::size_t name_columns) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < grid.cells().size(); ++i) {
    const GridCell& cell = grid.result(i);
    const bool running = under_way && under_way->cell == i;
    std::vector<std::string> row = {shorten(cell.name, name_columns),
                                    running ? state(*under_way) : state(cell, grid.cells()[i].settings)};
    if (cell.outcome != "diverged" && cell.outcome != "refused") {
      row.push_back(cell.epochs.empty() ? "" : percent(cell.epochs.back().test_accuracy));
      if (running && under_way->step.steps > 0) {
        row.push_back(speed(under_way->step.images_per_second));
      } else if (!cell.epochs.empty()) {
        row.push_back(speed(cell.epochs.back().images_per_second));
      }
    }
    rows.push_back(std::move(row));
  }
  return {align(rows), under_way ? under_way->cell : 0};
}

TableLines group_lines(const GridDirectory& grid, const UnderWay* under_way, std::size_t name_columns) {
  TableLines result;
  std::vector<GridCell> cells;
  for (std::size_t i = 0; i < grid.cells().size(); ++i) cells.push_back(grid.result(i));
  std::vector<std::vector<std::string>> rows;
  for (const GridGroup& group : summarize(cells)) {
    const std::size_t over = group.finished + group.diverged + group.refused;
    std::string now = fmt::format("{} of {}", over, count(over + group.unfinished, "seed"));
    if (group.diverged > 0) now += fmt::format(", {} diverged", group.diverged);
    if (group.refused > 0) now += fmt::format(", {} refused", group.refused);
    std::vector<std::string> row = {shorten(joined(group.axes), name_columns), now, text(group.test_accuracy, 2, " %")};
    if (under_way && without_seed(grid.result(under_way->cell).axes) == group.axes) {
      row.push_back(state(*under_way));
      result.under_way = rows.size();
    }
    rows.push_back(std::move(row));
  }
  result.lines = align(rows);
  return result;
}

std::string summary_table(const std::vector<GridCell>& cells, const std::string& judge) {
  std::vector<std::vector<std::string>> rows;
  for (const GridGroup& group : summarize(cells)) {
    if (rows.empty()) {
      rows.emplace_back();
      for (const auto& axis : group.axes) rows[0].push_back(axis.first);
      for (const std::string& heading : {std::string("seeds"), judge + " accuracy", std::string("training loss")})
        rows[0].push_back(heading);
    }
    std::vector<std::string> row;
    for (const auto& axis : group.axes) row.push_back(axis.second);
    row.push_back(std::to_string(group.finished));
    row.push_back(text(group.test_accuracy, 2, " %"));
    row.push_back(text(group.train_loss, 4, ""));
    std::string others;
    const auto add = [&](std::size_t n, const char* what) {
      if (n > 0) others += fmt::format("{}{} {}", others.empty() ? "" : ", ", n, what);
    };
    add(group.diverged, "diverged");
    add(group.refused, "refused");
    add(group.unfinished, "unfinished");
    row.push_back(others);
    rows.push_back(std::move(row));
  }
  std::string result;
  for (const std::string& line : align(rows)) result += line + "\n";
  return result;
}

LiveTable::LiveTable() : terminal_(isatty(STDOUT_FILENO) != 0) {}

bool LiveTable::due() const {
  return terminal_ && (!drawn_at_ || Clock::now() - *drawn_at_ >= std::chrono::milliseconds(100));
}

void LiveTable::draw(const GridDirectory& grid, const UnderWay* under_way, const std::string& last_line) {
  const TerminalSize size = terminal_size();
  const std::size_t columns = size.columns - 1;
  // What follows a name, "  epoch 10/20 [=====     ]  71.20 %  1139 images/s", takes 50.
  const std::size_t name_columns = std::max<std::size_t>(columns, 70) - 50;
  const bool grouped = grid.cells().size() > most_cells;
  const TableLines table =
      grouped ? group_lines(grid, under_way, name_columns) : cell_lines(grid, under_way, name_columns);
  const std::size_t room = std::min(table.lines.size(), std::max<std::size_t>(size.rows, 4) - 3);
  const std::size_t before = std::min(table.under_way, room / 2);
  const std::size_t first = std::min(table.under_way - before, table.lines.size() - room);
  std::string text = drawn_ > 0 ? fmt::format("\033[{}A", drawn_) : "";
  const auto add = [&](const std::string& line) { text += "\r" + cut(line, columns) + "\033[K\n"; };
  for (std::size_t i = first; i < first + room; ++i) add(table.lines[i]);
  add(last_line);
  fmt::print("{}\033[J", text);
  std::fflush(stdout);
  drawn_ = room + 1;
  drawn_at_ = Clock::now();
}

}  // namespace xtg::app
