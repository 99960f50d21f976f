#include <algorithm>
#include <cmath>
#include <set>

#include "examples/app/report/html.hpp"
#include "examples/app/report/parts.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

std::vector<LayerRow> select(const LayersOf& run, std::size_t epoch, LayerArray array) {
  std::vector<LayerRow> rows;
  for (const LayerRow& row : run.rows)
    if (row.epoch == epoch && row.array == array) rows.push_back(row);
  return rows;
}

std::string epoch_name(std::size_t epoch) {
  return epoch == 0 ? "before the first step" : fmt::format("after epoch {}", epoch);
}

const char* thing(LayerArray array) { return array == LayerArray::Activation ? "activations" : "gradients"; }

double half_decade_below(double x) { return std::pow(10, std::floor(2 * std::log10(x)) / 2); }

/// How the last layer's typical size compares with the first's.
double growth(const std::vector<LayerRow>& rows) {
  const auto typical = [](const LayerRow& row) { return row.sd; };
  return rows.size() > 1 ? typical(rows.back()) / typical(rows.front()) : NAN;
}

std::string times(double factor) {
  if (!std::isfinite(factor) || factor <= 0) return "–";
  const double size = std::max(factor, 1 / factor);
  const std::string number = size >= 100 && size < 1e12 ? with_commas(static_cast<std::size_t>(std::lround(size)))
                                                        : fmt::format("{:.3g}", size);
  return (factor >= 1 ? "× " : "÷ ") + number;
}

/// The rows of an array, of all runs and epochs.
std::vector<LayerRow> all_rows(const std::vector<LayersOf>& runs, LayerArray array) {
  std::vector<LayerRow> rows;
  for (const LayersOf& run : runs)
    for (const LayerRow& row : run.rows)
      if (row.array == array) rows.push_back(row);
  return rows;
}

/// Standard deviations over depth, a line for each run.
std::string compare(const std::vector<LayersOf>& runs, std::size_t epoch, LayerArray array, Plots& plots) {
  LinePlot plot;
  plot.title = fmt::format("standard deviation of {} over depth, {}", thing(array), epoch_name(epoch));
  plot.x = "layer";
  plot.y = fmt::format("sd of {}", thing(array));
  for (const LayersOf& run : runs) {
    PlotLine line{run.name, {}, {}, {}, {}};
    for (const LayerRow& row : select(run, epoch, array)) {
      line.x.push_back(static_cast<double>(line.x.size() + 1));
      line.y.push_back(row.sd > 0 ? row.sd : NAN);
    }
    if (!line.x.empty()) plot.lines.push_back(std::move(line));
  }
  if (plot.lines.empty()) return "";
  double low = INFINITY, high = 0;  // of all epochs, so that they can be compared
  for (const LayerRow& row : all_rows(runs, array)) {
    if (!(row.sd > 0) || !std::isfinite(row.sd)) continue;
    low = std::min(low, row.sd);
    high = std::max(high, row.sd);
  }
  if (!(low <= high)) return "";
  plot.logarithmic = true;
  plot.bottom = half_decade_below(low);
  plot.top = half_decade_below(high) * std::sqrt(10);
  return plots.lines(plot, fmt::format("Standard deviation of {}, {}.", thing(array), epoch_name(epoch)));
}

std::string growth_table(const std::vector<LayersOf>& runs, const std::set<std::size_t>& epochs) {
  std::vector<std::vector<TableCell>> rows;
  for (const std::size_t epoch : epochs) {
    for (const LayersOf& run : runs) {
      const auto forward = select(run, epoch, LayerArray::Activation);
      const auto backward = select(run, epoch, LayerArray::ActivationGradient);
      if (forward.empty()) continue;
      rows.push_back({text_cell(epoch_name(epoch))});
      if (runs.size() > 1) rows.back().push_back(text_cell(run.name));
      rows.back().push_back(number_cell(times(growth(forward))));
      rows.back().push_back(number_cell(times(1 / growth(backward))));
      double zeros = 0;
      for (const LayerRow& row : forward) zeros = std::max(zeros, row.zeros);
      rows.back().push_back(number_cell(fmt::format("{:.1f} %", zeros)));
    }
  }
  std::vector<std::string> heads = {"when", "activations, first to last layer", "gradients, last to first layer",
                                    "most zeros in a layer"};
  if (runs.size() > 1) heads.insert(heads.begin() + 1, "run");
  return table("growth of activations and gradients", heads, rows);
}

