#pragma once

#include <cstdint>
#include <vector>

#include "tensor.hpp"

namespace xtg {

/// A stream of random numbers: SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195). The distributions are
/// defined here, not by the standard library, and drawn in double: the same numbers in the float and the double library
/// and with every compiler. There is no global generator.
class Generator {
 public:
  /// Streams with different keys are independent. Key a stream by what it is for, e.g. (seed, stream, epoch, sample):
  /// then it does not matter in which order, or on which thread, samples are drawn.
  explicit Generator(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t epoch = 0, std::uint64_t sample = 0);

  std::uint64_t next();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [low, high); low where they are equal. Throws ValueError unless low ≤ high, both and their difference
  /// finite.
  double uniform(double low, double high);
  /// Uniform in 0 … n−1, exactly. Throws ValueError for n = 0.
  std::uint64_t below(std::uint64_t n);
  /// Standard normal (Box and Muller 1958), two uniforms each.
  double normal();
  /// 0 … n−1 in random order (Fisher–Yates). Throws ValueError for n above 2^32.
  std::vector<std::uint32_t> permutation(std::size_t n);

  /// The whole state, for checkpoints.
  std::uint64_t state() const { return state_; }
  void set_state(std::uint64_t state) { state_ = state; }

 private:
  std::uint64_t state_;
};

/// Independent draws: normal with mean 0 and the given standard deviation; uniform in [low, high), or low where they
/// are equal. Throw ValueError for a standard deviation that is negative or not finite, and unless low ≤ high, both and
/// their difference finite.
Tensor random_normal(const Shape& shape, Generator& generator, double stddev = 1);
Tensor random_uniform(const Shape& shape, Generator& generator, double low = 0, double high = 1);

}  // namespace xtg
