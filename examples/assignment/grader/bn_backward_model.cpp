#include "assignment/grader/bn_backward_model.hpp"

#include <cmath>

#include "tensor/shape.hpp"

namespace xtg::assignment {
namespace {

// The places in the list of mistakes below.
enum Dx : std::size_t {
  NoVariancePath,
  NoMeanPath,
  BothForgotten,
  NoGamma,
  Sums,
  MeanSum,
  VarianceSum,
  BothUnbiased,
  VarianceUnbiased,
  MeanUnbiased,
  WrongPower,
  WrongSign,
  Half,
  Doubled,
  NoEps,
  NoRstd,
  RstdSquared,
  RawInMean,
  RawOutside,
  RawBoth,
  CentredInMean,
  CentredOutside,
  GammaOutside,
  MeanSign,
  RowMeans,
  GlobalMeans,
  GammaTwice,
  GammaDivides,
  TimesStddev,
  FirstTermOverM,
  AllTimesM,
  AllOverM,
  CountsImages,
  Zero,
  Upstream,
  Negative,
  NoDirectPath,
  PlainEps,
  UnbiasedRstd,
  NoHatOutside,
  NoHatInside,
  FirstAxisOnly,
  FirstAxisOverM,
  FirstAxisStaged,
  FirstAxisStagedOverM,
  CountsAll,
  DirectWithoutRstd,
  MeanWithoutRstd,
  HatForCentred,
  HatTwice,
  RawForCentred,
  OnlyThroughSquares,
  OnlyThroughMean
};

/// 1/standard deviation, with what can be wrong about it.
double rstd_of(const BatchNormCache& k, std::size_t c, std::size_t M, Mistakes m) {
  const auto v = static_cast<double>(k.variance.data()[c]);
  const auto n = static_cast<double>(M);
  if (made(m, NoEps)) return 1 / std::sqrt(v);
  if (made(m, PlainEps)) return 1 / (std::sqrt(v) + k.eps);
  if (made(m, UnbiasedRstd)) return 1 / std::sqrt(v * n / (n - 1) + k.eps);
  return 1 / std::sqrt(v + k.eps);
}

struct Column {
  double direct, mean, variance;  // what multiplies dx_hat, <dx_hat> and x_hat·<dx_hat·x_hat>
};

Column factors(double rstd, double M, double N, std::size_t C, Mistakes m) {
  Column f{rstd, rstd, rstd};
  // What a sum over the batch is divided by.
  const double n = made(m, CountsImages) ? N : made(m, CountsAll) ? M * static_cast<double>(C) : M;
  if (made(m, NoRstd)) f = {1, 1, 1};
  if (made(m, RstdSquared)) f = {rstd * rstd, rstd * rstd, rstd * rstd};
  if (made(m, TimesStddev)) f = {1 / rstd, 1 / rstd, 1 / rstd};
  if (made(m, DirectWithoutRstd)) f.direct = f.mean = 1;  // the mean is that of the direct path
  if (made(m, MeanWithoutRstd)) f.mean = 1;
  if (made(m, NoDirectPath) || made(m, OnlyThroughSquares) || made(m, OnlyThroughMean)) f.direct = 0;
  if (made(m, FirstTermOverM)) f.direct /= M;
  f.mean *= M / (made(m, Sums) || made(m, MeanSum) ? 1 : made(m, BothUnbiased) || made(m, MeanUnbiased) ? n - 1 : n);
  if (made(m, MeanSign)) f.mean = -f.mean;
  if (made(m, NoMeanPath) || made(m, BothForgotten) || made(m, OnlyThroughSquares)) f.mean = 0;
  f.variance *= M / (made(m, Sums) || made(m, VarianceSum)                ? 1
                     : made(m, BothUnbiased) || made(m, VarianceUnbiased) ? n - 1
                                                                          : n);
  if (made(m, WrongPower)) f.variance /= rstd * rstd;
  if (made(m, HatForCentred) || made(m, RawForCentred)) f.variance *= rstd;
  if (made(m, HatTwice)) f.variance *= rstd * rstd;
  if (made(m, WrongSign)) f.variance = -f.variance;
  if (made(m, Half)) f.variance /= 2;
  if (made(m, Doubled)) f.variance *= 2;
  if (made(m, NoVariancePath) || made(m, BothForgotten) || made(m, OnlyThroughMean)) f.variance = 0;
  double all = 1;
  if (made(m, AllTimesM)) all = M;
  if (made(m, AllOverM)) all = 1 / M;
  if (made(m, Zero)) all = 0;
  if (made(m, Negative)) all = -1;
  return {f.direct * all, f.mean * all, f.variance * all};
}

/// One of x_hat, x, x − mean, 1.
double hat(const BatchNormCache& k, std::size_t i, std::size_t c, bool raw, bool centred, bool one) {
  const auto x = static_cast<double>(k.x.data()[i]);
  if (one) return 1;
  if (raw) return x;
  if (centred) return x - static_cast<double>(k.mean.data()[c]);
  return static_cast<double>(k.x_hat.data()[i]);
}

/// Once for the short form and once node by node, which differ where x_hat does not add up to 0, with either divisor.
bool first_axis_only(Mistakes m) {
  return made(m, FirstAxisOnly) || made(m, FirstAxisOverM) || made(m, FirstAxisStaged) || made(m, FirstAxisStagedOverM);
}

std::size_t set_of(std::size_t i, const Shape& shape, Mistakes m) {
  const std::size_t C = shape.back();
  if (first_axis_only(m)) return i % (count(shape) / shape[0]);
  return made(m, RowMeans) ? i / C : made(m, GlobalMeans) ? 0 : i % C;
}

/// gamma as it scales the direct path, and as it scales what stands in the means.
std::pair<double, double> gammas(double gamma, Mistakes m) {
  if (made(m, NoGamma)) return {1, 1};
  if (made(m, GammaTwice)) return {gamma * gamma, gamma * gamma};
  if (made(m, GammaDivides)) return {1 / gamma, 1 / gamma};
  return {gamma, made(m, GammaOutside) ? 1 : gamma};
}

constexpr const char* kGrows = "The error grows with the mean of x.";
constexpr const char* kFirstAxis =
    "for images the sums run over the first axis alone, so every place has its own. Which values share a mean? (A "
    "matrix "
    "with one row for each of them spares you the thought.)";

}  // namespace

const std::vector<Mistake> kInputGradientMistakes = {
    {"B1",
     "the path through the variance is missing: the variance depends on every x. (If the path is in your code: 1 / M "
     "and -1 / 2 of integers are 0 in C++.)",
     "Σ dx is 0 in every column here, but Σ dx·x_hat is not."},
    {"B2",
     "the path through the mean is missing. If all x of a channel grow by 1, what becomes of y? (If the path is in "
     "your code: 1 / M of two integers is 0 in C++.)",
     "Σ dx is not 0 here."},
    {"B3",
     "mean and variance are taken for constants. That is the gradient in evaluation; in training both depend on "
     "x. (If their paths are in your code: 1 / M of two integers is 0 in C++.)"},
    {"B4", "gamma is missing: how does y depend on x_hat?"},
    {"B5", "both means over the batch are sums here: a 1/M has got lost. How much does the mean change if one x does?"},
    {"B5",
     "the term through the mean is a sum, not a mean: a 1/M has got lost. How much does the mean change if one x "
     "does?"},
    {"B5",
     "the term through the variance is a sum, not a mean: a 1/M has got lost. Write the variance with its divisor "
     "before you differentiate it."},
    {"B6", "M − 1 instead of M in both terms: which divisor has the forward that is differentiated here?"},
    {"B6", "M − 1 instead of M in the term through the variance: which variance does the forward normalize with?"},
    {"B6", "M − 1 instead of M in the term through the mean."},
    {"B7",
     "the gradient of the variance has the wrong power of (variance + eps). What is the derivative of v^(−1/2)? "
     "(x − mean twice in the place of x_hat gives the same.)",
     "The error of a column grows with its variance."},
    {"B8", "the term through the variance has the wrong sign: if the variance grows, does x_hat grow or shrink?"},
    {"B9", "the term through the variance is half of what it should be: what is the derivative of (x − mean)²?"},
    {"B9", "the term through the variance is twice what it should be: is the exponent of v^(−1/2) in its derivative?"},
    {"B10", "the backward leaves eps out, which the forward has. The cache has what both can share."},
    {"B11", "the factor rstd is missing: x_hat is (x − mean) times what?",
     "Each column of dx is the right one times its standard deviation."},
    {"B11", "the factor rstd is there twice."},
    {"B12", "x stands in the sum over the batch where x_hat should.", kGrows},
    {"B12", "the term through the variance is proportional to x instead of x_hat.", kGrows},
    {"B12", "x stands in both places where x_hat should, in the sum over the batch and in front of it."},
    {"B15",
     "a factor rstd is missing in the path through the variance. In the short form: x − mean stands in the sum over "
     "the "
     "batch where x_hat should. Node by node: which power of rstd is in its derivative?"},
    {"B15", "the term through the variance is proportional to x − mean instead of x_hat: a factor rstd is missing."},
    {"B14", "gamma is not inside the means: they are of dy, but the gradient that arrives at x_hat is another."},
    {"B16", "the term through the mean has the wrong sign: the mean is subtracted in the forward."},
    {"B17", "the means are taken along the wrong axis: over each row. Which values shared a mean in the forward?"},
    {"B17", "the means are taken over all of dy: each channel has its own."},
    {"B18", "gamma comes in twice."},
    {"B18", "dx is divided by gamma, where y is gamma times x_hat."},
    {"B11", "dx is divided by rstd: which is right, if a column of x twice as wide gives the same y?"},
    {"B19", "the direct term is divided by M: with a common 1/M in front, what has to stand before dx_hat?",
     "The two other terms are right."},
    {"B20", "dx is M times too large: a 1/M in front has got lost."},
    {"B20", "dx is too small by 1/M: is the loss a sum or a mean? Here dy says it all."},
    {"B21", "for images the sums are divided by the number of images. How many values share a mean?"},
    {"B22", "dx is 0: was it ever written? (Is it divided by M? 1 / M of two integers is 0 in C++.)"},
    {"B22", "dx is dy: nothing of the layer is in it."},
    {"B23", "dx has the opposite sign."},
    {"B24", "the direct path is missing: with mean and variance held, dx_hat is not without effect."},
    {"B10", "the backward adds eps after the root, the forward inside. The cache has what both can share."},
    {"B6", "the backward divides by the root of the variance with M − 1; the forward divided by M."},
    {"B25",
     "the term through the variance is the same for every x of a column: how does the variance depend on one of "
     "them?"},
    {"B25", "x_hat is missing in the sum of the term through the variance: that is the same sum as the mean's."},
    {"B26", kFirstAxis},
    {"B26", kFirstAxis},
    {"B26", kFirstAxis},
    {"B26", kFirstAxis},
    {"B21", "the sums are divided by the number of all elements of x. How many values share a mean?"},
    {"B11", "the factor rstd is missing in the direct path, from x_hat to x − mean.",
     "The path through the variance is right."},
    {"B11", "the factor rstd is missing in the path through the mean.", "The others are right."},
    {"B15",
     "x_hat stands where x − mean should in the path through the variance: the derivative of (x − mean)² or of "
     "(x − mean)·rstd?"},
    {"B15", "x_hat stands in both places of the path through the variance where x − mean should."},
    {"B12", "x stands in the sum for drstd where x − mean should: what does rstd multiply in the forward?", kGrows},
    {"B27",
     "dc, the gradient of x − mean, has two parts that add: through x_hat and through the squares. Only the one "
     "through the squares is here (an = in the place of a +=?)."},
    {"B28",
     "dx has two parts that add: dc, the gradient of x − mean, and the one through the mean. Only the second is here; "
     "dc itself is missing."},
};

const Mistakes kStagedOfPart = Mistakes{1} << FirstAxisStaged;

Tensor dx_model(const Tensor& dy, const BatchNormCache& k, Mistakes m) {
  const std::size_t C = k.gamma.size(), M = k.x.size() / C;
  Tensor dx(k.x.shape());
  if (made(m, Upstream)) return dy;
  std::vector<double> sum(dx.size()), sum_hat(dx.size()), hats(dx.size()), n(dx.size());
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const std::size_t c = i % C, s = set_of(i, k.x.shape(), m);
    const double d = static_cast<double>(dy.data()[i]) * gammas(static_cast<double>(k.gamma.data()[c]), m).second;
    sum[s] += d;
    sum_hat[s] += d * hat(k, i, c, made(m, RawInMean) || made(m, RawBoth) || made(m, RawForCentred),
                          made(m, CentredInMean), made(m, NoHatInside));
    hats[s] += static_cast<double>(k.x_hat.data()[i]);
    n[s] += 1;
  }
  if (made(m, FirstAxisOverM) || made(m, FirstAxisStagedOverM)) n.assign(n.size(), static_cast<double>(M));
  if (made(m, FirstAxisStaged) || made(m, FirstAxisStagedOverM))
    for (std::size_t s = 0; s < n.size(); ++s)
      if (n[s] > 0) sum[s] -= hats[s] * sum_hat[s] / n[s];
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const std::size_t c = i % C, s = set_of(i, k.x.shape(), m);
    const auto [outside, inside] = gammas(static_cast<double>(k.gamma.data()[c]), m);
    (void)inside;
    const Column f = factors(rstd_of(k, c, M, m), static_cast<double>(M), static_cast<double>(k.x.shape()[0]), C, m);
    const double x_hat =
        hat(k, i, c, made(m, RawOutside) || made(m, RawBoth), made(m, CentredOutside), made(m, NoHatOutside));
    dx.data()[i] = static_cast<Scalar>(f.direct * outside * static_cast<double>(dy.data()[i]) - f.mean * sum[s] / n[s] -
                                       f.variance * x_hat * sum_hat[s] / n[s]);
  }
  return dx;
}

}  // namespace xtg::assignment
