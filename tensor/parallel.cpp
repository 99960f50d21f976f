#include "tensor/parallel.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "tensor/allocator.hpp"
#include "tensor/error.hpp"
#include "tensor/kernels/gemm.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

#ifdef XTGRAD_OPENBLAS
extern "C" void openblas_set_num_threads(int);
extern "C" int openblas_get_num_threads();
#endif

namespace xtg {
namespace {

constexpr std::size_t kStack = std::size_t{8} << 20;  // of a thread, as Linux gives it

#ifdef XTGRAD_OPENBLAS
/// OpenBLAS's threads, which it keeps when the number is set to less; at first those that it started when it was
/// loaded.
struct OpenBlasThreads {
  std::mutex mutex;
  int count = openblas_get_num_threads();
};
int processors() {
#ifdef _OPENMP
  return omp_get_num_procs();
#else
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#endif
}
OpenBlasThreads& openblas_threads() {
  static OpenBlasThreads* const instance = new OpenBlasThreads;  // never destroyed, as operations may run at exit
  return *instance;
}
#endif

}  // namespace

int num_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

void set_num_threads(int n) {
  require(n >= 1, "set_num_threads: expected at least 1, got {}", n);
  require(n <= 4096, "set_num_threads: expected at most 4096, got {}", n);  // OpenMP ends the program where it fails
#ifdef _OPENMP
  if (n > 1)
    memory::require_room("a thread for each processor, and its stack,", kStack, static_cast<std::size_t>(n - 1));
  omp_set_num_threads(n);
#endif
#ifdef XTGRAD_OPENBLAS
  // Not more than there are processors: its threads wait for each other in a loop of sched_yield, in which four of them
  // on two processors take ten times as long as two.
  n = std::min(n, processors());
  OpenBlasThreads& threads = openblas_threads();
  const std::lock_guard<std::mutex> lock(threads.mutex);
  if (n > threads.count)
    memory::require_room("OpenBLAS", kStack + kernels::kOpenBlasBuffer, static_cast<std::size_t>(n - threads.count));
  threads.count = std::max(threads.count, n);
  openblas_set_num_threads(n);
#endif
}

std::size_t address_space_wanted(std::size_t openblas_threads) noexcept {
#ifdef XTGRAD_OPENBLAS
  constexpr std::size_t code_and_data = 100'000'000;  // of all libraries, measured: 88 MB with oneDNN 2.6
  return code_and_data + openblas_threads * (kStack + kernels::kOpenBlasBuffer);
#else
  static_cast<void>(openblas_threads);
  return 0;
#endif
}

void require_address_space() {
#ifdef XTGRAD_OPENBLAS
  OpenBlasThreads& threads = openblas_threads();
  const std::lock_guard<std::mutex> lock(threads.mutex);
  const std::size_t least = address_space_wanted(static_cast<std::size_t>(threads.count));
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < least)
    throw OutOfMemoryError(
        fmt::format("OpenBLAS with {} threads (OPENBLAS_NUM_THREADS sets their number)", threads.count).c_str(), least);
#endif
}

}  // namespace xtg
