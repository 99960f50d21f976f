#include "tensor/kernels/gemm.hpp"

#include <algorithm>

#include "tensor/allocator.hpp"
#include "tensor/kernels/onednn_gemm.hpp"
#include "tensor/parallel.hpp"

#ifdef XTGRAD_OPENBLAS
#include <mutex>
#include <xtensor-blas/xblas.hpp>
#if __has_include(<xtensor/containers/xadapt.hpp>)
#include <xtensor/containers/xadapt.hpp>
#else
#include <xtensor/xadapt.hpp>
#endif
#endif

namespace xtg::kernels {

#ifdef XTGRAD_OPENBLAS
namespace {

/// A product that OpenBLAS runs. Each of those that run at once works in a buffer of its own, which OpenBLAS keeps for
/// the next. Where it cannot have one it tries again for ever, so there must be room before it asks.
class Product {
 public:
  Product() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (running == buffers) {
      require_address_space();
      memory::require_room("OpenBLAS", kOpenBlasBuffer);
      ++buffers;
    }
    ++running;
  }
  ~Product() {
    const std::lock_guard<std::mutex> lock(mutex);
    --running;
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

 private:
  static inline std::mutex mutex;  // not held while a product runs
  static inline int running = 0, buffers = 0;
};

}  // namespace
#endif

void gemm_naive(std::size_t m, std::size_t n, std::size_t k, const Scalar* a, bool transpose_a, const Scalar* b,
                bool transpose_b, Scalar* c, bool accumulate) {
  if (!accumulate) std::fill(c, c + m * n, Scalar{0});
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t p = 0; p < k; ++p) {
      const Scalar aip = transpose_a ? a[p * m + i] : a[i * k + p];
      if (transpose_b)
        for (std::size_t j = 0; j < n; ++j) c[i * n + j] += aip * b[j * k + p];
      else
        for (std::size_t j = 0; j < n; ++j) c[i * n + j] += aip * b[p * n + j];
    }
}

void gemm(std::size_t m, std::size_t n, std::size_t k, const Scalar* a, bool transpose_a, const Scalar* b,
          bool transpose_b, Scalar* c, bool accumulate) {
  if (m == 0 || n == 0) return;
  if (onednn_gemm(m, n, k, a, transpose_a, b, transpose_b, c, accumulate)) return;
#ifdef XTGRAD_OPENBLAS
  if (k > 0) {
    using xt::layout_type;
    const Product product;
    const auto rows_a = transpose_a ? k : m, columns_a = transpose_a ? m : k;
    const auto rows_b = transpose_b ? n : k, columns_b = transpose_b ? k : n;
    const auto A = xt::adapt<layout_type::row_major>(a, rows_a * columns_a, xt::no_ownership(),
                                                     std::array<std::size_t, 2>{rows_a, columns_a});
    const auto B = xt::adapt<layout_type::row_major>(b, rows_b * columns_b, xt::no_ownership(),
                                                     std::array<std::size_t, 2>{rows_b, columns_b});
    auto C = xt::adapt<layout_type::row_major>(c, m * n, xt::no_ownership(), std::array<std::size_t, 2>{m, n});
    xt::blas::gemm(A, B, C, transpose_a, transpose_b, Scalar{1}, accumulate ? Scalar{1} : Scalar{0});
    return;
  }
#endif
  gemm_naive(m, n, k, a, transpose_a, b, transpose_b, c, accumulate);
}

}  // namespace xtg::kernels
