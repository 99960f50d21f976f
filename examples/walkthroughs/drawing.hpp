#pragma once

// A few strokes of SVG, for the figures that are drawings and not plots. They stand on a white card, so that they can
// be read on a dark page, too.

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

struct Point {
  double x, y;
};

constexpr const char *kInk = "#333333", *kGrey = "#707070", *kBlue = "#2f6db3", *kOrange = "#c44e24",
                     *kGreen = "#3a8a3a", *kPurple = "#8550a0";

class Drawing {
 public:
  Drawing(int width, int height) : width_(width), height_(height) {}

  /// anchor: start, middle or end.
  void text(Point at, const std::string& words, const char* colour = kInk, const char* anchor = "middle", int size = 14,
            const char* style = "") {
    body_ += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" fill="{}" text-anchor="{}" font-size="{}" {}>{}</text>)"
                         "\n",
                         at.x, at.y, colour, anchor, size, style, words);
  }
  void line(Point from, Point to, const char* colour = kInk, double width = 1.5, const char* dashes = "none") {
    body_ += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}" stroke-width="{}" )"
                         R"(stroke-dasharray="{}"/>)"
                         "\n",
                         from.x, from.y, to.x, to.y, colour, width, dashes);
  }
  /// A line with a head at its end.
  void arrow(Point from, Point to, const char* colour = kInk, double width = 1.5, const char* dashes = "none") {
    const double length = std::hypot(to.x - from.x, to.y - from.y), head = 5 + 2 * width;
    const Point along{(to.x - from.x) / length, (to.y - from.y) / length};
    const Point base{to.x - head * along.x, to.y - head * along.y};
    const double half = 0.4 * head;
    line(from, base, colour, width, dashes);
    polygon(
        {to, {base.x - half * along.y, base.y + half * along.x}, {base.x + half * along.y, base.y - half * along.x}},
        colour, colour);
  }
  void curve(const std::vector<Point>& points, const char* colour, double width) {
    body_ += fmt::format(R"(<polyline points="{}" fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round"/>)"
                         "\n",
                         listed(points), colour, width);
  }
  void polygon(const std::vector<Point>& corners, const char* fill, const char* stroke = kInk, double opacity = 1,
               double width = 1) {
    body_ += fmt::format(R"(<polygon points="{}" fill="{}" fill-opacity="{}" stroke="{}" stroke-width="{}" )"
                         R"(stroke-linejoin="round"/>)"
                         "\n",
                         listed(corners), fill, opacity, stroke, width);
  }
  void box(Point corner, double width, double height, const char* fill = "#f3f6fa", const char* stroke = kBlue) {
    body_ += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="5" fill="{}" )"
                         R"(stroke="{}"/>)"
                         "\n",
                         corner.x, corner.y, width, height, fill, stroke);
  }

  void print() const {
    std::printf(R"(<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" )"
                R"(font-family="Helvetica,Arial,sans-serif">)"
                "\n"
                R"(<rect width="%d" height="%d" rx="6" fill="white"/>)"
                "\n%s</svg>\n",
                width_, height_, width_, height_, width_, height_, body_.c_str());
  }

 private:
  static std::string listed(const std::vector<Point>& points) {
    std::string text;
    for (const Point& p : points) text += fmt::format("{:.1f},{:.1f} ", p.x, p.y);
    return text;
  }

  int width_, height_;
  std::string body_;
};
