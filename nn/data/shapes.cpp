#include "nn/data/shapes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

constexpr std::size_t side = 32;
constexpr std::uint64_t train_stream = 0x7472, test_stream = 0x7465;  // keys of the two splits' random numbers
constexpr double pi = 3.14159265358979323846;

struct Point {
  double x, y;
};

using Color = std::array<double, 3>;            // red, green, blue in [0, 1]
using Canvas = std::array<Color, side * side>;  // row by row
using Contour = std::vector<Point>;             // a closed polygon
using Figure = std::vector<Contour>;            // inside is what an odd number of contours surrounds

// ---- The ten figures, centred on the origin within a circle of radius 1, y upwards. ----

/// `n` points on an arc from one angle to another (exclusive), in radians.
Contour arc(Point center, double radius, double from, double to, int n) {
  Contour points;
  for (int i = 0; i < n; ++i) {
    const double angle = from + (to - from) * i / n;
    points.push_back({center.x + radius * std::cos(angle), center.y + radius * std::sin(angle)});
  }
  return points;
}

Contour circle(double radius) { return arc({0, 0}, radius, 0, 2 * pi, 24); }

Contour cross() {  // one arm's three corners, then the same a quarter turn on
  Contour points = {{-0.3, 1}, {0.3, 1}, {0.3, 0.3}};
  for (std::size_t i = 0; i < 9; ++i) points.push_back({points[i].y, -points[i].x});
  return points;
}

Contour star() {
  Contour points = arc({0, 0}, 1, pi / 2, 5 * pi / 2, 10);
  for (std::size_t i = 1; i < points.size(); i += 2) points[i] = {points[i].x * 0.45, points[i].y * 0.45};
  return points;
}

Contour crescent() {  // an outer arc there, an inner arc back; they meet at (0.5, ±0.866)
  Contour points = arc({0, 0}, 1, pi / 3, 5 * pi / 3, 18);
  const double reach = std::sqrt(3.0) / 2, x = 0.55, radius = std::hypot(x - 0.5, reach);
  const double tip = std::atan2(reach, 0.5 - x);
  const Contour inner = arc({x, 0}, radius, 2 * pi - tip, tip, 14);
  points.insert(points.end(), inner.begin(), inner.end());
  return points;
}

Contour heart() {
  Contour points;
  for (int i = 0; i < 28; ++i) {
    const double t = 2 * pi * i / 28, s = std::sin(t);
    const double y = 13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t);
    points.push_back({s * s * s, y / 16 + 0.12});
  }
  return points;
}

struct NamedFigure {
  const char* name;
  Figure figure;
};

const std::vector<NamedFigure>& figures() {
  static const std::vector<NamedFigure> all = {
      {"circle", {circle(0.9)}},
      {"ring", {circle(0.95), circle(0.5)}},
      {"square", {arc({0, 0}, 1, pi / 4, 9 * pi / 4, 4)}},
      {"triangle", {arc({0, 0}, 1, pi / 2, 5 * pi / 2, 3)}},
      {"cross", {cross()}},
      {"star", {star()}},
      {"crescent", {crescent()}},
      {"heart", {heart()}},
      {"arrow", {{{0, 1}, {.8, .1}, {.3, .1}, {.3, -.95}, {-.3, -.95}, {-.3, .1}, {-.8, .1}}}},
      {"hourglass", {{{-.7, .85}, {.7, .85}, {.1, 0}, {.7, -.85}, {-.7, -.85}, {-.1, 0}}}},
  };
  return all;
}

/// The figure turned, stretched and moved to where it stands in the image; from here on the unit is a pixel.
Figure place(Figure figure, Point center, Point radius, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  for (Contour& contour : figure) {
    for (Point& p : contour) {
      const double x = p.x * radius.x, y = p.y * radius.y;
      p = {center.x + c * x + s * y, center.y + s * x - c * y};
    }
  }
  return figure;
}

/// Distance from p to the nearest edge, negative inside.
double signed_distance(const Figure& figure, Point p) {
  double nearest = std::numeric_limits<double>::infinity();  // squared
  bool inside = false;
  for (const Contour& contour : figure) {
    Point a = contour.back();
    for (const Point& b : contour) {
      const Point edge{b.x - a.x, b.y - a.y}, to{p.x - a.x, p.y - a.y};
      const double along = (to.x * edge.x + to.y * edge.y) / (edge.x * edge.x + edge.y * edge.y);
      const double t = std::clamp(along, 0.0, 1.0);
      const double x = to.x - t * edge.x, y = to.y - t * edge.y;
      nearest = std::min(nearest, x * x + y * y);
      // A ray to the right crosses the outline an odd number of times if it starts inside.
      if ((a.y > p.y) != (b.y > p.y) && to.x < edge.x * to.y / edge.y) inside = !inside;
      a = b;
    }
  }
  return inside ? -std::sqrt(nearest) : std::sqrt(nearest);
}

// ---- Colours and painting. ----

Color mix(const Color& a, const Color& b, double t) {
  return {a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t};
}

double distance(const Color& a, const Color& b) {
  return std::sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
}

