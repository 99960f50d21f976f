#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "examples/app/grid/results.hpp"
#include "examples/app/report/html.hpp"
#include "examples/app/report/parts.hpp"
#include "examples/app/settings/config.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

using nn::EpochResult;

namespace {

/// The cells that differ only in their seed.
struct Group {
  GridGroup summary;
  std::string name;  // "group", or "group, lr 0.1" or "no norm, fixup" where these vary as well
  std::vector<const GridCell*> cells;
};

std::string name_of(const Axes& axes, const std::set<std::string>& varying) {
  std::string name;
  for (const auto& [axis, value] : axes) {
    if (varying.count(axis) == 0 && !(varying.empty() && axis == "norm")) continue;
    if (value == "false") continue;
    const std::string part = axis == "norm"    ? (value == "none" ? "no norm" : value)
                             : value == "true" ? axis
                                               : axis + " " + value;
    name += (name.empty() ? "" : ", ") + part;
  }
  return name.empty() ? "all" : name;
}

std::vector<Group> groups_of(const std::vector<GridCell>& cells) {
  std::vector<Group> groups;
  std::set<std::string> varying;
  for (GridGroup& summary : summarize(cells)) groups.push_back({std::move(summary), "", {}});
  for (const Group& group : groups)
    for (std::size_t i = 0; i < group.summary.axes.size(); ++i)
      if (group.summary.axes[i] != groups.front().summary.axes[i]) varying.insert(group.summary.axes[i].first);
  for (Group& group : groups) {
    group.name = name_of(group.summary.axes, varying);
    for (const GridCell& cell : cells)
      if (without_seed(cell.axes) == group.summary.axes) group.cells.push_back(&cell);
  }
  return groups;
}

/// Mean over the seeds, and a band from the least to the greatest.
PlotLine seeds(const Group& group, double EpochResult::*member) {
  PlotLine line{group.name, {}, {}, {}, {}};
  for (std::size_t epoch = 0;; ++epoch) {
    double sum = 0, low = INFINITY, high = -INFINITY, n = 0;
    for (const GridCell* cell : group.cells) {
      if (epoch >= cell->epochs.size()) continue;
      const double value = cell->epochs[epoch].*member;
      sum += value;
      low = std::min(low, value);
      high = std::max(high, value);
      ++n;
    }
    if (n == 0) break;
    line.x.push_back(static_cast<double>(epoch + 1));
    line.y.push_back(sum / n);
    line.low.push_back(low);
    line.high.push_back(high);
  }
  if (group.cells.size() == 1) line.low = line.high = {};
  return line;
}

struct Curve {
  const char *what, *axis;
  double EpochResult::*member;
};
const Curve all_curves[] = {{"Test accuracy", "accuracy (%)", &EpochResult::test_accuracy},
                            {"Training loss", "loss (nats)", &EpochResult::train_loss},
                            {"Test loss", "loss (nats)", &EpochResult::test_loss},
                            {"Training accuracy", "accuracy (%)", &EpochResult::train_accuracy}};

LinePlot line_plot(const Curve& curve, const std::vector<Group>& groups) {
  LinePlot plot;
  plot.title = fmt::format("{} over the epochs, a line for each setting", curve.what);
  plot.x = "epoch";
  plot.y = curve.axis;
  for (const Group& group : groups) {
    PlotLine line = seeds(group, curve.member);
    if (!line.x.empty()) plot.lines.push_back(std::move(line));
  }
  return plot;
}

std::string curves(const std::vector<Group>& groups, Plots& plots) {
  std::string html = "<div class=\"figures\">\n";
  for (const Curve& curve : all_curves) {
    const LinePlot plot = line_plot(curve, groups);
    if (!plot.lines.empty()) html += plots.lines(plot, std::string(curve.what) + ".");
  }
  html +=
      "</div>\n<p class=\"quiet\">Lines are means over the seeds that have come as far, bands reach from the least of "
      "them to the greatest. Losses far above the others are cut off.</p>\n";
  if (plots.failed()) html = "<p>No curves: gnuplot is not installed, or failed.</p>\n";
  return section("Curves", html);
}

std::string spread_text(const std::optional<Spread>& spread, int digits) {
  if (!spread) return "–";
  const std::string mean = fmt::format("{:.{}f}", spread->mean, digits);
  return spread->deviation ? fmt::format("{} ± {:.{}f}", mean, *spread->deviation, digits) : mean;
}

std::string results(const std::vector<Group>& groups, const std::vector<GridCell>& cells) {
  std::vector<std::vector<TableCell>> rows;
  for (const Group& group : groups) {
    const GridGroup& g = group.summary;
    std::string others;
    const auto say = [&](std::size_t n, const char* what) {
      if (n > 0) others += fmt::format("{}{} {}", others.empty() ? "" : ", ", n, what);
    };
    say(g.diverged, "diverged");
    say(g.refused, "refused");
    say(g.unfinished, "unfinished");
    rows.push_back({text_cell(group.name), number_cell(std::to_string(g.finished)),
                    number_cell(spread_text(g.test_accuracy, 2)), number_cell(spread_text(g.train_loss, 4)),
                    number_cell(spread_text(g.test_loss, 4)), text_cell(others)});
  }
  std::string html =
      table("results", {"setting", "seeds", "test accuracy (%)", "training loss", "test loss", "others"}, rows);
  html +=
      "<p class=\"quiet\">Last epochs of the finished trainings: mean ± standard deviation over the seeds (divisor "
      "n − 1; none for a single seed). Losses in nats.</p>\n";
  std::string failed;
  for (const GridCell& cell : cells)
    if (cell.outcome != "finished")
      failed += fmt::format("<li><code>{}</code>: {}</li>\n", escaped(cell.name),
                            escaped(cell.reason.empty() ? cell.outcome : cell.reason));
  if (!failed.empty()) html += "<h3>Not finished</h3>\n<ul>\n" + failed + "</ul>\n";
  return section("Results", html);
}

std::string in_directory(const std::string& csv, const std::string& name) {
  return (std::filesystem::path(csv).parent_path() / name).string();
}

/// Whether the grid's file says this setting for the cell; the others of its axes are at their defaults.
bool is_named(const GridCell& cell, const std::string& axis) {
  return ("," + cell.name).find("," + axis + "=") != std::string::npos;
}

/// A file that gives this grid again: what its cells share, and then each of them.
std::string grid_file(const std::vector<Group>& groups, const std::vector<Settings>& runs) {
  std::vector<std::string> axes = {"seed"};
  for (const auto& axis : groups.front().summary.axes) axes.push_back(axis.first);
  std::string text = "[settings]\n" + common_toml(runs, axes);
  for (const Group& group : groups) {
    text += "\n[[grid]]\n";
    for (const auto& [axis, value] : group.summary.axes)
      if (is_named(*group.cells.front(), axis)) text += fmt::format("{} = {}\n", axis, axis_toml(axis, value));
    std::string numbers;
    for (const GridCell* cell : group.cells)
      for (const auto& [axis, value] : cell->axes)
        if (axis == "seed") numbers += (numbers.empty() ? "" : ", ") + value;
    text += fmt::format("seed = [{}]\n", numbers);
  }
  return text;
}

std::string origin(const std::string& csv, const std::vector<Group>& groups, const std::vector<Settings>& runs,
                   const std::vector<std::string>& machines) {
  const std::string name = std::filesystem::path(csv).stem().string();
  std::string html;
  if (runs.empty())
    html = "<p>The runs of this grid are gone, and their settings with them; only its CSV file is left.</p>\n";
  else
    html = "<h3>Command</h3>\n" + command(fmt::format("xtgrad compare {}.toml --out DIR", name)) +
           fmt::format("<p>with this file as {}.toml; what it does not say is at its default.</p>\n", escaped(name)) +
           command(grid_file(groups, runs));
  html += "<h3>Machine</h3>\n" + machine_table(machines);
  if (!runs.empty()) html += details("All settings of the first training", settings_table(runs.front()));
  return section("How it was made", html);
}

std::string lead(const std::vector<Group>& groups, std::size_t cells) {
  const Group* best = nullptr;
  for (const Group& group : groups) {
    const auto& accuracy = group.summary.test_accuracy;
    if (accuracy && (!best || accuracy->mean > best->summary.test_accuracy->mean)) best = &group;
  }
  std::string text = fmt::format("{} of {}.", count(cells, "training"), count(groups.size(), "setting"));
  if (best)
    text += fmt::format(" The highest mean test accuracy is that of {}: {} % over {}.", best->name,
                        spread_text(best->summary.test_accuracy, 2), count(best->summary.finished, "seed"));
  return text;
}

}  // namespace

