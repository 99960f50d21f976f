#pragma once

namespace xtg {

/// Threads used inside one operation, by OpenMP, oneDNN and BLAS alike, when the calling thread runs it: each thread
/// has a number of its own, at first OpenMP's default. 1 in a build without OpenMP.
int num_threads();
/// Sets it for the calling thread; OpenBLAS has one number for the process, which is then n. Throws ValueError for
/// n < 1 or n > 4096, OutOfMemoryError if there is no room for so many threads. A result may depend on the thread
/// count, never on timing. After fork() a child must call set_num_threads(1) before any operation: it has none of
/// OpenMP's threads, and would wait for them.
void set_num_threads(int n);

/// Throws OutOfMemoryError if the process may have less address space (ulimit -v) than the libraries below take before
/// they compute anything: OpenBLAS 136 MiB for each of its threads, which it starts when it is loaded, all of them
/// about 100 MB. OpenBLAS does not fail where it cannot have it: its threads try for ever, and so the first product,
/// and the end of the process (but not std::_Exit), wait for ever. The library asks this before the first product; a
/// program that asks it first ends well where it cannot run.
void require_address_space();

}  // namespace xtg
