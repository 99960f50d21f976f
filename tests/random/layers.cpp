#include <algorithm>
#include <limits>
#include <optional>

#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/dropout.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/shaping.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "nn/train/classification_loss.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

using testing::broadcast_offset;

constexpr Real kEpsilon = std::numeric_limits<Scalar>::epsilon(), kDouble = std::numeric_limits<double>::epsilon();

// ------------------------------------------------------------------------------------- convolutions and pooling

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

/// Whether an element is 0 but for rounding, so that a relu behind it may go either way.
bool near_zero(const Answer& z, double ulps) {
  for (std::size_t i = 0; i < z.y.size(); ++i)
    if (std::abs(z.y[i]) < ulps * kEpsilon * z.scale[i]) return true;
  return false;
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
  c.reference = [g, places = patches(g)](const std::vector<Numbers>& x) {
    const std::size_t n = count(g.input_shape());
    Answer answer{g.input_shape(), std::vector<Real>(n, 0), std::vector<Real>(n, 0)};
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].nowhere) continue;
      answer.y[places[i].offset] += x[0].v[i];
      answer.scale[places[i].offset] += std::abs(x[0].v[i]);
    }
    return answer;
  };
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

void images(std::vector<Operation>& rows) {
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
}

// ---------------------------------------------------------------------------------------------------------- norms

/// What a norm does, element by element: set[i] is where x_i is normalized, affine[i] which gamma and beta it gets.
struct NormPlan {
  std::vector<std::size_t> set, affine;
  std::size_t sets = 0;
  double eps = 0;
  std::optional<std::vector<Real>> mean, var;  // given ones, for evaluation mode
  bool has_affine = false, relu = false, residual = false;
};

struct Statistics {
  std::vector<Real> n, mean, var;
};

Statistics statistics(const std::vector<Real>& x, const std::vector<std::size_t>& set, std::size_t sets) {
  Statistics s{std::vector<Real>(sets, 0), std::vector<Real>(sets, 0), std::vector<Real>(sets, 0)};
  for (const std::size_t k : set) s.n[k] += 1;
  for (std::size_t i = 0; i < x.size(); ++i) s.mean[set[i]] += x[i];
  for (std::size_t k = 0; k < sets; ++k) s.mean[k] /= s.n[k];
  for (std::size_t i = 0; i < x.size(); ++i)
    s.var[set[i]] += (x[i] - s.mean[set[i]]) * (x[i] - s.mean[set[i]]) / s.n[set[i]];
  return s;
}

Answer norm_of(const std::vector<Numbers>& in, const NormPlan& plan) {
  Statistics s;
  if (plan.mean)
    s = {{}, *plan.mean, *plan.var};
  else
    s = statistics(in[0].v, plan.set, plan.sets);
  Answer answer{in[0].shape, {}};
  for (std::size_t i = 0; i < in[0].v.size(); ++i) {
    const std::size_t k = plan.set[i];
    const Real rstd = 1 / std::sqrt(s.var[k] + plan.eps), x = in[0].v[i];
    const Real gamma = plan.has_affine ? in[1].v[plan.affine[i]] : 1,
               beta = plan.has_affine ? in[2].v[plan.affine[i]] : 0;
    // The mean is made of numbers of about √(mean² + var), and rounded.
    const Real size = std::abs(x) + std::abs(s.mean[k]) + std::sqrt(s.var[k]);
    Real y = gamma * (x - s.mean[k]) * rstd + beta, scale = std::abs(gamma) * rstd * size + std::abs(beta);
    if (plan.residual) {
      y += in.back().v[i];
      scale += std::abs(in.back().v[i]);
    }
    if (plan.relu && y <= 0) y = 0;
    answer.y.push_back(y);
    answer.scale.push_back(scale);
  }
  return answer;
}

using Norm = std::function<Variable(const Variable& x, const Variable& gamma, const Variable& beta,
                                    const nn::Epilogue& epilogue)>;

