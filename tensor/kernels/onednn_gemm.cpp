#include "tensor/kernels/onednn_gemm.hpp"

#include "tensor/precision.hpp"

#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE)

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "tensor/kernels/onednn.hpp"
#include "tensor/parallel.hpp"

namespace xtg::kernels {
namespace {

using dnnl::memory;

/// A product made ready: both factors are rounded to bfloat16, in the layout that it asked for. Any number of threads
/// can use one at once.
struct Plan {
  Layout a, b, c;
  Primitive product;
};
using PlanPtr = std::shared_ptr<const Plan>;

constexpr std::size_t kMaxPlans = 1000;

/// Never destroyed, as operations may run in destructors at exit.
struct Cache {
  std::mutex mutex;  // held while a plan is looked up or made, never while one runs
  std::map<std::array<std::size_t, 7>, PlanPtr> plans;
};

Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

PlanPtr make_plan(std::size_t m, std::size_t n, std::size_t k, bool transpose_a, bool transpose_b, bool accumulate) {
  using tag = memory::format_tag;
  const auto dim = [](std::size_t size) { return static_cast<memory::dim>(size); };
  const auto f32 = memory::data_type::f32, bf16 = memory::data_type::bf16;
  const memory::dims a = {dim(m), dim(k)}, b = {dim(k), dim(n)};
  const memory::desc c({dim(m), dim(n)}, f32, tag::ab);
  const auto pd = matrix_product(memory::desc(a, bf16, tag::any), memory::desc(b, bf16, tag::any), c, accumulate);
  auto plan = std::make_shared<Plan>();
  plan->a = Layout(memory::desc(a, f32, transpose_a ? tag::ba : tag::ab), pd.src_desc(), false);
  plan->b = Layout(memory::desc(b, f32, transpose_b ? tag::ba : tag::ab), pd.weights_desc(), false);
  plan->c = Layout(c, c, true);
  plan->product = Primitive(pd, dnnl::matmul(pd));
  return plan;
}

PlanPtr plan_for(std::size_t m, std::size_t n, std::size_t k, bool transpose_a, bool transpose_b, bool accumulate) {
  Cache& all = cache();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (all.plans.size() >= kMaxPlans) all.plans.clear();
  const auto threads = static_cast<std::size_t>(num_threads());  // a primitive splits its sums for them
  PlanPtr& plan = all.plans[{m, n, k, transpose_a, transpose_b, accumulate, threads}];
  if (plan == nullptr) {
    require_room();
    plan = make_plan(m, n, k, transpose_a, transpose_b, accumulate);
  }
  return plan;
}

}  // namespace

bool onednn_gemm(std::size_t m, std::size_t n, std::size_t k, const Scalar* a, bool transpose_a, const Scalar* b,
                 bool transpose_b, Scalar* c, bool accumulate) {
  if (matmul_precision() != Precision::BFloat16 || m * n * k == 0) return false;
  const PlanPtr plan = plan_for(m, n, k, transpose_a, transpose_b, accumulate);
  Call call;
  call.run(plan->product, {{DNNL_ARG_SRC, call.argument(plan->a, a)},
                           {DNNL_ARG_WEIGHTS, call.argument(plan->b, b)},
                           {DNNL_ARG_DST, call.result(plan->c, c)}});
  call.wait();
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
