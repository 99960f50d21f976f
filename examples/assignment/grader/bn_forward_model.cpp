#include "assignment/grader/bn_forward_model.hpp"

#include <cmath>
#include <stdexcept>

#include "tensor/create.hpp"
#include "tensor/shape.hpp"

namespace xtg::assignment {
namespace {

// The places in the lists below.
enum Forward : std::size_t {
  UnbiasedVariance,
  NoRoot,
  EpsOutside,
  NoEps,
  RowStatistics,
  GlobalStatistics,
  NotCentredVariance,
  AbsoluteDeviation,
  Swapped,
  RunningInTraining,
  NoGamma,
  NoBeta,
  NotCentred,
  Multiplied,
  SumForVariance,
  SumForMean,
  CountsImages,
  FirstAxisOnly,
  PerImage,
  ShiftedFirst,
  EpsAddedToRoot,
  PerSample,
  ChannelsFirst,
  UpdatedInTraining,
  ZeroMean,
  ZeroStatistics
};
enum Evaluation : std::size_t {
  BatchStatistics,
  EvalNoEps,
  EvalNoRoot,
  EvalEpsOutside,
  EvalIsStddev,
  EvalNoGamma,
  EvalNoBeta,
  EvalSwapped,
  EvalNotCentred,
  EvalBiasCorrected,
  EvalBatchMean,
  EvalBatchVariance,
  EvalMixed,
  EvalChannelsFirst
};
enum Update : std::size_t {
  Reversed,
  BiasedRunning,
  OldForgotten,
  StoresStddev,
  Overwritten,
  Never,
  OldNotScaled,
  NewNotScaled,
  StoresWithEps,
  StoresRstd,
  SwappedRunning,
  RunningCountsImages,
  UnbiasedInverse,
  UnbiasedMean,
  RunningCountsAll
};

/// The channel of element i.
std::size_t channel_of(std::size_t i, const Shape& shape, Mistakes m) {
  return made(m, ChannelsFirst) ? i / (count(shape) / shape.back()) : i % shape.back();
}

/// Which set of values an element is normalized with.
std::size_t set_of(std::size_t i, const Shape& shape, Mistakes m) {
  const std::size_t C = shape.back(), places = count(shape) / shape[0];
  if (made(m, RowStatistics)) return i / C;
  if (made(m, GlobalStatistics)) return 0;
  if (made(m, FirstAxisOnly)) return i % places;
  if (made(m, PerImage) && shape.size() > 2) return i / places * C + i % C;
  if (made(m, PerSample) && shape.size() > 2) return i / places;
  return channel_of(i, shape, m);
}

/// Whether there are more sets than channels.
bool sets_of_their_own(Mistakes m) {
  return made(m, RowStatistics) || made(m, PerImage) || made(m, PerSample) || made(m, FirstAxisOnly);
}

struct Statistics {
  std::vector<double> mean, variance;
};

Statistics statistics(const Tensor& x, Mistakes m) {
  std::vector<double> n(x.size()), mean(x.size()), variance(x.size());
  const auto set = [&](std::size_t i) { return set_of(i, x.shape(), m); };
  for (std::size_t i = 0; i < x.size(); ++i) {
    n[set(i)] += 1;
    mean[set(i)] += static_cast<double>(x.data()[i]);
  }
  const auto images = static_cast<double>(x.shape()[0]);
  for (std::size_t s = 0; s < n.size(); ++s) mean[s] /= made(m, SumForMean) ? 1 : made(m, CountsImages) ? images : n[s];
  if (made(m, ZeroMean) || made(m, ZeroStatistics)) mean.assign(mean.size(), 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double centred = static_cast<double>(x.data()[i]) - (made(m, NotCentredVariance) ? 0 : mean[set(i)]);
    variance[set(i)] += made(m, AbsoluteDeviation) ? std::abs(centred) : centred * centred;
  }
  for (std::size_t s = 0; s < n.size(); ++s) {
    variance[s] /= made(m, SumForVariance)     ? 1
                   : made(m, UnbiasedVariance) ? n[s] - 1
                   : made(m, CountsImages)     ? images
                                               : n[s];
    if (made(m, AbsoluteDeviation)) variance[s] *= variance[s];  // its root is the mean absolute deviation
  }
  if (made(m, ZeroStatistics)) variance.assign(variance.size(), 0);
  return {mean, variance};
}

double scale(double variance, double eps, Mistakes m) {
  const double stddev = made(m, NoRoot)           ? variance + eps
                        : made(m, EpsOutside)     ? std::sqrt(variance) + eps
                        : made(m, NoEps)          ? std::sqrt(variance)
                        : made(m, EpsAddedToRoot) ? std::sqrt(variance + eps) + eps
                                                  : std::sqrt(variance + eps);
  return made(m, Multiplied) ? stddev : 1 / stddev;
}

std::vector<double> doubles(const Tensor& x) { return {x.begin(), x.end()}; }

/// y from statistics by set.
Tensor affine(const Probe& p, const Statistics& s, Mistakes m) {
  Tensor y(p.x.shape());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t set = set_of(i, p.x.shape(), m), c = channel_of(i, p.x.shape(), m);
    const auto x = static_cast<double>(p.x.data()[i]);
    const double x_hat = (made(m, NotCentred) ? x : x - s.mean[set]) * scale(s.variance[set], p.eps, m);
    double gamma = static_cast<double>(p.gamma.data()[c]), beta = static_cast<double>(p.beta.data()[c]);
    if (made(m, Swapped)) std::swap(gamma, beta);
    if (made(m, NoGamma)) gamma = 1;
    if (made(m, NoBeta)) beta = 0;
    y.data()[i] = static_cast<Scalar>(made(m, ShiftedFirst) ? gamma * (x_hat + beta) : gamma * x_hat + beta);
  }
  return y;
}

/// y from running statistics, which are those of channels.
Tensor affine_of(const Probe& p, const Running& running, Mistakes m) {
  if (sets_of_their_own(m)) throw std::invalid_argument("affine_of: such statistics do not fit the running ones");
  return affine(p, {doubles(running.mean), doubles(running.var)}, m);
}

Tensor to_tensor(const std::vector<double>& values, std::size_t n) {
  Tensor t(Shape{n});
  for (std::size_t i = 0; i < n; ++i) t.data()[i] = static_cast<Scalar>(values[i]);
  return t;
}

}  // namespace

