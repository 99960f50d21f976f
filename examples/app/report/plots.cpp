#include "examples/app/report/plots.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <regex>

#include "examples/app/report/html.hpp"
#include "examples/app/run/gnuplot.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

// gnuplot knows no CSS. It draws in the colours #0102xx, which then become those of the palette.
constexpr int colours = 7;  // of lines: --s1 … --s7
const char* const text_colour = "#010210";
const char* const tic_colour = "#010211";
const char* const grid_colour = "#010212";

std::string colour(std::size_t line) { return fmt::format("#0102{:02x}", 1 + line % colours); }

/// The name in the palette of the colour #0102 and `number`.
std::string name_of(int number) {
  if (number == 0x10) return "text";
  if (number == 0x11) return "tics";
  if (number == 0x12) return "line";
  return fmt::format("s{}", number);
}

/// What comes before the data in every plot.
std::string prologue(int width, int height, const std::string& x, const std::string& y) {
  return fmt::format(
      R"(set terminal svg size {},{} font 'sans-serif,15' noenhanced
set border 3 linecolor rgb '{tics}'
set tics nomirror out scale 0.6 textcolor rgb '{tics}'
set grid ytics linetype 1 linewidth 1 linecolor rgb '{grid}'
set xlabel {} offset 0,0.5 textcolor rgb '{tics}'
set ylabel {} textcolor rgb '{tics}'
set datafile missing 'nan'
unset key
)",
      width, height, gnuplot_quoted(x), gnuplot_quoted(y), fmt::arg("tics", tic_colour), fmt::arg("grid", grid_colour));
}

std::string number(double x) { return std::isfinite(x) ? fmt::format("{:.6g}", x) : "nan"; }

/// Above nearly all points: what diverges must not flatten the rest.
double top_of(const LinePlot& plot) {
  std::vector<double> values;
  for (const PlotLine& line : plot.lines)
    for (const double y : line.high.empty() ? line.y : line.high)
      if (std::isfinite(y)) values.push_back(y);
  if (values.empty()) return plot.bottom + 1;
  std::sort(values.begin(), values.end());
  const double most = values[values.size() * 9 / 10];
  return std::min(values.back(), plot.bottom + 1.8 * (most - plot.bottom)) * 1.03;
}

/// Where the lines' names stand beside the plot, 0 … 1 from bottom to top: at their last points, but not on each other.
std::vector<double> name_places(const LinePlot& plot, double top, double gap) {
  const auto place = [&](double y) {
    return plot.logarithmic ? std::log(y / plot.bottom) / std::log(top / plot.bottom)
                            : (y - plot.bottom) / (top - plot.bottom);
  };
  std::vector<double> places;
  for (const PlotLine& line : plot.lines) {
    double last = 0;
    for (const double y : line.y)
      if (std::isfinite(place(y))) last = place(y);
    places.push_back(std::clamp(last, 0.0, 1.0));
  }
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return places[a] < places[b]; });
  for (std::size_t i = 1; i < order.size(); ++i)
    places[order[i]] = std::max(places[order[i]], places[order[i - 1]] + gap);
  double limit = 1;
  for (std::size_t i = order.size(); i-- > 0; limit -= gap) places[order[i]] = std::min(places[order[i]], limit);
  return places;
}

std::string line_script(const LinePlot& plot) {
  const int fitting = (plot.height - 80) / 24;
  const int height = plot.height + 24 * std::max(0, static_cast<int>(plot.lines.size()) - fitting);
  const double top = plot.top ? *plot.top : top_of(plot);
  double first = INFINITY, last = -INFINITY;
  std::size_t longest = 0;
  for (const PlotLine& line : plot.lines) {
    for (const double x : line.x) {
      first = std::min(first, x);
      last = std::max(last, x);
    }
    longest = std::max(longest, line.name.size());
  }
  if (!(last > first)) {
    first -= 0.5;
    last += 0.5;
  }
  std::string text = prologue(plot.width, height, plot.x, plot.y);
  text += fmt::format("set rmargin {}\nset xrange [{}:{}]\nset xtics {}\nset yrange [{}:{}]\n", longest + 4, first,
                      last, std::max(1.0, std::ceil((last - first) / 9)), number(plot.bottom), number(top));
  if (plot.logarithmic) text += "set logscale y\nset format y '%.0e'\n";
  const std::vector<double> places = name_places(plot, top, 20.0 / (height - 80));
  std::string bands, lines;
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    const PlotLine& line = plot.lines[i];
    text += fmt::format("$d{} << end\n", i);
    for (std::size_t k = 0; k < line.x.size(); ++k)
      text += fmt::format("{} {} {} {}\n", number(line.x[k]), number(line.y[k]),
                          number(line.low.empty() ? line.y[k] : line.low[k]),
                          number(line.high.empty() ? line.y[k] : line.high[k]));
    text += "end\n";
    const std::size_t symbols[] = {7, 5, 9, 11, 13, 6, 4, 8, 10, 12};
    const std::string look = fmt::format("linecolor rgb '{}' pointtype {} pointsize 0.45", colour(i), symbols[i % 10]);
    text += fmt::format("set label {} {} at graph 1.03,{:.4f} left offset char 0.8,-0.3 point {} textcolor rgb '{}'\n",
                        i + 1, gnuplot_quoted(line.name), places[i], look, text_colour);
    if (!line.low.empty())
      bands += fmt::format("$d{} using 1:3:4 with filledcurves fillcolor rgb '{}' fillstyle transparent solid 0.22, ",
                           i, colour(i));
    lines += fmt::format("{}$d{} using 1:2 with linespoints {} linewidth 2 dashtype {}", i == 0 ? "" : ", ", i, look,
                         i < colours ? (i % 2 == 0 ? "1" : "(12,5)") : "(3,4)");
  }
  return text + "plot " + bands + lines + "\n";
}

