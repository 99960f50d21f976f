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

}  // namespace xtg