/// A hue of any kind; saturation 0 is grey, 1 is pure.
Color random_color(Generator& random, double least_saturation, double most_saturation) {
  const double hue = random.uniform(0, 2 * pi), value = random.uniform(0.3, 1);
  const double saturation = random.uniform(least_saturation, most_saturation);
  Color color;
  for (int c = 0; c < 3; ++c) {
    const double pure = std::clamp(0.5 + std::cos(hue - c * 2 * pi / 3), 0.0, 1.0);
    color[c] = value * (1 - saturation * (1 - pure));
  }
  return color;
}

/// Two tones in a pattern of one of four kinds: gradient, stripes, checks, dots; of any direction and width.
void paint_background(Canvas& canvas, const Color& one, const Color& other, Generator& random) {
  const std::uint64_t kind = random.below(4);
  const double angle = random.uniform(0, 2 * pi), frequency = 2 * pi / random.uniform(5, 14);
  const double c = std::cos(angle), s = std::sin(angle), phase = random.uniform(0, 2 * pi);
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      const double right = x - side / 2.0, down = y - side / 2.0;
      const double u = c * right + s * down, v = c * down - s * right;
      double t = 0.5 + u / 40;
      if (kind == 1) t = 0.5 + 2 * std::sin(frequency * u + phase);
      if (kind == 2) t = 0.5 + 3 * std::sin(frequency * u + phase) * std::sin(frequency * v);
      if (kind == 3) t = 1.5 * (std::sin(frequency * u + phase) + std::sin(frequency * v)) - 1;
      canvas[y * side + x] = mix(one, other, std::clamp(t, 0.0, 1.0));
    }
  }
}

/// Fills a figure, lighter towards the top and with smooth edges: a pixel that an edge crosses is covered in part.
void paint(Canvas& canvas, const Figure& figure, Point center, double reach, const Color& color) {
  const auto first = [](double v) { return static_cast<std::size_t>(std::clamp(v, 0.0, double(side))); };
  const std::size_t top = first(center.y - reach - 1), bottom = first(center.y + reach + 2);
  const std::size_t left = first(center.x - reach - 1), right = first(center.x + reach + 2);
  for (std::size_t y = top; y < bottom; ++y) {
    for (std::size_t x = left; x < right; ++x) {
      const double coverage = 0.5 - signed_distance(figure, {x + 0.5, y + 0.5});
      if (coverage <= 0) continue;
      const double light = 1 - 0.2 * (y + 0.5 - center.y) / reach;
      const Color shade{color[0] * light, color[1] * light, color[2] * light};
      Color& pixel = canvas[y * side + x];
      pixel = mix(pixel, shade, std::min(coverage, 1.0));
    }
  }
}

/// Rounds to bytes, with noise of a triangular distribution in (−amplitude, amplitude).
void store(const Canvas& canvas, double amplitude, Generator& random, std::uint8_t* image) {
  for (const Color& color : canvas) {
    std::uint64_t bits = random.next();  // two numbers of ten bits for each channel
    for (double value : color) {
      const double noise = (static_cast<double>(bits & 1023) + static_cast<double>(bits >> 10 & 1023)) / 1023 - 1;
      bits >>= 20;
      *image++ = static_cast<std::uint8_t>(std::clamp(value + amplitude * noise, 0.0, 1.0) * 255 + 0.5);
    }
  }
}

void draw(const Figure& figure, Generator random, std::uint8_t* image) {
  const Color color = random_color(random, 0.4, 1);
  // The background's tones: different from the figure's colour, and not too different from each other.
  Color one, other;
  do {
    one = random_color(random, 0, 0.8);
    const Color away = random_color(random, 0, 0.8);
    other = mix(one, away, random.uniform(0.15, 0.5));
  } while (distance(color, one) < 0.5 || distance(color, other) < 0.5);

  Canvas canvas;
  paint_background(canvas, one, other, random);
  for (std::uint64_t spots = random.below(4); spots > 0; --spots) {
    const Point center{random.uniform(0, side), random.uniform(0, side)};
    const double radius = random.uniform(1, 2.5);
    paint(canvas, {arc(center, radius, 0, 2 * pi, 8)}, center, radius, random_color(random, 0.2, 1));
  }

  const double reach = random.uniform(8, 13), angle = random.uniform(-0.6, 0.6);
  const Point center{random.uniform(reach, side - reach), random.uniform(reach, side - reach)};
  Point radius{reach * random.uniform(0.85, 1), reach * random.uniform(0.85, 1)};
  if (random.below(2) == 1) radius.x = -radius.x;  // its mirror image
  paint(canvas, place(figure, center, radius, angle), center, 1.1 * reach, color);
  store(canvas, random.uniform(0.02, 0.1), random, image);
}

}  // namespace

Dataset make_shapes(std::size_t n, std::uint64_t seed, bool train) {
  require(n > 0, "make_shapes: expected at least 1 image, got 0");
  require_size("make_shapes", "number of images", n);
  Dataset dataset;
  for (const NamedFigure& figure : figures()) dataset.class_names.push_back(figure.name);
  dataset.images.resize(n * dataset.image_size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t label = i % dataset.classes();
    Generator random(seed, train ? train_stream : test_stream, 0, i);
    draw(figures()[label].figure, random, dataset.images.data() + i * dataset.image_size());
    dataset.labels.push_back(static_cast<std::int64_t>(label));
  }
  return dataset;
}

}  // namespace xtg::nn
