#include "assignment/grader/group_norm_model.hpp"

#include <cmath>

#include "tensor/create.hpp"

namespace xtg::assignment {
namespace {

// The first places of both lists: which values make a set. Then what is the forward's own, or the backward's.
enum Sets : std::size_t {
  Strided,
  WithBatch,
  CountsAll,
  LayerSets,
  InstanceSets,
  BatchSets,
  FlatCut,
  PlaceSets,
  kSets
};
enum Forward : std::size_t { Unbiased = kSets, NoEps, EpsOutside, NoGamma, NoBeta, Swapped, NoRoot, SecondMoment };
enum Backward : std::size_t {
  GammaPulledOut = kSets,
  NoVariancePath,
  NoMeanPath,
  BothForgotten,
  BackwardNoGamma,
  Sums,
  WrongSign,
  Half,
  BackwardNoEps,
  NoRstd,
  GammaOnlyInMeans,
  BackwardUnbiased,
  RstdSquared
};

struct Sizes {
  std::size_t N, R, C, G;
};

Sizes sizes_of(const Probe& p, std::size_t groups) {
  const std::size_t N = p.x.shape()[0], C = p.x.shape().back();
  return {N, p.x.size() / (N * C), C, groups};
}

std::size_t set_of(std::size_t i, const Sizes& s, Mistakes m) {
  const std::size_t n = i / (s.R * s.C), c = i % s.C, group = c / (s.C / s.G);
  if (made(m, Strided)) return n * s.G + c % s.G;
  if (made(m, WithBatch)) return group;
  if (made(m, LayerSets)) return n;
  if (made(m, InstanceSets)) return n * s.C + c;
  if (made(m, BatchSets)) return c;
  if (made(m, FlatCut)) return n * s.G + i % (s.R * s.C) / (s.R * s.C / s.G);
  if (made(m, PlaceSets)) return i / s.C * s.G + group;
  return n * s.G + group;
}

/// Σ values over each set, over its size.
std::vector<double> set_means(const std::vector<double>& values, const Sizes& s, Mistakes m) {
  std::vector<double> sum(values.size()), n(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum[set_of(i, s, m)] += values[i];
    n[set_of(i, s, m)] += 1;
  }
  for (std::size_t k = 0; k < sum.size(); ++k) sum[k] /= made(m, CountsAll) ? n[k] * static_cast<double>(s.G) : n[k];
  return sum;
}

std::vector<double> doubles(const Tensor& x) { return {x.begin(), x.end()}; }

struct Normalized {
  std::vector<double> x_hat, rstd;  // of each element, and of its set, by element
};

Normalized normalized(const Probe& p, const Sizes& s, Mistakes m, bool forward) {
  const std::vector<double> x = doubles(p.x), mean = set_means(x, s, m);
  std::vector<double> squares(x.size());
  const auto has = [&](std::size_t mistake) { return forward && made(m, mistake); };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double centred = has(SecondMoment) ? x[i] : x[i] - mean[set_of(i, s, m)];
    squares[i] = centred * centred;
  }
  const std::vector<double> variance = set_means(squares, s, m);
  const auto size = static_cast<double>(s.R * s.C / s.G);
  Normalized result{std::vector<double>(x.size()), std::vector<double>(x.size())};
  for (std::size_t i = 0; i < x.size(); ++i) {
    double v = variance[set_of(i, s, m)];
    if (has(Unbiased)) v *= size / (size - 1);
    const double eps = has(NoEps) ? 0 : p.eps;
    result.rstd[i] = has(EpsOutside) ? 1 / (std::sqrt(v) + eps) : has(NoRoot) ? 1 / (v + eps) : 1 / std::sqrt(v + eps);
    result.x_hat[i] = (x[i] - mean[set_of(i, s, m)]) * result.rstd[i];
    if (!forward && made(m, BackwardNoEps)) result.rstd[i] = 1 / std::sqrt(v);
  }
  return result;
}

/// What both lists begin with.
std::vector<Mistake> with_sets(const std::vector<Mistake>& own) {
  std::vector<Mistake> all = {
      {"G2", "the groups are strided: channels 0, 2, 4, … together. A group is a run of neighbours."},
      {"G3",
       "the batch axis is in the sets: what one image becomes depends on the others. Group norm has statistics for "
       "each image."},
      {"G4", "the means are divided by the number of all channels' values: how many does one group have?"},
      {"G5", "this is layer norm: each image has one set. Into how many is it to be cut?"},
      {"G5", "this is instance norm: each channel has its own set. Which channels share one?"},
      {"G5", "this is batch norm: each channel has one set over all images."},
      {"G6",
       "an image's memory is cut into `groups` pieces. Channels are the last axis, so those pieces are rows of "
       "pixels: give the groups an axis of their own, next to the channels."},
      {"G8", "each pixel has statistics of its own: the places (H, W) belong to the set, too."}};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

}  // namespace

const std::vector<Mistake> kGroupForwardMistakes = with_sets({
    {"F1", "the variance is divided by the number of values − 1 (xtg::variance does so unless told otherwise)."},
    {"F4", "eps is missing."},
    {"F3", "eps is added after the root."},
    {"F9", "gamma is missing."},
    {"F10", "beta is missing."},
    {"F7", "gamma and beta have changed places."},
    {"F2", "the centred x is divided by the variance, not by its root."},
    {"F6", "the variance is taken about 0, not about the mean."},
});

const std::vector<Mistake> kGroupBackwardMistakes = with_sets({
    {"G1",
     "gamma is pulled out of the means. That is allowed where it is one number for the whole set, as in batch norm; "
     "here it varies within the set."},
    {"B1", "the path through the variance is missing."},
    {"B2", "the path through the mean is missing.", "Σ dx over a set is not 0."},
    {"B3", "mean and variance are taken for constants."},
    {"B4", "gamma is missing in dx."},
    {"B5", "the means over the set are sums: how much does the mean change if one x does?"},
    {"B8", "the term through the variance has the wrong sign."},
    {"B9", "the term through the variance is half of what it should be: what is the derivative of (x − mean)²?"},
    {"B10", "the backward leaves eps out, which the forward has."},
    {"B11", "the factor rstd is missing."},
    {"B14", "gamma is missing in the direct term, and is there in the means."},
    {"B6", "the means are divided by the size of the set − 1: which divisor has the forward?"},
    {"B11", "the factor rstd is there twice."},
});

Probe group_probe(double eps) {
  Probe wide = random_probe(3 * 4 * 7, 10, 61, eps);
  const Shape shape = {3, 4, 7, 10};
  Tensor x(shape), dy(shape);
  // Images of different offsets, so that statistics over the batch are others.
  for (std::size_t i = 0; i < x.size(); ++i) {
    x.data()[i] = wide.x.data()[i] + static_cast<Scalar>(i / 280);
    dy.data()[i] = wide.dy.data()[i];
  }
  return {x, wide.gamma, wide.beta, dy, eps};
}

Tensor group_forward_model(const Probe& p, std::size_t groups, Mistakes m) {
  const Sizes s = sizes_of(p, groups);
  const Normalized norm = normalized(p, s, m, true);
  Tensor y(p.x.shape());
  for (std::size_t i = 0; i < y.size(); ++i) {
    auto gamma = static_cast<double>(p.gamma.data()[i % s.C]), beta = static_cast<double>(p.beta.data()[i % s.C]);
    if (made(m, Swapped)) std::swap(gamma, beta);
    if (made(m, NoGamma)) gamma = 1;
    if (made(m, NoBeta)) beta = 0;
    y.data()[i] = static_cast<Scalar>(gamma * norm.x_hat[i] + beta);
  }
  return y;
}

Tensor group_backward_model(const Probe& p, std::size_t groups, Mistakes m) {
  const Sizes s = sizes_of(p, groups);
  const Normalized norm = normalized(p, s, m, false);
  const auto size = static_cast<double>(s.R * s.C / s.G);
  std::vector<double> d(p.x.size()), d_hat(p.x.size());
  const auto gamma_of = [&](std::size_t i) { return static_cast<double>(p.gamma.data()[i % s.C]); };
  const auto dy_of = [&](std::size_t i) { return static_cast<double>(p.dy.data()[i]); };
  for (std::size_t i = 0; i < d.size(); ++i) {
    d[i] = dy_of(i) * (made(m, GammaPulledOut) || made(m, BackwardNoGamma) ? 1 : gamma_of(i));
    d_hat[i] = d[i] * norm.x_hat[i];
  }
  const std::vector<double> mean = set_means(d, s, m), mean_hat = set_means(d_hat, s, m);
  Tensor dx(p.x.shape());
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const std::size_t set = set_of(i, s, m);
    double by_mean = 1, by_variance = 1;
    if (made(m, NoVariancePath) || made(m, BothForgotten)) by_variance = 0;
    if (made(m, NoMeanPath) || made(m, BothForgotten)) by_mean = 0;
    if (made(m, Sums)) by_mean *= size, by_variance *= size;
    if (made(m, BackwardUnbiased)) by_mean *= size / (size - 1), by_variance *= size / (size - 1);
    if (made(m, WrongSign)) by_variance = -by_variance;
    if (made(m, Half)) by_variance /= 2;
    const double direct = made(m, GammaOnlyInMeans) ? dy_of(i) : d[i];
    double value = direct - by_mean * mean[set] - by_variance * norm.x_hat[i] * mean_hat[set];
    if (!made(m, NoRstd)) value *= norm.rstd[i];
    if (made(m, RstdSquared)) value *= norm.rstd[i];
    if (made(m, GammaPulledOut)) value *= gamma_of(i);
    dx.data()[i] = static_cast<Scalar>(value);
  }
  return dx;
}

std::pair<Tensor, Tensor> group_parameter_gradients(const Probe& p, std::size_t groups) {
  const Sizes s = sizes_of(p, groups);
  const Normalized norm = normalized(p, s, 0, true);
  std::pair<Tensor, Tensor> result{zeros({s.C}), zeros({s.C})};
  for (std::size_t i = 0; i < p.dy.size(); ++i) {
    result.first.data()[i % s.C] += p.dy.data()[i] * static_cast<Scalar>(norm.x_hat[i]);
    result.second.data()[i % s.C] += p.dy.data()[i];
  }
  return result;
}

}  // namespace xtg::assignment
