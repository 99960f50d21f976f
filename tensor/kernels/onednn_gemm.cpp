#include "tensor/kernels/onednn_gemm.hpp"

#include "tensor/precision.hpp"

#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE)

#include <array>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>

#include "tensor/parallel.hpp"

namespace xtg::kernels {
namespace {

using dnnl::memory;

/// A product made ready: both factors are rounded into buffers of its own, in the layout that it asked for.
struct Plan {
  memory::desc our_a, our_b, c;
  memory a, b;
  dnnl::reorder round_a, round_b;
  dnnl::matmul product;
};

constexpr std::size_t kMaxPlans = 1000;

/// Never destroyed, as operations may run in destructors at exit.
struct Cache {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::mutex mutex;
  std::map<std::array<std::size_t, 7>, Plan> plans;
};

Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

Plan make_plan(const dnnl::engine& engine, std::size_t m, std::size_t n, std::size_t k, bool transpose_a,
               bool transpose_b, bool accumulate) {
  using tag = memory::format_tag;
  const auto dim = [](std::size_t size) { return static_cast<memory::dim>(size); };
  const auto f32 = memory::data_type::f32, bf16 = memory::data_type::bf16;
  Plan plan;
  plan.our_a = memory::desc({dim(m), dim(k)}, f32, transpose_a ? tag::ba : tag::ab);
  plan.our_b = memory::desc({dim(k), dim(n)}, f32, transpose_b ? tag::ba : tag::ab);
  plan.c = memory::desc({dim(m), dim(n)}, f32, tag::ab);
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1);
    attributes.set_post_ops(sum);
  }
  const dnnl::matmul::primitive_desc pd(
      {memory::desc({dim(m), dim(k)}, bf16, tag::any), memory::desc({dim(k), dim(n)}, bf16, tag::any), plan.c},
      attributes, engine);
  plan.a = memory(pd.src_desc(), engine);
  plan.b = memory(pd.weights_desc(), engine);
  plan.round_a = dnnl::reorder(memory(plan.our_a, engine, nullptr), plan.a);
  plan.round_b = dnnl::reorder(memory(plan.our_b, engine, nullptr), plan.b);
  plan.product = dnnl::matmul(pd);
  return plan;
}

}  // namespace

bool onednn_gemm(std::size_t m, std::size_t n, std::size_t k, const Scalar* a, bool transpose_a, const Scalar* b,
                 bool transpose_b, Scalar* c, bool accumulate) {
  if (matmul_precision() != Precision::BFloat16 || m * n * k == 0) return false;
  Cache& all = cache();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (all.plans.size() >= kMaxPlans) all.plans.clear();
  const auto threads = static_cast<std::size_t>(num_threads());  // a primitive splits its sums for them
  const auto [entry, is_new] = all.plans.try_emplace({m, n, k, transpose_a, transpose_b, accumulate, threads});
  Plan& plan = entry->second;
  if (is_new) plan = make_plan(all.engine, m, n, k, transpose_a, transpose_b, accumulate);
  // oneDNN takes pointers to mutable data also for what it only reads.
  const auto wrap = [&](const memory::desc& desc, const Scalar* data) {
    return memory(desc, all.engine, const_cast<Scalar*>(data));
  };
  plan.round_a.execute(all.stream, {{DNNL_ARG_FROM, wrap(plan.our_a, a)}, {DNNL_ARG_TO, plan.a}});
  plan.round_b.execute(all.stream, {{DNNL_ARG_FROM, wrap(plan.our_b, b)}, {DNNL_ARG_TO, plan.b}});
  plan.product.execute(all.stream,
                       {{DNNL_ARG_SRC, plan.a}, {DNNL_ARG_WEIGHTS, plan.b}, {DNNL_ARG_DST, wrap(plan.c, c)}});
  all.stream.wait();
  return true;
}

}  // namespace xtg::kernels

#else

namespace xtg::kernels {

bool onednn_gemm(std::size_t, std::size_t, std::size_t, const Scalar*, bool, const Scalar*, bool, Scalar*, bool) {
  return false;
}

}  // namespace xtg::kernels

#endif
