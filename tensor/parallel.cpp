#include "tensor/parallel.hpp"

#include "tensor/error.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

#ifdef XTGRAD_OPENBLAS
extern "C" void openblas_set_num_threads(int);
#endif

namespace xtg {

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
  omp_set_num_threads(n);
#endif
#ifdef XTGRAD_OPENBLAS
  openblas_set_num_threads(n);
#endif
}

}  // namespace xtg
