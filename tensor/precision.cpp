#include "tensor/precision.hpp"

#include <atomic>

#include "tensor/error.hpp"
#include "tensor/tensor.hpp"

#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE)
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace xtg {
namespace {

std::atomic<Precision> current{Precision::Full};
std::atomic<bool> exact{false};

}  // namespace

bool bfloat16_available() {
  // AVX-512 is what x86 has. On ARM, oneDNN gives numbers of the same enumeration that mean something else there.
#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE) && defined(__x86_64__)
  const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  // The names' numbers are sets of bits: each processor has what the ones before it had.
  return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
#else
  return false;
#endif
}

Precision matmul_precision() { return current; }

void set_matmul_precision(Precision precision) {
  require(precision == Precision::Full || bfloat16_available(),
          "set_matmul_precision: bfloat16 needs a float build with oneDNN and a processor with AVX512_BF16");
  current = precision;
}

bool exact_convolutions() { return exact; }
void set_exact_convolutions(bool on) { exact = on; }

}  // namespace xtg