/// Adds gamma, beta and epilogue to a plan that says how x is cut.
Case norm(Draw& r, const std::string& call, const Norm& f, const Shape& x, const Shape& affine, NormPlan plan) {
  Case c;
  plan.has_affine = r.chance(0.7);
  plan.relu = r.chance(0.4);
  plan.residual = plan.relu && r.chance(0.5);
  const std::string arguments = plan.has_affine ? "x1, x2" : "None, None";
  c.call = fmt::format(call, arguments, plan.eps,
                       fmt::format("{}, {}", truth(plan.relu),
                                   !plan.residual    ? "None"
                                   : plan.has_affine ? "x3"
                                                     : "x1"));
  c.function = [=](V v) {
    nn::Epilogue epilogue{plan.relu, plan.residual ? v.back() : Variable()};
    return plan.has_affine ? f(v[0], v[1], v[2], epilogue) : f(v[0], Variable(), Variable(), epilogue);
  };
  c.inputs = {r.values(x)};
  const Kind kind = r.kind;
  c.reach = {reach_of(c.inputs[0], kind)};
  r.kind = kind == Kind::Integers ? kind : Kind::Normal;
  std::vector<Shape> others;
  if (plan.has_affine) others = {affine, affine};
  if (plan.residual) others.push_back(x);
  for (const Shape& shape : others) {
    c.inputs.push_back(r.values(shape));
    c.reach.push_back(reach_of(c.inputs.back(), r.kind));
  }
  c.reference = [plan](const std::vector<Numbers>& in) { return norm_of(in, plan); };
  NormPlan without_relu = plan;
  without_relu.relu = false;
  if (plan.relu && near_zero(norm_of(numbers_of(c.inputs), without_relu), 1000)) c.differences = false;
  c.ulps = 32;
  c.gradient_ulps = 128;
  // What cancels in dx, and what the mean's rounding does.
  Real largest = 0, steepest = 0, gamma = 1, fewest = HUGE_VALL;
  const std::vector<Real> all(c.inputs[0].begin(), c.inputs[0].end());
  const Statistics s = statistics(all, plan.set, plan.sets);
  for (const Real v : all) largest = std::max(largest, std::abs(v));
  for (std::size_t k = 0; k < plan.sets; ++k) {
    steepest = std::max(steepest, 1 / std::sqrt((plan.var ? (*plan.var)[k] : s.var[k]) + plan.eps));
    fewest = std::min(fewest, s.n[k]);
  }
  if (plan.has_affine)
    for (const Scalar v : c.inputs[1]) gamma = std::max(gamma, std::abs(real(v)));
  const Real rounding = 1 + steepest * largest;
  c.slack = {constant_of(c.inputs[0], 4 * gamma * steepest * rounding)};
  if (plan.has_affine)
    c.slack.push_back(
        constant_of(c.inputs[1], rounding * static_cast<Real>(count(x)) / static_cast<Real>(count(affine))));
  // Where the deviations are below √eps or cancel, the function bends within less than they are.
  if (kind != Kind::Normal || fewest < 4 || rounding > 10) c.order = 1;
  return c;
}

double draw_eps(Draw& r) { return r.one_of(std::vector<double>{1e-5, 1e-3, 0.1}); }

void choose_norm(Draw& r) { r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large}); }

Case draw_batch_norm(Draw& r) {
  choose_norm(r);
  Shape x = r.shape(2, 5, false);
  if (count(x) == x.back()) x[0] += 2;
  NormPlan plan;
  const std::size_t C = x.back();
  for (std::size_t i = 0; i < count(x); ++i) plan.set.push_back(i % C);
  plan.affine = plan.set;
  plan.sets = C;
  plan.eps = draw_eps(r);
  return norm(
      r, "batch_norm(x0, {}, {}, {})",
      [eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::batch_norm(in, gamma, beta, eps, std::nullopt, epilogue);
      },
      x, {C}, plan);
}

Case draw_batch_norm_eval(Draw& r) {
  r.choose({Kind::Integers, Kind::Small, Kind::Large});
  const Shape x = r.shape(2, 5, false);
  NormPlan plan;
  const std::size_t C = x.back();
  for (std::size_t i = 0; i < count(x); ++i) plan.set.push_back(i % C);
  plan.affine = plan.set;
  plan.sets = C;
  plan.eps = draw_eps(r);
  const Tensor mean = random_normal({C}, r.generator), var = random_uniform({C}, r.generator, 0.1, 3);
  plan.mean.emplace(mean.begin(), mean.end());
  plan.var.emplace(var.begin(), var.end());
  return norm(
      r, fmt::format("batch_norm_eval(x0, {{}}, {}, {}, {{}}, {{}})", text(mean), text(var)),
      [=, eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::batch_norm_eval(in, gamma, beta, mean, var, eps, epilogue);
      },
      x, {C}, plan);
}

