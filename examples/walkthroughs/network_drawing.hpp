#pragma once

// The drawings of page 09.

#include <algorithm>
#include <array>

#include "drawing.hpp"

/// A residual block: the branch on top, the shortcut below.
inline void draw_block() {
  Drawing d(860, 190);
  constexpr double top = 50, height = 40, middle = top + height / 2;
  const std::array<const char*, 5> layers = {"conv 3&#215;3", "norm", "relu", "conv 3&#215;3", "norm"};
  double x = 110;
  d.text({36, middle + 5}, "x", kInk, "middle", 18);
  d.arrow({50, middle}, {x - 1, middle});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    d.box({x, top}, 92, height);
    d.text({x + 46, middle + 5}, layers[i]);
    if (i + 1 < layers.size()) d.arrow({x + 92, middle}, {x + 113, middle});
    x += 114;
  }
  x += 10;
  d.arrow({x - 32, middle}, {x - 1, middle});
  d.box({x, top}, height, height, "#fff4ee", kOrange);
  d.text({x + height / 2, middle + 6}, "+", kOrange, "middle", 20);
  d.arrow({x + height, middle}, {x + height + 21, middle});
  d.box({x + height + 22, top}, 60, height);
  d.text({x + height + 52, middle + 5}, "relu");
  d.arrow({x + height + 82, middle}, {x + height + 110, middle});
  d.line({78, middle}, {78, 140}, kOrange, 2);
  d.line({78, 140}, {x + height / 2, 140}, kOrange, 2);
  d.arrow({x + height / 2, 140}, {x + height / 2, top + height + 1}, kOrange, 2);
  d.text({390, 162}, "shortcut: x itself; where the shape changes, every second row and column, zeros for new channels",
         kOrange, "middle", 13);
  d.text({390, 32}, "branch", kBlue);
  d.print();
}

/// The sizes of the maps through the four stages of a ResNet-18, to scale.
inline void draw_stems() {
  Drawing d(860, 400);
  const auto row = [&](double y, const char* name, const std::vector<std::pair<const char*, int>>& maps) {
    d.text({20, y - 12}, name, kInk, "start", 15, "font-weight=\"bold\"");
    double x = 20;
    for (const auto& [label, size] : maps) {
      const double side = 3.6 * size, width = std::max(side, 62.0), middle = x + width / 2, top = y + 58 - side / 2;
      d.polygon({{middle - side / 2, top},
                 {middle + side / 2, top},
                 {middle + side / 2, top + side},
                 {middle - side / 2, top + side}},
                size == 1 ? kOrange : "#e3edf8", size == 1 ? kOrange : kBlue);
      d.text({middle, y + 134}, fmt::format("{0}&#215;{0}", size), size == 1 ? kOrange : kInk, "middle", 13);
      d.text({middle, y + 151}, label, kGrey, "middle", 12);
      x += width + 16;
    }
  };
  row(40, "CIFAR stem: a 3&#215;3 convolution",
      {{"image", 32}, {"conv1", 32}, {"stage 1", 32}, {"stage 2", 16}, {"stage 3", 8}, {"stage 4", 4}});
  row(236, "ImageNet's stem: a 7&#215;7 convolution with stride 2, then max-pooling with stride 2",
      {{"image", 32}, {"conv1", 16}, {"pooling", 8}, {"stage 1", 8}, {"stage 2", 4}, {"stage 3", 2}, {"stage 4", 1}});
  d.print();
}