std::string layer_script(const LayerPlot& plot) {
  std::string text = prologue(340, 290, "layer", plot.y);
  const std::size_t n = plot.rows.size();
  text += fmt::format("set xrange [0.2:{}.8]\nset xtics {}\nset logscale y\nset format y '%.0e'\nset yrange [{}:{}]\n",
                      n, std::max<std::size_t>(1, (n + 4) / 5), number(plot.bottom), number(plot.top));
  const auto stage = [&](std::size_t i) { return plot.rows[i].layer.substr(0, plot.rows[i].layer.find('.')); };
  for (std::size_t i = 1; i < n; ++i) {
    if (stage(i) == stage(i - 1)) continue;
    std::size_t end = i;
    while (end < n && stage(end) == stage(i)) ++end;
    text += fmt::format("set arrow from {0}.5,graph 0 to {0}.5,graph 1 nohead linecolor rgb '{1}' dashtype (3,3)\n", i,
                        tic_colour);
    if (stage(i).rfind("layer", 0) == 0)  // the number alone where there is no room for more
      text += fmt::format("set label '{}' at {},graph 1.05 center textcolor rgb '{}'\n",
                          7 * (end - i) >= 2 * n ? stage(i) : stage(i).substr(5),
                          0.5 * static_cast<double>(i + end) + 0.5, tic_colour);
  }
  text += "$d << end\n";
  for (std::size_t i = 0; i < n; ++i) {
    text += fmt::format("{} {}", i + 1, number(std::max(plot.rows[i].sd, plot.bottom)));
    for (const double size : plot.rows[i].sizes) text += " " + number(std::clamp(size, plot.bottom, plot.top));
    text += "\n";
  }
  text += "end\nplot ";
  const char* const look = "with boxxyerror fillcolor rgb '{}' linewidth 0 fillstyle transparent solid {} noborder";
  const std::pair<const char*, const char*> boxes[] = {{"3:9", "0.18"}, {"4:8", "0.3"}, {"5:7", "0.6"}};
  for (const auto& [columns, density] : boxes) {
    const std::string low(1, columns[0]), high(1, columns[2]);
    text += fmt::format("$d using 1:{0}:($1-0.4):($1+0.4):{0}:{1} ", low, high) +
            fmt::format(fmt::runtime(look), colour(0), density) + ", ";
  }
  return text + fmt::format(
                    "$d using ($1-0.4):6:(0.8):(0) with vectors nohead linecolor rgb '{}' linewidth 2, "
                    "$d using 1:2 with linespoints linecolor rgb '{}' linewidth 1.5 dashtype (5,3) pointtype 5 "
                    "pointsize 0.3\n",
                    text_colour, colour(1));
}

/// The text between `begin` and `end`, both included, taken out of `text`.
std::string cut(std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin), to = text.find(end, from);
  if (from == std::string::npos || to == std::string::npos) return "";
  const std::string part = text.substr(from, to + end.size() - from);
  text.erase(from, part.size());
  return part;
}

/// The picture with `css`(name in the palette) for each of our colours.
std::string in_colours(const std::string& svg, const std::function<std::string(const std::string&)>& css) {
  static const std::regex rgb(R"(rgb\( *1, *2, *(\d+)\))");
  std::string result;
  std::size_t at = 0;
  for (std::sregex_iterator match(svg.begin(), svg.end(), rgb), end; match != end; ++match) {
    result += svg.substr(at, static_cast<std::size_t>(match->position()) - at) + css(name_of(std::stoi((*match)[1])));
    at = static_cast<std::size_t>(match->position() + match->length());
  }
  return result + svg.substr(at);
}

