#pragma once

namespace xtg {

/// In what format convolutions and matrix products read their arguments. Sums, results, parameters, norms and losses
/// are Scalar either way; in the spirit of PyTorch's float32_matmul_precision.
///   Full:     as they are.
///   BFloat16: rounded to the upper 16 bits of a float, 8 bits of precision for 24 and the same range; about twice as
///             fast where the processor multiplies pairs of them.
enum class Precision { Full, BFloat16 };

/// Whether this build (float, with oneDNN) on this processor (AVX-512 with BF16 instructions) has it.
bool bfloat16_available();

Precision matmul_precision();
/// For all threads. Throws ValueError for BFloat16 where it is not available.
void set_matmul_precision(Precision precision);

/// Whether each output of a convolution, and of its backward, is the plain sum of its own products: what its window
/// does not see does not change it, and a window of zeros gives 0. Off, the default, allows Winograd's method, which is
/// a third to a half faster where oneDNN has it (version 2, float, 3x3 kernels with many channels). It adds and
/// subtracts neighbors, so an output's error is relative to the largest value within some pixels, not to its own
/// (docs/performance.md has figures).
bool exact_convolutions();
/// For all threads. It comes before the built-in table, set_conv2d_algorithm and set_conv2d_algorithms.
void set_exact_convolutions(bool exact);

}  // namespace xtg
