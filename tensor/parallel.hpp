#pragma once

namespace xtg {

/// Threads used inside one operation, by OpenMP, oneDNN and BLAS alike, when the calling thread runs it: each thread
/// has a number of its own, at first OpenMP's default. 1 in a build without OpenMP.
int num_threads();
/// Sets it for the calling thread; OpenBLAS has one number for the process, which is then n. Throws ValueError for
/// n < 1 or n > 4096. A result may depend on the thread count, never on timing. After fork() a child must call
/// set_num_threads(1) before any operation: it has none of OpenMP's threads, and would wait for them.
void set_num_threads(int n);

}  // namespace xtg