Case draw_layer_norm(Draw& r) {
  choose_norm(r);
  const Shape x = r.shape(1, 5, false);
  const std::size_t axes = 1 + r.below(x.size());
  const bool last_alone = r.chance(0.5);
  const Shape normalized(x.end() - static_cast<std::ptrdiff_t>(axes), x.end());
  const Shape affine = last_alone ? Shape{x.back()} : normalized;
  NormPlan plan;
  for (std::size_t i = 0; i < count(x); ++i) {
    plan.set.push_back(i / count(normalized));
    plan.affine.push_back(i % count(affine));
  }
  plan.sets = count(x) / count(normalized);
  plan.eps = draw_eps(r);
  return norm(
      r, fmt::format("layer_norm(x0, {{}}, {}, {{}}, {{}})", axes),
      [axes, eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::layer_norm(in, gamma, beta, axes, eps, epilogue);
      },
      x, affine, plan);
}

/// Group norm, and instance norm, which has as many groups as channels.
NormPlan groups_of(const Shape& x, std::size_t groups) {
  NormPlan plan;
  const std::size_t C = x.back(), sample = count(x) / x[0];
  for (std::size_t i = 0; i < count(x); ++i) {
    plan.set.push_back(i / sample * groups + i % C / (C / groups));
    plan.affine.push_back(i % C);
  }
  plan.sets = x[0] * groups;
  return plan;
}

Case draw_instance_norm(Draw& r) {
  choose_norm(r);
  Shape x = r.shape(3, 5, false);
  if (count(x) == x[0] * x.back()) x[1] += 1 + r.below(4);
  NormPlan plan = groups_of(x, x.back());
  plan.eps = draw_eps(r);
  return norm(
      r, "instance_norm(x0, {}, {}, {})",
      [eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::instance_norm(in, gamma, beta, eps, std::nullopt, epilogue);
      },
      x, {x.back()}, plan);
}

Case draw_group_norm(Draw& r) {
  choose_norm(r);
  Shape x = r.shape(2, 5, false);
  const std::size_t groups = 1 + r.below(3);
  if (x.back() % groups != 0) x.back() = groups * (1 + r.below(4));
  NormPlan plan = groups_of(x, groups);
  plan.eps = draw_eps(r);
  return norm(
      r, fmt::format("group_norm(x0, {{}}, {}, {{}}, {{}})", groups),
      [groups, eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::group_norm(in, gamma, beta, groups, eps, epilogue);
      },
      x, {x.back()}, plan);
}

/// The running mean and variance after a batch, one behind the other.
Case running_statistics(Draw& r, bool instance) {
  r.choose({Kind::Integers, Kind::Offset});
  Shape x = r.shape(3, 5, false);
  if (count(x) == x[0] * x.back()) x[1] += 1 + r.below(4);
  const std::size_t C = x.back();
  const double momentum = r.one_of(std::vector<double>{0.1, 0.5, 1, 0});
  const Tensor mean = random_normal({C}, r.generator), var = random_uniform({C}, r.generator, 0.1, 3);
  Case c;
  c.call = fmt::format("running_statistics_of_{}_norm(x0, {}, {}, {})", instance ? "instance" : "batch", text(mean),
                       text(var), momentum);
  c.function = [=](V v) {
    Tensor new_mean = mean, new_var = var;
    const nn::RunningStatistics running{new_mean, new_var, momentum};
    if (instance)
      nn::instance_norm(v[0], Variable(), Variable(), 1e-5, running);
    else
      nn::batch_norm(v[0], Variable(), Variable(), 1e-5, running);
    return concatenate({Variable(new_mean), Variable(new_var)}, 0);
  };
  c.inputs = {r.values(x)};
  NormPlan plan = groups_of(x, C);
  if (!instance) {
    for (std::size_t& s : plan.set) s %= C;
    plan.sets = C;
  }
  c.reference = [=](const std::vector<Numbers>& in) {
    const Statistics s = statistics(in[0].v, plan.set, plan.sets);
    Answer answer{{2 * C}, std::vector<Real>(2 * C, 0), std::vector<Real>(2 * C, 0)};
    const Real samples = static_cast<Real>(plan.sets / C);
    for (std::size_t k = 0; k < plan.sets; ++k) {
      answer.y[k % C] += momentum * s.mean[k] / samples;
      answer.scale[k % C] += momentum * (std::abs(s.mean[k]) + 4 * std::sqrt(s.var[k])) / samples;
      const Real weight = momentum * s.n[k] / (s.n[k] - 1) / samples, mean = std::abs(s.mean[k]);
      answer.y[C + k % C] += weight * s.var[k];
      // By hand the squares are about a mean that is a Scalar, in the kernel about one that is a double.
      answer.scale[C + k % C] +=
          weight * (3 * s.var[k] + kEpsilon * mean * mean / 16 + mean * std::sqrt(s.var[k]) * (kDouble / kEpsilon));
    }
    for (std::size_t k = 0; k < C; ++k) {
      answer.y[k] += (1 - static_cast<Real>(momentum)) * real(mean.data()[k]);
      answer.y[C + k] += (1 - static_cast<Real>(momentum)) * real(var.data()[k]);
      answer.scale[k] += std::abs(real(mean.data()[k]));
      answer.scale[C + k] += answer.y[C + k];
    }
    return answer;
  };
  c.ulps = 16;
  c.order = 0;
  return c;
}

