#include "examples/app/run/curves.hpp"

#include <string>

#include "examples/app/run/gnuplot.hpp"
#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

std::string script(const std::string& title, const std::string& judge, const std::vector<nn::EpochResult>& epochs) {
  std::string rows;
  for (const nn::EpochResult& e : epochs) {
    rows += fmt::format("{} {} {} {} {}\n", e.epoch, e.train_loss, e.train_accuracy, e.test_loss, e.test_accuracy);
  }
  return fmt::format(
      R"(set terminal svg size 960,420 font 'Helvetica,Arial,sans-serif,14' \
    noenhanced background rgb 'white'
$rows << end_of_rows
{rows}end_of_rows
set multiplot layout 1,2 title {title} font ',17'
set border 3 linecolor rgb '#888888'
set tics nomirror out scale 0.6 textcolor rgb '#444444'
set grid ytics linetype 1 linecolor rgb '#e6e6e6'
set xlabel 'epoch' textcolor rgb '#444444'
set xrange [{first}:{last}]
set xtics {step}
set style line 1 linecolor rgb '#7f9fbf' linewidth 2 pointtype 7 pointsize 0.5
set style line 2 linecolor rgb '#c44e24' linewidth 2.5 pointtype 7 pointsize 0.5
set ylabel 'loss (nats)' textcolor rgb '#444444'
set yrange [0:*]
set key top right samplen 2
plot $rows using 1:2 with linespoints linestyle 1 title 'training', \
     '' using 1:4 with linespoints linestyle 2 title '{judge}'
set ylabel 'accuracy (%)' textcolor rgb '#444444'
set yrange [*:100<*]
set key bottom right samplen 2
plot $rows using 1:3 with linespoints linestyle 1 title 'training', \
     '' using 1:5 with linespoints linestyle 2 title '{judge}'
unset multiplot
)",
      fmt::arg("title", gnuplot_quoted(title)), fmt::arg("rows", rows), fmt::arg("judge", judge),
      fmt::arg("first", epochs.size() > 1 ? 1.0 : 0.5),
      fmt::arg("last", epochs.size() > 1 ? static_cast<double>(epochs.size()) : 1.5),
      fmt::arg("step", (epochs.size() + 9) / 10));
}

std::string range_script(const std::string& title, const std::vector<nn::RangePoint>& points) {
  std::string rows;
  for (const nn::RangePoint& p : points) rows += fmt::format("{} {}\n", p.learning_rate, p.loss);
  return fmt::format(
      R"(set terminal svg size 720,420 font 'Helvetica,Arial,sans-serif,14' \
    noenhanced background rgb 'white'
$rows << end_of_rows
{rows}end_of_rows
set title {title} font ',17'
set border 3 linecolor rgb '#888888'
set tics nomirror out scale 0.6 textcolor rgb '#444444'
set grid linetype 1 linecolor rgb '#e6e6e6'
set xlabel 'learning rate' textcolor rgb '#444444'
set logscale x
set xrange [{first}:{last}]
set format x '%g'
set ylabel 'loss (nats), smoothed' textcolor rgb '#444444'
unset key
plot $rows using 1:2 with linespoints linecolor rgb '#c44e24' linewidth 2.5 pointtype 7 pointsize 0.3
)",
      fmt::arg("title", gnuplot_quoted(title)), fmt::arg("rows", rows), fmt::arg("first", points.front().learning_rate),
      fmt::arg("last", points.back().learning_rate));
}

bool plot(const std::string& path, const std::string& script) {
  const std::optional<std::string> svg = gnuplot_svg(script);
  if (!svg) return false;
  try {
    write_file(path, *svg);
  } catch (const FormatError&) {  // a picture can be drawn again: it is not worth the run
    return false;
  }
  return true;
}

}  // namespace

bool plot_curves(const std::string& path, const std::string& title, const std::string& judge,
                 const std::vector<nn::EpochResult>& epochs) {
  if (epochs.empty()) return true;
  return plot(path, script(title, judge, epochs));
}

bool plot_learning_rates(const std::string& path, const std::string& title, const std::vector<nn::RangePoint>& points) {
  return plot(path, range_script(title, points));
}

}  // namespace xtg::app
