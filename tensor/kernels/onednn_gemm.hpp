#pragma once

#include <cstddef>

#include "../tensor.hpp"

namespace xtg::kernels {

/// The matrix product of gemm.hpp with both factors rounded to bfloat16 and sums in float, by oneDNN. Returns false
/// where matmul_precision() is not BFloat16, or for an empty product; the caller does the work itself then.
bool onednn_gemm(std::size_t m, std::size_t n, std::size_t k, const Scalar* a, bool transpose_a, const Scalar* b,
                 bool transpose_b, Scalar* c, bool accumulate);

}  // namespace xtg::kernels