void norms(std::vector<Operation>& rows) {
  rows.push_back({"batch_norm", draw_batch_norm});
  rows.push_back({"batch_norm_eval", draw_batch_norm_eval});
  rows.push_back({"layer_norm", draw_layer_norm});
  rows.push_back({"instance_norm", draw_instance_norm});
  rows.push_back({"group_norm", draw_group_norm});
  rows.push_back({"batch_norm running statistics", [](Draw& r) { return running_statistics(r, false); }});
  rows.push_back({"instance_norm running statistics", [](Draw& r) { return running_statistics(r, true); }});
}

// --------------------------------------------------------------------------------------------------------- losses

/// The largest of n numbers m, and Σ exp(x − m) of the others.
std::pair<Real, Real> about_largest(const Real* x, std::size_t n) {
  const Real* const largest = std::max_element(x, x + n);
  Real rest = *largest - *largest;  // NaN if it is infinite
  for (const Real* v = x; v < x + n; ++v)
    if (v != largest) rest += std::exp(*v - *largest);
  return {*largest, rest};
}

/// The size of a rounding of the x − m in it, which are about log(rest).
Real rounding_of(Real rest) { return rest > 0 && rest < 1 ? rest * std::abs(std::log(rest)) : 0; }

Case softmaxes(Draw& r, bool logarithm) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite});
  const Shape x = r.shape(1, 4, false);
  const int axis = r.axis(x.size());
  Shape kept = x;
  kept[static_cast<std::size_t>(axis < 0 ? axis + static_cast<int>(x.size()) : axis)] = 1;
  Case c;
  c.call = fmt::format("{}(x0, {})", logarithm ? "log_softmax" : "softmax", axis);
  c.function = [=](V v) { return logarithm ? log_softmax(v[0], axis) : softmax(v[0], axis); };
  c.inputs = {r.values(x)};
  c.reach = {reach_of(c.inputs[0], Kind::Normal)};
  std::vector<std::size_t> set;
  for (std::size_t i = 0; i < count(x); ++i) set.push_back(broadcast_offset(i, x, kept));
  c.reference = [=](const std::vector<Numbers>& in) {
    std::vector<std::vector<Real>> sets(count(kept));
    for (std::size_t i = 0; i < set.size(); ++i) sets[set[i]].push_back(in[0].v[i]);
    Answer answer{x, {}};
    for (std::size_t i = 0; i < set.size(); ++i) {
      const auto [largest, rest] = about_largest(sets[set[i]].data(), sets[set[i]].size());
      const Real z = in[0].v[i] - largest, y = std::exp(z) / (1 + rest);
      answer.y.push_back(logarithm ? z - std::log1p(rest) : y);
      answer.scale.push_back(logarithm ? std::abs(answer.y.back()) + rounding_of(rest) : y * (1 + std::abs(z)));
    }
    return answer;
  };
  c.ulps = 8;
  c.gradient_ulps = 512;
  return c;
}

/// t·(1 − s) + s/K of K classes.
Real smoothed(Real t, Real s, std::size_t classes) { return t * (1 - s) + s / static_cast<Real>(classes); }

/// A term that does not count is 0.
Real term(Real weight, Real value) { return weight == 0 && std::isinf(value) ? 0 : weight * value; }

