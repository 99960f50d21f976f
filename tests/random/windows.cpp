#include <algorithm>

#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/shaping.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

/// A geometry that is drawn, with the result's sizes computed here.
Conv2dGeometry draw_geometry(Draw& r, bool square, bool dilates, std::size_t most_padding = 3) {
  while (true) {
    Conv2dGeometry g{};
    const std::size_t most = r.large ? 14 : 6;
    const auto channels = [&] {
      if (r.large && r.chance(0.6)) return r.one_of(std::vector<std::size_t>{16, 32});
      return 1 + r.below(r.large ? 18 : 3);
    };
    g.n = r.chance(0.02) ? 0 : 1 + r.below(3);
    g.h = 1 + r.below(most);
    g.w = 1 + r.below(most);
    g.groups = dilates && r.chance(0.3) ? 2 + r.below(2) : 1;
    g.in = g.groups * channels();
    g.out = g.groups * channels();
    g.kh = 1 + r.below(4);
    g.kw = square ? g.kh : 1 + r.below(4);
    g.stride = 1 + r.below(3);
    g.padding = r.below(most_padding + 1);
    g.dilation = dilates && r.chance(0.3) ? 2 : 1;
    if (r.large && dilates && r.chance(0.3)) {  // which oneDNN may do by Winograd's method
      g.in = g.out = 32;
      g.kh = g.kw = 3;
      g.n = g.stride = g.dilation = g.groups = 1;
    }
    const std::size_t kh = g.dilation * (g.kh - 1) + 1, kw = g.dilation * (g.kw - 1) + 1;
    if (g.h + 2 * g.padding < kh || g.w + 2 * g.padding < kw) continue;
    g.oh = (g.h + 2 * g.padding - kh) / g.stride + 1;
    g.ow = (g.w + 2 * g.padding - kw) / g.stride + 1;
    const std::size_t products = g.n * g.oh * g.ow * g.out * g.kh * g.kw * (g.in / g.groups);
    if (products <= (r.large ? 300000U : 3000U)) return g;
  }
}

/// The places of one product of a convolution.
struct Product {
  std::uint32_t x, w, y;
};

std::vector<Product> products_of(const Conv2dGeometry& g) {
  std::vector<Product> list;
  testing::for_each_product(g, [&](std::size_t x, std::size_t w, std::size_t y) {
    list.push_back({static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(w), static_cast<std::uint32_t>(y)});
  });
  return list;
}

Case draw_conv2d(Draw& r) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large});
  const Conv2dGeometry g = draw_geometry(r, false, true);
  const bool biased = r.chance(0.5), relu = r.chance(0.3);
  Case c;
  c.call = fmt::format("conv2d(x0, x1, {}, {}, {}, {}, {}, {})", biased ? "x2" : "None", g.stride, g.padding,
                       g.dilation, g.groups, truth(relu));
  c.function = [=](V v) {
    return conv2d(v[0], v[1], biased ? v[2] : Variable(), g.stride, g.padding, g.dilation, g.groups, relu);
  };
  c.inputs = {r.values(g.input_shape())};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  const Kind kind = r.kind;
  if (kind != Kind::Integers) r.kind = Kind::Normal;
  c.inputs.push_back(r.values(g.weight_shape()));
  c.reach.push_back(reach_of(c.inputs[1], r.kind));
  if (biased) {
    r.kind = kind;
    c.inputs.push_back(r.values({g.out}));
    c.reach.push_back(reach_of(c.inputs[2], r.kind));
  }
  const auto convolved = [g, list = products_of(g)](const std::vector<Numbers>& x) {
    const std::size_t n = count(g.output_shape());
    Answer answer{g.output_shape(), std::vector<Real>(n, 0), std::vector<Real>(n, 0)};
    for (const Product& p : list) {
      const Real product = x[0].v[p.x] * x[1].v[p.w];
      answer.y[p.y] += product;
      answer.scale[p.y] += std::abs(product);
    }
    for (std::size_t i = 0; i < n && x.size() > 2; ++i) {
      answer.y[i] += x[2].v[i % g.out];
      answer.scale[i] += std::abs(x[2].v[i % g.out]);
    }
    return answer;
  };
  c.reference = [relu, convolved](const std::vector<Numbers>& x) {
    Answer answer = convolved(x);
    for (Real& y : answer.y)
      if (relu && y <= 0) y = 0;
    return answer;
  };
  c.ulps = 4 + static_cast<double>(g.kh * g.kw * g.in / g.groups) / 4;
  c.gradient_ulps = 32 + static_cast<double>(g.n * g.oh * g.ow + g.out * g.kh * g.kw) / 8;
  // Sums of whole numbers are exact, but not by Winograd's method.
  const bool exact = kind == Kind::Integers && std::min(g.in, g.out) < 32;
  if (relu && !exact && near_zero(convolved(numbers_of(c.inputs)), 4 * c.ulps)) c.differences = false;
  return c;
}

/// Where each element of the matrix of patches, (N·OH·OW, KH·KW·C), is in the images.
std::vector<Place> patches(const Conv2dGeometry& g) {
  std::vector<Place> places;
  for (std::size_t n = 0; n < g.n; ++n)
    for (std::size_t i = 0; i < g.oh; ++i)
      for (std::size_t j = 0; j < g.ow; ++j)
        for (std::size_t a = 0; a < g.kh; ++a)
          for (std::size_t b = 0; b < g.kw; ++b)
            for (std::size_t c = 0; c < g.in; ++c) {
              const std::size_t p = i * g.stride + a * g.dilation, q = j * g.stride + b * g.dilation;  // when padded
              const bool inside = p >= g.padding && q >= g.padding && p < g.padding + g.h && q < g.padding + g.w;
              places.push_back(inside ? Place{0, ((n * g.h + p - g.padding) * g.w + q - g.padding) * g.in + c}
                                      : Place{0, 0, true});
            }
  return places;
}

