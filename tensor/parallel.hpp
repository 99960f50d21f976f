#pragma once

namespace xtg {

/// Threads used inside one operation, by OpenMP, oneDNN and BLAS alike. 1 in a build without OpenMP.
int num_threads();
/// Throws ValueError for n < 1. A result may depend on the thread count, never on timing.
void set_num_threads(int n);

}  // namespace xtg
