#pragma once

#include <functional>

#include "drawing.hpp"

/// A block of N × C × HW cells from the front, above and right; the cells of one set are coloured.
inline void draw_block(Drawing& d, Point corner, const char* title, const char* set,
                       const std::function<bool(int n, int c)>& chosen) {
  constexpr int images = 3, channels = 4, places = 4;
  constexpr double cell = 26, back_x = 15, back_y = -11;
  const auto at = [&](double n, double c, double p) {  // image n (0 in front), channel c, place p (0 on top)
    return Point{corner.x + cell * c + back_x * n, corner.y + cell * p + back_y * n};
  };
  const auto face = [&](std::vector<Point> corners, bool in, double shade) {
    d.polygon(corners, in ? kBlue : "white", "#8aa0b8", in ? shade : 1, 1);
  };
  for (int n = images - 1; n >= 0; --n)
    for (int c = 0; c < channels; ++c)
      face({at(n, c, 0), at(n, c + 1, 0), at(n + 1, c + 1, 0), at(n + 1, c, 0)}, chosen(n, c), 0.45);
  for (int n = images - 1; n >= 0; --n)
    for (int p = 0; p < places; ++p)
      face({at(n, channels, p), at(n + 1, channels, p), at(n + 1, channels, p + 1), at(n, channels, p + 1)},
           chosen(n, channels - 1), 0.9);
  for (int c = 0; c < channels; ++c)
    for (int p = 0; p < places; ++p)
      face({at(0, c, p), at(0, c + 1, p), at(0, c + 1, p + 1), at(0, c, p + 1)}, chosen(0, c), 0.65);
  d.text({corner.x + 70, corner.y - 58}, title, kInk, "middle", 16, "font-weight=\"bold\"");
  d.text({corner.x + 70, corner.y + 158}, set, kBlue, "middle", 13);
}

/// The four sets, for page 08.
inline void axis_cube() {
  Drawing d(860, 330);
  const auto corner = [](int i) { return Point{56 + 205.0 * i, 94}; };
  draw_block(d, corner(0), "batch norm", "mean over N, H, W", [](int, int c) { return c == 3; });
  draw_block(d, corner(1), "layer norm", "mean over H, W, C", [](int n, int) { return n == 0; });
  draw_block(d, corner(2), "instance norm", "mean over H, W", [](int n, int c) { return n == 0 && c == 3; });
  draw_block(d, corner(3), "group norm, G = 2", "mean over H, W, C/G", [](int n, int c) { return n == 0 && c >= 2; });
  const Point o = corner(0);
  d.arrow({o.x, o.y + 116}, {o.x + 100, o.y + 116}, kGrey);
  d.text({o.x + 50, o.y + 133}, "channels C", kGrey, "middle", 12);
  d.arrow({o.x - 10, o.y + 4}, {o.x - 10, o.y + 104}, kGrey);
  d.text({o.x - 16, o.y + 58}, "H&#183;W", kGrey, "end", 12);
  d.arrow({o.x - 8, o.y - 8}, {o.x + 34, o.y - 39}, kGrey);
  d.text({o.x - 2, o.y - 28}, "N", kGrey, "end", 12);
  d.text({430, 304}, "Coloured: one set, the numbers that share one mean and one variance.", kInk, "middle", 14);
  d.print();
}
