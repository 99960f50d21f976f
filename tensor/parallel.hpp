#pragma once

#include <cstddef>

namespace xtg {

/// Threads used inside one operation, by OpenMP, oneDNN and BLAS alike, when the calling thread runs it: each thread
/// has a number of its own, at first OpenMP's default. 1 in a build without OpenMP.
int num_threads();
/// Sets it for the calling thread; OpenBLAS has one number for the process, which is then n, or the number of
/// processors if that is smaller. Throws ValueError for n < 1 or n > 4096, OutOfMemoryError if there is no room for so
/// many threads. A result may depend on the thread count, never on timing. After fork() a child must call
/// set_num_threads(1) before any operation: it has none of OpenMP's threads, and would wait for them.
void set_num_threads(int n);

/// How many bytes of address space (ulimit -v) the libraries below take before they compute anything, if OpenBLAS has
/// so many threads: 136 MiB for each of them, and about 100 MB. 0 in a build without OpenBLAS.
std::size_t address_space_wanted(std::size_t openblas_threads) noexcept;

/// Throws OutOfMemoryError if the process may have less than that. OpenBLAS starts its threads when it is loaded, and
/// does not fail where it cannot have the room: 0.3.21's threads try for ever, and so the first product, and the end of
/// the process (but not std::_Exit), wait for ever; 0.3.29 tries for ever before main begins. The library asks this
/// before the first product.
void require_address_space();

}  // namespace xtg
