#include "nn/data/augment.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace xtg::nn {

namespace {

/// A draw from Gamma(shape), shape > 1: Marsaglia and Tsang (2000), without the squeeze, which only saves logarithms.
double random_gamma(double shape, Generator& generator) {
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double z = generator.normal();
    const double u = 1 - generator.uniform();  // in (0, 1]
    const double root = 1 + c * z;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(u) < z * z / 2 + d * (1 - v + std::log(v))) return d * v;
  }
}

}  // namespace

Box random_cutout(std::size_t height, std::size_t width, std::size_t side, Generator& generator) {
  require(height > 0 && width > 0, "cutout: expected at least one pixel, the image is {} x {}", height, width);
  require_size("cutout", "height", height);
  require_size("cutout", "width", width);
  require_size("cutout", "side", side);
  const std::size_t y = generator.below(height), x = generator.below(width);  // the centre
  const std::size_t before = side / 2, after = side - before;
  return {y - std::min(y, before), std::min(y + after, height), x - std::min(x, before), std::min(x + after, width)};
}

void RandomErasing::check() const {
  require(probability >= 0 && probability <= 1, "random erasing: the probability must be in [0, 1], got {}",
          probability);
  require(area[0] > 0 && area[0] <= area[1] && area[1] <= 1,
          "random erasing: expected 0 < area <= 1, from low to high, got {} to {}", area[0], area[1]);
  require(aspect[0] > 0 && aspect[0] <= aspect[1] && std::isfinite(aspect[1]),
          "random erasing: expected a positive, finite aspect ratio, from low to high, got {} to {}", aspect[0],
          aspect[1]);
}

Box random_erasing(std::size_t height, std::size_t width, const RandomErasing& options, Generator& generator) {
  require_size("random erasing", "height", height);
  require_size("random erasing", "width", width);
  if (generator.uniform() >= options.probability) return {};
  const double h = static_cast<double>(height), w = static_cast<double>(width);
  for (int attempt = 0; attempt < 100; ++attempt) {
    const double area = h * w * generator.uniform(options.area[0], options.area[1]);  // in pixels
    const double aspect = generator.uniform(options.aspect[0], options.aspect[1]);
    const double rows = std::round(std::sqrt(area * aspect)), columns = std::round(std::sqrt(area / aspect));
    if (rows < 1 || columns < 1 || rows > h || columns > w) continue;
    const std::size_t down = static_cast<std::size_t>(rows), across = static_cast<std::size_t>(columns);
    const std::size_t top = generator.below(height - down + 1), left = generator.below(width - across + 1);
    return {top, top + down, left, left + across};
  }
  return {};
}

void erase(Scalar* image, std::size_t width, std::size_t channels, const Box& box) {
  for (std::size_t y = box.top; y < box.bottom; ++y) {
    Scalar* row = image + y * width * channels;
    std::fill(row + box.left * channels, row + box.right * channels, Scalar(0));
  }
}

double random_beta(double alpha, Generator& generator) {
  require(alpha > 0 && std::isfinite(alpha), "random_beta: alpha must be positive and finite, got {}", alpha);
  const double x = random_gamma(alpha + 1, generator), y = random_gamma(alpha + 1, generator);
  const double u = 1 - generator.uniform(), v = 1 - generator.uniform();  // in (0, 1]
  const double log_odds = std::log(x / y) + std::log(u / v) / alpha;
  return 1 / (1 + std::exp(-log_odds));
}

Mixing random_mixing(double alpha, std::size_t batch_size, Generator& generator) {
  const double weight = random_beta(alpha, generator);
  return {std::max(weight, 1 - weight), generator.permutation(batch_size)};
}

Tensor mixed(const Tensor& x, const Mixing& mixing) {
  require<ShapeError>(x.dimension() > 0 && mixing.partner.size() == x.shape()[0],
                      "mixed: expected a partner for each sample, got {} partners for {}", mixing.partner.size(),
                      to_string(x.shape()));
  const std::size_t count = mixing.partner.size(), size = count == 0 ? 0 : x.size() / count;
  for (const std::uint32_t partner : mixing.partner)
    require(partner < count, "mixed: there is no partner {} in a batch of {}", partner, count);

  const Scalar own = static_cast<Scalar>(mixing.weight), other = 1 - own;
  Tensor y(x.shape());
  for (std::size_t i = 0; i < count; ++i) {
    const Scalar* a = x.data() + i * size;
    const Scalar* b = x.data() + mixing.partner[i] * size;
    for (std::size_t k = 0; k < size; ++k) y.data()[i * size + k] = own * a[k] + other * b[k];
  }
  return y;
}

Tensor mirrored(const Tensor& images) {
  require<ShapeError>(images.dimension() == 4, "mirrored: expected images (N, H, W, C), got {}",
                      to_string(images.shape()));
  return flip(images, {2});
}

}  // namespace xtg::nn
