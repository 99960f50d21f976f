// dgamma and dbeta.
#include <cmath>
#include <functional>

#include "assignment/grader/bn_backward_model.hpp"
#include "tensor/create.hpp"

namespace xtg::assignment {
namespace {

// The places in the lists of mistakes below.
enum Dgamma : std::size_t {
  GammaRaw,
  GammaMean,
  GammaIsBeta,
  GammaTimesGamma,
  GammaCentred,
  GammaAbsolute,
  GammaNoEps,
  GammaZero,
  GammaNegative,
  GammaUnbiased,
  GammaOverPlaces,
  GammaFirstAxis
};
enum Dbeta : std::size_t {
  BetaMean,
  BetaIsGamma,
  BetaTimesGamma,
  BetaZero,
  BetaNegative,
  BetaOverImages,
  BetaFirstAxis,
  BetaIsRawGamma,  // these two are of effect with BetaIsGamma
  BetaIsCentredGamma
};

constexpr const char *kRaw = "dgamma sums dy·x; in y, gamma multiplies x_hat.",
                     *kCentred = "dgamma sums dy·(x − mean): a factor rstd is missing.";

/// Σ dy·factor, which the mistakes change: the sum over all rows, or over the first axis alone.
Tensor parameter_gradient(const Tensor& dy, bool first_axis_only,
                          const std::function<double(std::size_t i, std::size_t c)>& factor) {
  const Shape& shape = dy.shape();
  Tensor result = zeros(first_axis_only ? Shape(shape.begin() + 1, shape.end()) : Shape{shape.back()});
  for (std::size_t i = 0; i < dy.size(); ++i)
    result.data()[i % result.size()] +=
        static_cast<Scalar>(factor(i, i % shape.back()) * static_cast<double>(dy.data()[i]));
  return result;
}

}  // namespace

const std::vector<Mistake> kGammaMistakes = {
    {"B13", kRaw, "It is off by a part that grows with the mean of x."},
    {"B13",
     "dgamma is a mean over the batch: every x of a channel feels the same gamma. Do their gradients add up or "
     "average?"},
    {"B13", "dgamma and dbeta have changed places: this is the other one."},
    {"B13", "gamma is a factor of dgamma: the derivative of gamma·x_hat with respect to gamma has none."},
    {"B13", kCentred},
    {"B13", "dgamma has x_hat in absolute value."},
    {"B10", "dgamma has an x_hat without eps."},
    {"B22", "dgamma is 0: was it ever written?"},
    {"B23", "dgamma has the opposite sign."},
    {"B6", "dgamma has an x_hat with the variance over M − 1."},
    {"B13", "for images dgamma is divided by the number of places: it is a sum over all of them."},
    {"B26", "for images dgamma is summed over the first axis alone. Over which axes is gamma broadcast?"},
};

const std::vector<Mistake> kBetaMistakes = {
    {"B13",
     "dbeta is a mean over the batch: every y of a channel feels the same beta. Do their gradients add up or "
     "average?"},
    {"B13", "dgamma and dbeta have changed places: this is the other one."},
    {"B13", "gamma is a factor of dbeta: the derivative of gamma·x_hat + beta with respect to beta has none."},
    {"B22", "dbeta is 0: was it ever written?"},
    {"B23", "dbeta has the opposite sign."},
    {"B13", "for images dbeta is divided by the number of images: it is a sum over all of them."},
    {"B26", "for images dbeta is summed over the first axis alone. Over which axes is beta broadcast?"},
    {"B13", kRaw},
    {"B13", kCentred},
};

Tensor dgamma_model(const Tensor& dy, const BatchNormCache& k, Mistakes m) {
  const std::size_t C = k.gamma.size();
  const auto n = static_cast<double>(k.x.size() / C), images = static_cast<double>(k.x.shape()[0]);
  return parameter_gradient(dy, made(m, GammaFirstAxis), [&](std::size_t i, std::size_t c) {
    const auto x = static_cast<double>(k.x.data()[i]), mean = static_cast<double>(k.mean.data()[c]);
    const auto v = static_cast<double>(k.variance.data()[c]);
    double factor = static_cast<double>(k.x_hat.data()[i]);
    if (made(m, GammaRaw)) factor = x;
    if (made(m, GammaCentred)) factor = x - mean;
    if (made(m, GammaNoEps)) factor = (x - mean) / std::sqrt(v);
    if (made(m, GammaUnbiased)) factor = (x - mean) / std::sqrt(v * n / (n - 1) + k.eps);
    if (made(m, GammaIsBeta)) factor = 1;
    if (made(m, GammaAbsolute)) factor = std::abs(factor);
    if (made(m, GammaMean)) factor /= n;
    if (made(m, GammaOverPlaces)) factor /= n / images;
    if (made(m, GammaTimesGamma)) factor *= static_cast<double>(k.gamma.data()[c]);
    if (made(m, GammaNegative)) factor = -factor;
    return made(m, GammaZero) ? 0 : factor;
  });
}

Tensor dbeta_model(const Tensor& dy, const BatchNormCache& k, Mistakes m) {
  const auto n = static_cast<double>(k.x.size() / k.gamma.size()), images = static_cast<double>(k.x.shape()[0]);
  return parameter_gradient(dy, made(m, BetaFirstAxis), [&](std::size_t i, std::size_t c) {
    double factor = 1;
    if (made(m, BetaIsGamma)) {
      const auto x = static_cast<double>(k.x.data()[i]);
      factor = made(m, BetaIsRawGamma)       ? x
               : made(m, BetaIsCentredGamma) ? x - static_cast<double>(k.mean.data()[c])
                                             : static_cast<double>(k.x_hat.data()[i]);
    }
    if (made(m, BetaMean)) factor /= n;
    if (made(m, BetaOverImages)) factor /= images;
    if (made(m, BetaTimesGamma)) factor *= static_cast<double>(k.gamma.data()[c]);
    if (made(m, BetaNegative)) factor = -factor;
    return made(m, BetaZero) ? 0 : factor;
  });
}

}  // namespace xtg::assignment