std::string names_of(const LayersOf& run) {
  std::vector<std::vector<TableCell>> rows;
  const auto layers = select(run, run.rows.front().epoch, LayerArray::Activation);
  for (std::size_t i = 0; i < layers.size(); ++i)
    rows.push_back({number_cell(std::to_string(i + 1)), text_cell(layers[i].layer)});
  return details("Which layer is which", table("layers", {"layer", "convolution"}, rows));
}

}  // namespace

std::string layer_section(const std::vector<LayersOf>& runs, Plots& plots) {
  std::vector<LayersOf> shown;
  std::set<std::size_t> epochs;
  for (const LayersOf& run : runs) {
    if (run.rows.empty()) continue;
    shown.push_back(run);
    for (const LayerRow& row : run.rows) epochs.insert(row.epoch);
  }
  const char* const heading = "Activations and gradients, layer by layer";
  if (shown.empty())
    return section(heading,
                   "<p>Not recorded. A training with <code>--layer-statistics 1,10,20</code> writes down, before its "
                   "first step and after these epochs, how large they are in each layer.</p>\n");
  std::string html =
      "<p>Up to 128 training images go through the network and the gradient of their mean loss comes back. A layer is "
      "a "
      "convolution with the norm, shortcut and relu that follow it; activations are its result, gradients those of the "
      "loss with respect to it. The less they grow or shrink from layer to layer, the more evenly all layers "
      "learn.</p>\n";
  html += growth_table(shown, epochs);
  html += "<p class=\"quiet\">Ratios of standard deviations. Zeros are what relu has cut off.</p>\n";
  if (shown.size() > 1) {
    html += "<div class=\"figures\">\n";
    for (const std::size_t epoch : epochs)
      for (const LayerArray array : {LayerArray::Activation, LayerArray::ActivationGradient})
        html += compare(shown, epoch, array, plots);
    html += "</div>\n";
  }
  if (!plots.failed())
    html +=
        "<p class=\"quiet\">Distributions of absolute sizes without zeros, on a logarithmic scale: the innermost "
        "box holds the middle half (25 to 75 %), the paler ones 5 to 95 % and 1 to 99 %; the stroke in it is the "
        "median. "
        "Dashed: the standard deviation, zeros included.</p>\n";
  std::string distributions;
  for (const LayerArray array : {LayerArray::Activation, LayerArray::ActivationGradient}) {
    const SizeRange range = size_range(all_rows(shown, array));  // the same axis for all, so that they can be compared
    distributions += fmt::format("<h3>Sizes of {}</h3>\n", thing(array));
    for (const std::size_t epoch : epochs) {
      if (epoch == *epochs.begin() || shown.size() > 1) distributions += "<div class=\"figures small\">\n";
      for (const LayersOf& run : shown) {
        LayerPlot plot;
        plot.rows = select(run, epoch, array);
        if (plot.rows.empty()) continue;
        const std::string where = shown.size() > 1 ? run.name + ", " : "";
        plot.title = fmt::format("{}sizes of {} {}", where, thing(array), epoch_name(epoch));
        plot.y = fmt::format("size of {}", thing(array));
        plot.bottom = range.bottom;
        plot.top = range.top;
        distributions += plots.layers(plot, fmt::format("<b>{}{}</b>", escaped(where), epoch_name(epoch)));
      }
      if (epoch == *epochs.rbegin() || shown.size() > 1) distributions += "</div>\n";
    }
  }
  return section(heading, html + (plots.failed() ? "" : distributions) + names_of(shown.front()));
}

}  // namespace xtg::app