Conv2dGeometry draw_patches(Draw& r) {
  Conv2dGeometry g = draw_geometry(r, false, true);
  g.groups = g.out = 1;
  return g;
}

std::string patches_text(const Conv2dGeometry& g) {
  return fmt::format("{}, [{}, {}], {}, {}, {}", text(g.input_shape()), g.kh, g.kw, g.stride, g.padding, g.dilation);
}

Case draw_unfold(Draw& r) {
  r.choose({Kind::Integers, Kind::Small, Kind::Large, Kind::NotFinite});
  const Conv2dGeometry g = draw_patches(r);
  Case c;
  c.call = fmt::format("unfold(x0, {})", patches_text(g));
  c.function = [g](V v) { return unfold(v[0], g); };
  c.inputs = {r.values(g.input_shape())};
  c.reach = {reach_of(c.inputs[0])};
  c.reference = moved({g.n * g.oh * g.ow, g.kh * g.kw * g.in}, patches(g));
  c.ulps = 0;
  return c;
}

Case draw_fold(Draw& r) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large});
  const Conv2dGeometry g = draw_patches(r);
  Case c;
  c.call = fmt::format("fold(x0, {})", patches_text(g));
  c.function = [g](V v) { return fold(v[0], g); };
  c.inputs = {r.values({g.n * g.oh * g.ow, g.kh * g.kw * g.in})};
  c.reach = {reach_of(c.inputs[0])};
  c.reference = added(g.input_shape(), patches(g));
  return c;
}

/// `of` gets the elements of a window that lie in the image, and how many places the window has.
Case pooling(Draw& r, const std::string& name, Variable (*f)(const Variable&, std::size_t, std::size_t, std::size_t),
             bool padding_by_half,
             const std::function<std::pair<Real, Real>(const std::vector<Real>&, std::size_t)>& of, double ulps) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::NotFinite});
  Conv2dGeometry g = draw_geometry(r, true, false);
  while (padding_by_half && g.padding > g.kh / 2) g = draw_geometry(r, true, false);
  Case c;
  c.call = fmt::format("{}(x0, {}, {}, {})", name, g.kh, g.stride, g.padding);
  c.function = [=](V v) { return f(v[0], g.kh, g.stride, g.padding); };
  c.inputs = {r.values(g.input_shape())};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  g.out = g.in;
  g.groups = g.in;  // each channel by itself
  c.reference = [g, of, list = products_of(g)](const std::vector<Numbers>& x) {
    std::vector<std::vector<Real>> windows(count(g.output_shape()));
    for (const Product& p : list) windows[p.y].push_back(x[0].v[p.x]);
    Answer answer{g.output_shape(), {}};
    for (const std::vector<Real>& window : windows) {
      const auto [y, scale] = of(window, g.kh * g.kw);
      answer.y.push_back(y);
      answer.scale.push_back(scale);
    }
    return answer;
  };
  c.ulps = ulps;
  return c;
}

std::pair<Real, Real> mean_of(const std::vector<Real>& v, std::size_t n) {
  Real total = 0, scale = 0;
  for (const Real x : v) {
    total += x / static_cast<Real>(n);
    scale += std::abs(x) / static_cast<Real>(n);
  }
  return {total, scale};
}

Case draw_global_avg_pool2d(Draw& r) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large});
  const Shape x = r.shape(4, 4, false);
  Case c;
  c.call = "global_avg_pool2d(x0)";
  c.function = [](V v) { return global_avg_pool2d(v[0]); };
  c.inputs = {r.values(x)};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  c.reference = [x](const std::vector<Numbers>& in) {
    const std::size_t n = x[0] * x[3], places = x[1] * x[2];
    std::vector<std::vector<Real>> sets(n);
    for (std::size_t i = 0; i < in[0].v.size(); ++i) sets[i / (places * x[3]) * x[3] + i % x[3]].push_back(in[0].v[i]);
    Answer answer{{x[0], x[3]}, {}};
    for (const std::vector<Real>& set : sets) {
      const auto [y, scale] = mean_of(set, places);
      answer.y.push_back(y);
      answer.scale.push_back(scale);
    }
    return answer;
  };
  return c;
}

}  // namespace

std::vector<Operation> window_operations() {
  std::vector<Operation> rows;
  rows.push_back({"conv2d", draw_conv2d});
  rows.push_back({"unfold", draw_unfold});
  rows.push_back({"fold", draw_fold});
  rows.push_back({"max_pool2d", [](Draw& r) {
                    const auto largest = [](const std::vector<Real>& v, std::size_t) {  // a NaN is it
                      Real y = v[0];
                      for (const Real x : v)
                        if (x > y || std::isnan(x)) y = x;
                      return std::pair<Real, Real>(y, 0);
                    };
                    return pooling(r, "max_pool2d", max_pool2d, true, largest, 0);
                  }});
  rows.push_back({"avg_pool2d", [](Draw& r) { return pooling(r, "avg_pool2d", avg_pool2d, false, mean_of, 4); }});
  rows.push_back({"global_avg_pool2d", draw_global_avg_pool2d});
  return rows;
}

}  // namespace xtg::random_cases
