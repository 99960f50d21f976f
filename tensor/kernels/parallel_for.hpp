#pragma once

// Loops on all threads. For the library's own .cpp files: it means what it says only where OpenMP is switched on.

#include <cstddef>

// The iterations of the loop that follows are independent, so it may be vectorised without a check at run time.
// (clang vectorises with that check; told to do without, it warns wherever a sanitizer keeps it from vectorising.)
#if defined(__clang__)
#define XTGRAD_VECTORIZE
#else
#define XTGRAD_VECTORIZE _Pragma("GCC ivdep")
#endif

namespace xtg::kernels {

/// body(i) for every i in 0 … n−1, split evenly over the threads in order. The work items must not depend on each other
/// and must not throw.
template <class Body>
void parallel_for(std::size_t n, const Body& body) {
  if (n == 1)
    return body(std::size_t{0});  // OpenMP's way to run on one thread costs more than a small array's arithmetic
#ifdef _OPENMP
#pragma omp parallel for schedule(static) if (n > 1)
#endif
  for (std::size_t i = 0; i < n; ++i) body(i);
}

/// body(begin, end) for consecutive ranges of at most `grain` items that cover 0 … n−1. The ranges depend on n and
/// `grain` alone, so partial results combined in their order are the same for every thread count.
template <class Body>
void parallel_ranges(std::size_t n, std::size_t grain, const Body& body) {
  const std::size_t ranges = (n + grain - 1) / grain;
  parallel_for(ranges, [&](std::size_t r) { body(r * grain, r + 1 < ranges ? (r + 1) * grain : n); });
}

/// Elements that one thread should have at least, so that starting the other pays.
constexpr std::size_t kGrain = 16384;

}  // namespace xtg::kernels