const std::vector<Mistake> kForwardMistakes = {
    {"F1",
     "the variance that normalizes is divided by M − 1 here. Which divisor gives the columns of x_hat variance 1?",
     "Theirs is below 1 here."},
    {"F2", "the centred x is divided by the variance. Which power of it has the unit of x?"},
    {"F3", "eps is added after the root. Where does it stand in √(variance + eps)?"},
    {"F4", "eps is not used (or is not the settings' eps). What happens to a channel that is constant?"},
    {"F5",
     "the statistics are taken along the wrong axis: every row (image) gets its own. Which values share a mean in "
     "batch norm?"},
    {"F5", "one mean and one variance for all of x. Batch norm has one of each for every channel."},
    {"F6", "the variance is taken about 0: of x, not of x − mean."},
    {"F6", "this is the mean absolute deviation, not the root of the mean square."},
    {"F7", "gamma and beta have changed places: which one scales, which one shifts?"},
    {"R6", "training normalizes with the running statistics. What should it use, and what are those for?"},
    {"F9", "gamma is missing."},
    {"F10", "beta is missing."},
    {"F11", "x is scaled but not centred: what should the mean of x_hat be?"},
    {"F12",
     "x − mean is multiplied by the standard deviation: if a column of x is twice as wide, what should become of "
     "y?"},
    {"F13", "the variance is a sum, not a mean: what is it divided by?"},
    {"F14", "the mean is a sum: what is it divided by?"},
    {"F15", "for images the sums are divided by the number of images. How many values does a channel have?"},
    {"F16",
     "for images every pixel position has statistics of its own: only the first axis is averaged over. Which axes "
     "are all but the channels'?"},
    {"F17", "for images every image has statistics of its own: that is instance norm. Which axis is missing?"},
    {"F18", "beta is added before gamma multiplies: scale first, then shift."},
    {"F3", "eps is added twice, inside the root and outside."},
    {"F17", "for images every image has its own mean and variance over all its values: that is layer norm."},
    {"F19",
     "the array is read as if the numbers of a channel were neighbours, with an index such as c*M + i. It is "
     "row-major, and a row is one number of every channel: where does row i begin?"},
    {"R6",
     "training updates the running statistics and then normalizes with the new ones. What should it use, and what are "
     "those for?"},
    {"F14",
     "the mean is taken for 0, in the variance and in x − mean. (Is it a sum times 1 / M? Of two integers that is 0.)"},
    {"F14", "mean and variance are both 0. (Are they sums times 1 / M? Of two integers that is 0.)"},
};