/// Colours by the page's variables, its font, and nothing that is said twice.
std::string in_page_colours(const std::string& svg) {
  std::string result = in_colours(svg, [](const std::string& name) { return "var(--" + name + ")"; });
  result = std::regex_replace(result, std::regex(R"re( font-family="[^"]*"| id="gnuplot[^"]*")re"), "");
  result = std::regex_replace(result, std::regex("xlink:href"), "href");
  result = std::regex_replace(result, std::regex(R"re( xmlns:?[a-z]*="[^"]*"|<g [^>]*>\s*</g>\n?)re"), "");
  return std::regex_replace(result, std::regex(R"re(\n\s*\n|\n\t+)re"), "\n");
}

const Colour& in_palette(const std::string& name) {
  return *std::find_if(palette.begin(), palette.end(), [&](const Colour& colour) { return colour.name == name; });
}

/// For a picture whose attributes have the light colours: a style sheet that puts the dark ones in their places. Who
/// knows no style sheets sees the light ones; variables would be black there.
std::string dark_style(const std::string& svg) {
  std::string rules;
  for (const Colour& colour : palette) {
    for (const char* attribute : {"fill", "stroke", "color"}) {
      const std::string selector = fmt::format("[{}='{}']", attribute, colour.light);
      const bool used = std::regex_search(svg, std::regex(fmt::format("\\b{} ?= ?['\"]{}", attribute, colour.light)));
      if (used && rules.find(selector) == std::string::npos)
        rules += fmt::format("{}{{{}:{}}}\n", selector, attribute, colour.dark);
    }
  }
  return "<style>\n@media (prefers-color-scheme:dark){\n" + rules + "}\n</style>\n";
}

}  // namespace

SizeRange size_range(const std::vector<LayerRow>& rows) {
  SizeRange range{INFINITY, 0};
  for (const LayerRow& row : rows) {
    if (row.sizes[1] > 0) range.bottom = std::min(range.bottom, row.sizes[1]);
    for (const double size : {row.sizes.back(), row.sd})
      if (std::isfinite(size)) range.top = std::max(range.top, size);
  }
  if (!(range.bottom < range.top)) return {1e-3, 1};
  return {std::pow(10, std::floor(2 * std::log10(range.bottom)) / 2),
          std::pow(10, std::ceil(2 * std::log10(range.top)) / 2)};
}

std::string Plots::lines(const LinePlot& plot, const std::string& caption) {
  return figure(line_script(plot), plot.title, caption);
}

std::string Plots::layers(const LayerPlot& plot, const std::string& caption) {
  return figure(layer_script(plot), plot.title, caption);
}

std::string Plots::alone(const LinePlot& plot) {
  std::string svg = draw(line_script(plot));
  if (svg.empty()) return "";
  svg = in_colours(svg, [](const std::string& name) { return std::string(in_palette(name).light); });
  const std::size_t inside = svg.find('>') + 1;
  svg.insert(inside, fmt::format("\n<rect width='100%' height='100%' fill='{}'/>", in_palette("page").light));
  svg.insert(inside, fmt::format("<title>{}</title>{}", escaped(plot.title), dark_style(svg)));
  return svg + "\n";
}

/// From <svg to </svg>; empty if gnuplot fails.
std::string Plots::draw(const std::string& script) {
  std::optional<std::string> drawn;
  if (!failed_) drawn = gnuplot_svg(script);
  const std::size_t begin = drawn ? drawn->find("<svg") : std::string::npos;
  failed_ = begin == std::string::npos;
  if (failed_) return "";
  std::string svg = drawn->substr(begin);
  cut(svg, "<title>", "</title>");
  cut(svg, "<desc>", "</desc>");
  return svg;
}

std::string Plots::figure(const std::string& script, const std::string& title, const std::string& caption) {
  std::string svg = draw(script);
  if (svg.empty()) return "";
  std::string symbols = cut(svg, "<defs>", "</defs>");
  while (!cut(symbols, "<filter", "</filter>").empty()) continue;
  if (symbols_.empty())  // the same for all; not display:none, which would hide what refers to it
    symbols_ = in_page_colours("<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\">" +
                               symbols + "</svg>\n");
  svg = std::regex_replace(svg, std::regex(R"re(^<svg\s+width="\d+" height="\d+"\s+viewBox)re"),
                           "<svg role=\"img\" aria-label=\"" + escaped(title) + "\" viewBox");
  return "<figure>\n" + in_page_colours(svg) + "<figcaption>" + caption + "</figcaption>\n</figure>\n";
}

}  // namespace xtg::app