std::string grid_curves(const std::vector<GridCell>& cells) {
  LinePlot plot = line_plot(all_curves[0], groups_of(cells));
  plot.width = 760;
  plot.height = 400;
  require(!plot.lines.empty(), "there is nothing to draw: no cell has finished an epoch");
  return Plots().alone(plot);
}

Report report_grid(const std::string& csv, Plots& plots) {
  const std::vector<GridCell> cells = read_grid_results(csv);
  require(!cells.empty(), "{} has no results yet", csv);
  const std::vector<Group> groups = groups_of(cells);

  std::vector<Settings> runs;
  std::vector<std::string> machines;
  for (const GridCell& cell : cells) {
    const RunDirectory run(in_directory(csv, cell.name));
    for (const std::string& machine : run.read_machines())
      if (std::find(machines.begin(), machines.end(), machine) == machines.end()) machines.push_back(machine);
    if (run.has_config()) runs.push_back(resolve(parse_config(read_file(run.config_path()), run.config_path())));
  }
  std::vector<LayersOf> layers;
  for (const Group& group : groups) {
    const RunDirectory run(in_directory(csv, group.cells.front()->name));
    if (run.has_layers()) layers.push_back({group.name, read_layers(run.layers_path())});
  }
  const std::string name = std::filesystem::path(csv).stem().string();
  Report report;
  report.title = runs.empty() ? "Comparison " + name
                              : fmt::format("Comparison {}: {} on {}", name, runs.front().arch, runs.front().dataset);
  report.lead = lead(groups, cells.size());
  report.body = curves(groups, plots) + results(groups, cells) + layer_section(layers, plots) +
                origin(csv, groups, runs, machines);
  return report;
}

}  // namespace xtg::app
