#pragma once

#include <cstddef>

#include "../tensor.hpp"

namespace xtg::kernels {

/// What OpenBLAS takes for each product that runs, and for each of its threads: its BUFFER_SIZE on x86-64, and a page.
constexpr std::size_t kOpenBlasBuffer = (std::size_t{128} << 20) + 4096;

/// C (m, n) = A (m, k) · B (k, n), or C += with `accumulate`; row-major. transpose_a: A is stored as (k, m);
/// transpose_b: B is stored as (n, k). By BLAS through xtensor-blas; without OpenBLAS by a plain loop. Under
/// Precision::BFloat16 by oneDNN.
void gemm(std::size_t m, std::size_t n, std::size_t k, const Scalar* a, bool transpose_a, const Scalar* b,
          bool transpose_b, Scalar* c, bool accumulate);

/// The same as three nested loops: what the tests compare with, and the build without BLAS.
void gemm_naive(std::size_t m, std::size_t n, std::size_t k, const Scalar* a, bool transpose_a, const Scalar* b,
                bool transpose_b, Scalar* c, bool accumulate);

}  // namespace xtg::kernels
