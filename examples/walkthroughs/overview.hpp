#pragma once

// The picture at the top of README.md: a gradient in three forms, and what a norm is good for, from the results of
// docs/experiments/norms.csv.

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "drawing.hpp"

/// Mean test accuracy of each epoch over the seeds, in percent: of each norm at the rate of the comparison.
inline std::map<std::string, std::vector<double>> mean_accuracies(const std::string& path) {
  constexpr int epochs = 20;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::map<std::string, std::vector<double>> sums;
  std::map<std::string, int> seeds;
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    line.erase(0, line.find("\",") + 2);  // the cell's name
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream words(line);
    std::string norm, rate, fixup, seed, outcome;
    double epoch, train_loss, train_accuracy, test_loss, test_accuracy;
    words >> norm >> rate >> fixup >> seed >> outcome >> epoch >> train_loss >> train_accuracy >> test_loss >>
        test_accuracy;
    if (!words) throw std::runtime_error("not a row: " + line);
    if (fixup != "false" || rate != (norm == "none" ? "0.05" : "0.4")) continue;
    sums[norm].resize(epochs);
    sums[norm].at(static_cast<std::size_t>(epoch) - 1) += test_accuracy;
    seeds[norm] += epoch == 1;
  }
  for (auto& [norm, values] : sums)
    for (double& value : values) value /= seeds[norm];
  return sums;
}

/// Three cards, one below the other.
inline void draw_forms(Drawing& d) {
  constexpr double left = 16, width = 424;
  const auto card = [&](double y, double height, const char* title, const char* colour) {
    d.box({left, y}, width, height, "#f7f9fc", colour);
    d.text({left + 12, y + 22}, title, colour, "start", 14, "font-weight=\"bold\"");
  };
  d.text({left, 30}, "One gradient, in three forms: here of batch norm", kInk, "start", 16, "font-weight=\"bold\"");

  card(50, 104, "Derived: from the definition, by the tape", kBlue);
  const std::vector<std::pair<const char*, double>> steps = {{"mean", 46},   {"&#8722;", 24}, {"square", 54},
                                                             {"mean", 46},   {"+&#949;", 32}, {"rsqrt", 46},
                                                             {"&#215;", 24}, {"&#947;", 24},  {"+&#946;", 32}};
  constexpr double gap = 9, top = 84;
  double x = left + 12;
  for (const auto& [name, size] : steps) {
    d.box({x, top}, size, 26, "white", kBlue);
    d.text({x + size / 2, top + 18}, name, kInk, "middle", 13);
    if (x > left + 12) d.line({x - gap, top + 13}, {x, top + 13}, kBlue);
    x += size + gap;
  }
  d.arrow({x - gap, 132}, {left + 12, 132}, kOrange);
  d.text({left + width / 2, 148}, "the chain rule, step by step", kOrange, "middle", 13);

  d.text({left + width / 2, 173}, "=", kInk, "middle", 20, "font-weight=\"bold\"");
  card(180, 66, "Analytic: by hand, as on paper", kPurple);
  d.text({left + 12, 234},
         "dx = &#947; &#183; rstd &#183; (dy &#8722; mean(dy) &#8722; x&#770; &#183; mean(dy &#183; x&#770;))", kInk,
         "start", 15);

  d.text({left + width / 2, 265}, "=", kInk, "middle", 20, "font-weight=\"bold\"");
  card(272, 66, "Fused: one kernel for all four norms", kGreen);
  d.text({left + 12, 326}, "the same numbers, in fewer passes over memory", kInk, "start", 14);
}

/// Accuracy over epochs, a line for each norm.
inline void draw_accuracies(Drawing& d, const std::map<std::string, std::vector<double>>& accuracies) {
  constexpr double left = 500, right = 730, top = 84, bottom = 300;
  d.text({464, 30}, "One network, with each norm and with none", kInk, "start", 16, "font-weight=\"bold\"");
  d.text({464, 54}, "test accuracy in %: ResNet-20, 10,000 photographs", kGrey, "start", 13);
  const auto at = [&](double epoch, double accuracy) {
    return Point{left + (right - left) * (epoch - 1) / 19, bottom - (bottom - top) * accuracy / 80};
  };
  for (const int accuracy : {0, 20, 40, 60, 80}) {
    const double y = at(1, accuracy).y;
    d.line({left, y}, {right, y}, "#e0e0e0", 1);
    d.text({left - 8, y + 5}, std::to_string(accuracy), kGrey, "end", 13);
  }
  for (const int epoch : {1, 5, 10, 15, 20})
    d.text({at(epoch, 0).x, bottom + 18}, std::to_string(epoch), kGrey, "middle", 13);
  d.text({(left + right) / 2, bottom + 37}, "epoch", kGrey, "middle", 13);

  const std::vector<std::pair<const char*, const char*>> colours = {
      {"batch", kBlue}, {"instance", kOrange}, {"group", kGreen}, {"layer", kPurple}, {"none", kInk}};  // best first
  double above = 0;
  for (const auto& [norm, colour] : colours) {
    const std::vector<double>& values = accuracies.at(norm);
    std::vector<Point> points;
    for (std::size_t i = 0; i < values.size(); ++i) points.push_back(at(static_cast<double>(i + 1), values[i]));
    d.curve(points, colour, 2);
    above = std::max(points.back().y + 5, above + 16);
    d.text({right + 8, above}, fmt::format("{} {:.0f}", norm, values.back()), colour, "start", 14);
  }
}

inline void draw_overview(const std::string& results) {
  Drawing d(830, 352);
  draw_forms(d);
  draw_accuracies(d, mean_accuracies(results));
  d.print();
}