/// Logits (N, K) with labels or with targets (N, K).
Case classification(Draw& r, const std::string& name,
                    const std::function<Variable(const Variable&, const Indices&, double)>& with_labels,
                    const std::function<Variable(const Variable&, const Variable&, double)>& with_targets,
                    bool targets_differ, bool sigmoid) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite});
  const Shape x = r.shape(2, 2, false);
  const std::size_t N = x[0], K = x[1];
  const double smoothing = r.chance(0.5) ? 0 : r.one_of(std::vector<double>{0.1, 0.25, 1});
  Case c;
  c.inputs = {r.values(x)};
  c.reach = {reach_of(c.inputs[0], Kind::Normal)};
  Tensor targets(x, 0);
  if (r.chance(0.5)) {
    const Indices labels = r.positions({N}, K);
    for (std::size_t i = 0; i < N; ++i) targets(i, labels.data()[i]) = 1;
    c.call = fmt::format("{}(x0, {}, {})", name, text(labels), smoothing);
    c.function = [=](V v) { return with_labels(v[0], labels, smoothing); };
  } else {
    for (Scalar& t : targets) t = r.chance(0.2) ? Scalar(0) : static_cast<Scalar>(r.generator.uniform(0, 1));
    c.call = fmt::format("{}(x0, {}, {})", name, targets_differ ? "x1" : text(targets), smoothing);
    if (targets_differ) {
      c.inputs.push_back(targets);
      c.reach.push_back(reach_of(targets, Kind::Normal));
    }
    c.function = [=](V v) { return with_targets(v[0], targets_differ ? v[1] : Variable(targets), smoothing); };
  }
  // σ(x) − t and p·Σt − t cancel, but not where t is 1 at one place alone.
  const bool hard =
      smoothing == 0 && std::all_of(targets.begin(), targets.end(), [](Scalar t) { return t == 0 || t == 1; });
  if (!hard) c.slack = {constant_of(c.inputs[0], 1 / static_cast<Real>(N))};
  const std::vector<Real> constant(targets.begin(), targets.end());
  c.reference = [=](const std::vector<Numbers>& in) {
    const std::vector<Real>& t = in.size() > 1 ? in[1].v : constant;
    Answer answer{{}, {0}, {0}};
    for (std::size_t i = 0; i < N; ++i) {
      const Real* row = in[0].v.data() + i * K;
      const auto [largest, rest] = about_largest(row, K);
      for (std::size_t k = 0; k < K; ++k) {
        const Real weight = smoothed(t[i * K + k], smoothing, K), size = std::abs(row[k]);
        const Real loss = sigmoid ? term(row[k] < 0 ? weight : 1 - weight, size) + std::log1p(std::exp(-size))
                                  : -term(weight, row[k] - largest - std::log1p(rest));
        answer.y[0] += loss / static_cast<Real>(N);
        answer.scale[0] += std::abs(loss) / static_cast<Real>(N);
      }
    }
    return answer;
  };
  c.ulps = 16 + static_cast<double>(N * K) / 8;
  c.gradient_ulps = 512;
  return c;
}

/// The mean of a loss for each pair of input and target.
Case pairs(Draw& r, const std::string& call, const Function& f, const std::vector<Kind>& kinds,
           const std::function<Real(Real, Real)>& of) {
  r.choose(kinds);
  const Shape x = r.shape(0, 4, false);
  Case c;
  c.call = call;
  c.function = f;
  c.inputs = {r.values(x), r.values(x)};
  for (const Tensor& input : c.inputs) c.reach.push_back(reach_of(input, r.kind));
  c.reference = [of](const std::vector<Numbers>& in) {
    Answer answer{{}, {0}, {0}};
    for (std::size_t i = 0; i < in[0].v.size(); ++i) {
      const Real loss = of(in[0].v[i], in[1].v[i]) / static_cast<Real>(in[0].v.size());
      answer.y[0] += loss;
      answer.scale[0] += std::abs(loss);
    }
    return answer;
  };
  c.ulps = 8 + static_cast<double>(count(x)) / 8;
  c.gradient_ulps = 64;
  return c;
}