const std::vector<Mistake> kEvaluationMistakes = {
    {"R5",
     "evaluation normalizes with the statistics of the batch. A single image would give beta, whatever it shows: "
     "what are the running statistics for?"},
    {"F4", "evaluation does not use eps: a running variance can be 0."},
    {"F2", "evaluation divides by the running variance. Which power of it has the unit of x?"},
    {"F3", "evaluation adds eps after the root."},
    {"R4", "evaluation takes running_var for a standard deviation."},
    {"F9", "gamma is missing in evaluation."},
    {"F10", "beta is missing in evaluation."},
    {"F7", "gamma and beta have changed places in evaluation."},
    {"F11", "evaluation does not subtract the running mean."},
    {"R7", "evaluation corrects the running variance by M/(M − 1) or its inverse. It is unbiased already."},
    {"R5", "evaluation uses the mean of the batch with the running variance."},
    {"R5", "evaluation uses the running mean with the variance of the batch."},
    {"R8", "evaluation updates the running statistics and then normalizes with the new ones: it should only read."},
    {"F19",
     "evaluation reads the array as if the numbers of a channel were neighbours, with an index such as c*M + i. It is "
     "row-major, and a row is one number of every channel: where does row i begin?"},
};

const std::vector<Mistake> kRunningMistakes = {
    {"R1",
     "momentum is used the other way round. Here, as in PyTorch, it is the weight of the NEW statistic (in some "
     "courses: of the old one)."},
    {"R2",
     "the running variance receives the biased variance. Normalizing divides by M; what estimates the variance of "
     "all images from a sample of M? (If the correction is in your code: M / (M − 1) of two integers is 1 in C++.)"},
    {"R3",
     "the old running statistic is forgotten: after many steps on the same batch the running mean should be the "
     "batch's."},
    {"R4", "running_var receives the standard deviation. It is a variance that it averages."},
    {"R4", "the running statistics are overwritten by those of the batch: momentum does not act."},
    {"R9", "the running statistics are never updated. They are references: assign to them."},
    {"R10", "the old running statistic keeps its full weight: do the two weights add up to 1?"},
    {"R10", "the new statistic comes in with its full weight: do the two weights add up to 1?"},
    {"R11", "running_var receives variance + eps. eps belongs to the normalization, not to the estimate."},
    {"R11", "running_var receives rstd, or 1/standard deviation."},
    {"R12", "running_mean and running_var have changed places."},
    {"R13",
     "for images the unbiased variance is corrected with the number of images. How many values does a channel "
     "have?"},
    {"R2", "the correction is upside down: is the unbiased variance larger or smaller than the biased one?"},
    {"R14", "the running mean is corrected by M/(M − 1): only the variance is biased."},
    {"R13",
     "the unbiased variance is corrected with the number of all elements of x. How many values does a channel have?"},
};

BatchNormResult right_forward(const Probe& p) {
  const std::size_t C = p.gamma.size();
  const Statistics s = statistics(p.x, 0);
  BatchNormResult result;
  result.y = affine(p, s, 0);
  Probe plain = p;
  plain.gamma = ones({C});
  plain.beta = zeros({C});
  std::vector<double> rstd(C);
  for (std::size_t c = 0; c < C; ++c) rstd[c] = scale(s.variance[c], p.eps, 0);
  result.cache = {
      p.x, p.gamma, p.eps, to_tensor(s.mean, C), to_tensor(s.variance, C), to_tensor(rstd, C), affine(plain, s, 0)};
  return result;
}

Tensor forward_model(const Probe& p, const Running& running, Mistakes m) {
  if (made(m, UpdatedInTraining)) return affine_of(p, running_model(p, running, 0.1, 0), m);
  if (made(m, RunningInTraining)) return affine_of(p, running, m);
  return affine(p, statistics(p.x, m), m);
}

