#include "tensor/random.hpp"

#include <cmath>
#include <numeric>
#include <utility>

#include "tensor/shape.hpp"

namespace xtg {
namespace {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;

/// The output function of SplitMix64: every bit of z changes about half of the result's bits.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// As numbers of type T: NaN compares false.
template <class T>
void require_bounds(const char* operation, double low, double high) {
  require(low <= high && std::isfinite(static_cast<T>(low)) && std::isfinite(static_cast<T>(high)) &&
              std::isfinite(high - low),
          "{}: expected finite bounds, low ≤ high, got {} and {}", operation, low, high);
}

}  // namespace

Generator::Generator(std::uint64_t seed, std::uint64_t stream, std::uint64_t epoch, std::uint64_t sample)
    : state_(seed) {
  for (const std::uint64_t key : {stream, epoch, sample}) state_ = mix(state_ + kGolden) ^ mix(key + 2 * kGolden);
  state_ = mix(state_);
}

std::uint64_t Generator::next() { return mix(state_ += kGolden); }

double Generator::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

double Generator::uniform(double low, double high) {
  require_bounds<double>("Generator::uniform", low, high);
  const double drawn = low + (high - low) * uniform();
  return drawn < high ? drawn : std::nextafter(high, low);  // rounded up
}

std::uint64_t Generator::below(std::uint64_t n) {
  require(n > 0, "Generator::below: expected n > 0");
  const std::uint64_t rejected = -n % n;  // 2^64 mod n: without the lowest so many, every remainder is equally likely
  std::uint64_t r = next();
  while (r < rejected) r = next();
  return r % n;
}

double Generator::normal() {
  const double u = 1 - uniform();  // in (0, 1], so that its logarithm is finite
  const double v = uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * 3.14159265358979323846 * v);
}

std::vector<std::uint32_t> Generator::permutation(std::size_t n) {
  require(n <= std::uint64_t{1} << 32, "Generator::permutation: expected at most 2^32 numbers, got {}", as_written(n));
  std::vector<std::uint32_t> p(n);
  std::iota(p.begin(), p.end(), 0u);
  for (std::size_t i = n; i > 1; --i) std::swap(p[i - 1], p[below(i)]);
  return p;
}

Tensor random_normal(const Shape& shape, Generator& generator, double stddev) {
  require(std::isfinite(stddev) && stddev >= 0,
          "random_normal: expected a finite standard deviation of at least 0, got {}", stddev);
  Tensor x(shape);
  for (Scalar* p = x.data(); p != x.data() + x.size(); ++p) *p = static_cast<Scalar>(stddev * generator.normal());
  return x;
}

Tensor random_uniform(const Shape& shape, Generator& generator, double low, double high) {
  require_bounds<Scalar>("random_uniform", low, high);
  Tensor x(shape);
  for (Scalar* p = x.data(); p != x.data() + x.size(); ++p) {
    *p = static_cast<Scalar>(generator.uniform(low, high));
    if (*p >= static_cast<Scalar>(high))
      *p = std::nextafter(static_cast<Scalar>(high), static_cast<Scalar>(low));  // rounded up
  }
  return x;
}

}  // namespace xtg