void losses(std::vector<Operation>& rows) {
  rows.push_back({"softmax", [](Draw& r) { return softmaxes(r, false); }});
  rows.push_back({"log_softmax", [](Draw& r) { return softmaxes(r, true); }});
  rows.push_back({"cross_entropy", [](Draw& r) {
                    return classification(
                        r, "cross_entropy",
                        [](const Variable& x, const Indices& labels, double s) { return cross_entropy(x, labels, s); },
                        [](const Variable& x, const Variable& t, double s) { return cross_entropy(x, t, s); }, true,
                        false);
                  }});
  rows.push_back({"classification_loss", [](Draw& r) {
                    const bool sigmoid = r.chance(0.7);
                    const nn::LossKind kind = sigmoid ? nn::LossKind::BinaryCrossEntropy : nn::LossKind::CrossEntropy;
                    return classification(
                        r, sigmoid ? "sigmoid_loss" : "cross_entropy",
                        [kind](const Variable& x, const Indices& labels, double s) {
                          return nn::classification_loss(kind, x, labels, s);
                        },
                        [kind](const Variable& x, const Variable& t, double s) {
                          return nn::classification_loss(kind, x, t.value(), s);
                        },
                        false, sigmoid);
                  }});
  const std::vector<Kind> all = {Kind::Integers, Kind::Offset, Kind::Small, Kind::Large};
  rows.push_back({"mse_loss", [all](Draw& r) {
                    return pairs(
                        r, "mse_loss(x0, x1)", [](V v) { return mse_loss(v[0], v[1]); }, all,
                        [](Real x, Real t) { return (x - t) * (x - t); });
                  }});
  rows.push_back({"l1_loss", [all](Draw& r) {
                    return pairs(
                        r, "l1_loss(x0, x1)", [](V v) { return l1_loss(v[0], v[1]); }, all,
                        [](Real x, Real t) { return std::abs(x - t); });
                  }});
  rows.push_back({"huber_loss", [all](Draw& r) {
                    const auto delta = static_cast<Scalar>(r.one_of(std::vector<double>{1, 0.3, 2.5}));
                    Case c = pairs(
                        r, fmt::format("huber_loss(x0, x1, {})", exact(delta)),
                        [=](V v) { return huber_loss(v[0], v[1], delta); }, all,
                        [=](Real x, Real t) {
                          const Real d = std::abs(x - t), limit = real(delta);
                          return d <= limit ? d * d / 2 : limit * (d - limit / 2);
                        });
                    c.order = 1;  // at delta the second derivative jumps
                    return c;
                  }});
  rows.push_back(
      {"binary_cross_entropy_with_logits", [](Draw& r) {
         Case c = pairs(
             r, "binary_cross_entropy_with_logits(x0, x1)",
             [](V v) { return binary_cross_entropy_with_logits(v[0], v[1]); },
             {Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite},
             [](Real x, Real t) { return term(x < 0 ? t : 1 - t, std::abs(x)) + std::log1p(std::exp(-std::abs(x))); });
         for (Scalar& t : c.inputs[1])
           t = r.chance(0.4) ? static_cast<Scalar>(r.below(2)) : static_cast<Scalar>(r.generator.uniform());
         for (auto& reach : c.reach) std::fill(reach.begin(), reach.end(), 1);
         c.gradient_ulps = 512;
         c.slack = {constant_of(c.inputs[0], 1 / static_cast<Real>(c.inputs[0].size()))};
         return c;
       }});
  rows.push_back({"dropout", [](Draw& r) {
                    r.choose({Kind::Integers, Kind::Small, Kind::Large});
                    const double p = r.one_of(std::vector<double>{0, 0.3, 0.5, 0.99});
                    const std::uint64_t seed = r.below(1000);
                    Case c;
                    c.call = fmt::format("dropout(x0, {}, {})", p, seed);
                    c.function = [=](V v) {
                      Generator generator(seed);
                      return dropout(v[0], p, generator);
                    };
                    c.inputs = {r.values(r.shape(0, 4))};
                    c.reach = {reach_of(c.inputs[0])};
                    c.reference = [=](const std::vector<Numbers>& in) {
                      Generator generator(seed);
                      Answer answer{in[0].shape, {}};
                      for (const Real v : in[0].v) answer.y.push_back(generator.uniform() < p ? 0 : v / (1 - p));
                      return answer;
                    };
                    return c;
                  }});
}

}  // namespace

std::vector<Operation> layer_operations() {
  std::vector<Operation> rows;
  images(rows);
  norms(rows);
  losses(rows);
  return rows;
}

}  // namespace xtg::random_cases