Tensor evaluation_model(const Probe& p, const Running& running, Mistakes m) {
  Statistics s{doubles(running.mean), doubles(running.var)};
  const Statistics batch = statistics(p.x, 0);
  const auto M = static_cast<double>(p.x.size() / p.gamma.size());
  if (made(m, BatchStatistics)) s = batch;
  if (made(m, EvalBatchMean)) s.mean = batch.mean;
  if (made(m, EvalBatchVariance)) s.variance = batch.variance;
  for (std::size_t c = 0; c < p.gamma.size(); ++c) {
    if (made(m, EvalBiasCorrected)) s.variance[c] *= (M - 1) / M;
    if (made(m, EvalIsStddev)) s.variance[c] *= s.variance[c];
  }
  if (made(m, EvalMixed)) {
    const Running after = running_model(p, running, 0.1, 0);
    s = {doubles(after.mean), doubles(after.var)};
  }
  Mistakes as_forward = 0;
  const std::vector<std::pair<Evaluation, Forward>> same = {
      {EvalNoEps, NoEps},   {EvalNoRoot, NoRoot},   {EvalEpsOutside, EpsOutside}, {EvalNoGamma, NoGamma},
      {EvalNoBeta, NoBeta}, {EvalSwapped, Swapped}, {EvalNotCentred, NotCentred}, {EvalChannelsFirst, ChannelsFirst}};
  for (const auto& [evaluation, forward] : same)
    if (made(m, evaluation)) as_forward |= Mistakes{1} << forward;
  return affine(p, s, as_forward);
}

Running running_model(const Probe& p, const Running& before, double momentum, Mistakes m, Mistakes in_statistics) {
  if (made(in_statistics, RowStatistics) || made(in_statistics, PerImage) || made(in_statistics, PerSample))
    throw std::invalid_argument("running_model: such statistics do not fit the running ones");
  const std::size_t C = p.gamma.size();
  const Statistics s = statistics(p.x, in_statistics);
  const auto M = static_cast<double>(p.x.size() / C), N = static_cast<double>(p.x.shape()[0]);
  // Whoever averages over the first axis alone gets running statistics of every place.
  const Shape& x_shape = p.x.shape();
  const Shape shape = made(in_statistics, FirstAxisOnly) ? Shape(x_shape.begin() + 1, x_shape.end()) : Shape{C};
  Running after{Tensor(shape), Tensor(shape)};
  if (made(m, Reversed)) momentum = 1 - momentum;
  const double new_weight = made(m, NewNotScaled) || made(m, Overwritten) ? 1 : made(m, Never) ? 0 : momentum;
  const double old_weight = made(m, OldForgotten) || made(m, Overwritten) ? 0
                            : made(m, OldNotScaled) || made(m, Never)     ? 1
                                                                          : 1 - momentum;
  const double n = made(m, RunningCountsImages) ? N : made(m, RunningCountsAll) ? M * static_cast<double>(C) : M;
  double unbiased = n / (n - 1);
  if (made(m, BiasedRunning)) unbiased = 1;
  if (made(m, UnbiasedInverse)) unbiased = 1 / unbiased;
  for (std::size_t i = 0; i < after.mean.size(); ++i) {
    const std::size_t set = made(in_statistics, GlobalStatistics) ? 0 : i, old = i % before.mean.size();
    double mean = s.mean[set] * (made(m, UnbiasedMean) ? M / (M - 1) : 1), var = s.variance[set] * unbiased;
    if (made(m, StoresWithEps)) var += p.eps;
    if (made(m, StoresStddev)) var = std::sqrt(var);
    if (made(m, StoresRstd)) var = 1 / std::sqrt(s.variance[set] + p.eps);
    if (made(m, SwappedRunning)) std::swap(mean, var);
    after.mean.data()[i] =
        static_cast<Scalar>(old_weight * static_cast<double>(before.mean.data()[old]) + new_weight * mean);
    after.var.data()[i] =
        static_cast<Scalar>(old_weight * static_cast<double>(before.var.data()[old]) + new_weight * var);
  }
  return after;
}

}  // namespace xtg::assignment
