#pragma once

// Pictures for a page: gnuplot draws them, and they take the page's colours.

#include <optional>
#include <string>
#include <vector>

#include "examples/app/run/layer_statistics.hpp"

namespace xtg::app {

/// A line with, where `low` and `high` are given, a band around it.
struct PlotLine {
  std::string name;
  std::vector<double> x, y, low, high;
};

struct LinePlot {
  std::string title;  // what a reader who does not see it is told
  std::string x, y;   // of the axes
  std::vector<PlotLine> lines;
  double bottom = 0;
  std::optional<double> top;      // else above all lines; what is far above the others is cut off
  bool logarithmic = false;       // the axis of y; `bottom` and `top` are then needed, and above 0
  int width = 480, height = 300;  // in pixels; more names than fit make it higher
};

/// One array of one epoch, layer by layer.
struct LayerPlot {
  std::string title;
  std::string y;
  std::vector<LayerRow> rows;
  double bottom = 0, top = 0;  // of the logarithmic axis
};

/// The sizes that an axis for these rows must show.
struct SizeRange {
  double bottom = 0, top = 0;
};
SizeRange size_range(const std::vector<LayerRow>& rows);

/// Draws the figures of one page. Without gnuplot all are empty.
class Plots {
 public:
  /// <figure> with the picture and `caption`, which is HTML.
  std::string lines(const LinePlot& plot, const std::string& caption);
  std::string layers(const LayerPlot& plot, const std::string& caption);
  /// The picture as an SVG file of its own.
  std::string alone(const LinePlot& plot);
  /// Whether gnuplot has failed, or is not installed.
  bool failed() const { return failed_; }
  /// What all figures share; belongs at the top of the page.
  const std::string& symbols() const { return symbols_; }

 private:
  std::string figure(const std::string& script, const std::string& title, const std::string& caption);
  std::string draw(const std::string& script);

  std::string symbols_;
  bool failed_ = false;
};

}  // namespace xtg::app
