#include "tensor/kernels/onednn_conv2d.hpp"

#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE)

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "tensor/parallel.hpp"

namespace xtg::kernels {
namespace {

using dnnl::memory;

enum class Pass { Forward, ForwardBias, BackwardInput, BackwardWeight };

/// A convolution made ready for one geometry and pass: the primitive, and the reorder between our weights (O, KH, KW,
/// I) and the blocked format that the primitive asked for. In our order it would silently run its reference loops.
struct Plan {
  memory source, weights, bias, destination;  // source and destination are the activations x and y (or their gradients)
  memory our_weights;
  dnnl::primitive convolution, reorder;
  std::string implementation;
};

/// Far more than a program's layers need; so that one with ever new image sizes does not grow.
constexpr std::size_t kMaxPlans = 1000;

/// oneDNN's engine and the plans made so far. Never destroyed, as operations may run in destructors at exit.
struct Cache {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::mutex mutex;                                                    // a plan's memory handles are set for each run
  std::map<std::array<std::size_t, 13>, std::unique_ptr<Plan>> plans;  // one per geometry, pass and thread count
};

Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

std::unique_ptr<Plan> make_plan(const dnnl::engine& engine, const Conv2dGeometry& g, Pass pass) {
  using tag = memory::format_tag;
  const auto dim = [](std::size_t n) { return static_cast<memory::dim>(n); };
  const auto f32 = memory::data_type::f32;
  // oneDNN names dimensions (N, C, H, W) and (O, I, H, W) whatever their order in memory, which the tag gives.
  const memory::desc x({dim(g.n), dim(g.in), dim(g.h), dim(g.w)}, f32, tag::nhwc);
  const memory::desc y({dim(g.n), dim(g.out), dim(g.oh), dim(g.ow)}, f32, tag::nhwc);
  const bool grouped = g.groups > 1;
  memory::dims weight_dims = {dim(g.out / g.groups), dim(g.in / g.groups), dim(g.kh), dim(g.kw)};
  if (grouped) weight_dims.insert(weight_dims.begin(), dim(g.groups));
  const memory::desc w(weight_dims, f32, tag::any), our_w(weight_dims, f32, grouped ? tag::gohwi : tag::ohwi);
  const memory::desc b({dim(g.out)}, f32, tag::x);
  const memory::dims stride = {dim(g.stride), dim(g.stride)};
  const memory::dims dilates = {dim(g.dilation - 1), dim(g.dilation - 1)};
  const memory::dims before = {dim(g.padding), dim(g.padding)};
  const auto rest = [&](std::size_t size, std::size_t kernel,
                        std::size_t out) {  // may be negative, as windows end early
    return dim((out - 1) * g.stride + (kernel - 1) * g.dilation + 1) - dim(size) - dim(g.padding);
  };
  const memory::dims after = {rest(g.h, g.kh, g.oh), rest(g.w, g.kw, g.ow)};
  const auto direct = dnnl::algorithm::convolution_direct;

  auto plan = std::make_unique<Plan>();
  const auto fill = [&](const auto& pd, const memory::desc& weights) {
    plan->source = memory(x, engine, nullptr);
    plan->destination = memory(y, engine, nullptr);
    plan->bias = memory(b, engine, nullptr);
    plan->our_weights = memory(our_w, engine, nullptr);
    plan->weights = memory(weights, engine);
    plan->implementation = pd.impl_info_str();
    plan->reorder = pass == Pass::BackwardWeight ? dnnl::reorder(plan->weights, plan->our_weights)
                                                 : dnnl::reorder(plan->our_weights, plan->weights);
  };
  const dnnl::convolution_forward::desc forward =
      pass == Pass::ForwardBias ? dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training, direct, x, w, b, y,
                                                                  stride, dilates, before, after)
                                : dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training, direct, x, w, y,
                                                                  stride, dilates, before, after);
  const dnnl::convolution_forward::primitive_desc hint(forward, engine);
  if (pass == Pass::BackwardInput) {
    const dnnl::convolution_backward_data::primitive_desc pd({direct, x, w, y, stride, dilates, before, after}, engine,
                                                             hint);
    fill(pd, pd.weights_desc());
    plan->convolution = dnnl::convolution_backward_data(pd);
  } else if (pass == Pass::BackwardWeight) {
    const dnnl::convolution_backward_weights::primitive_desc pd({direct, x, w, y, stride, dilates, before, after},
                                                                engine, hint);
    fill(pd, pd.diff_weights_desc());
    plan->convolution = dnnl::convolution_backward_weights(pd);
  } else {
    fill(hint, hint.weights_desc());
    plan->convolution = dnnl::convolution_forward(hint);
  }
  return plan;
}

/// The plan for a geometry and pass, null if an array is empty: there oneDNN would leave the result as it is. The
/// cache's mutex is held.
Plan* plan_for(const Conv2dGeometry& g, Pass pass) {
  if (g.n * g.h * g.w * g.in * g.out == 0) return nullptr;
  Cache& c = cache();
  // A primitive splits its work for the thread count it was made with, and its sums with it.
  const auto threads = static_cast<std::size_t>(num_threads());
  if (c.plans.size() >= kMaxPlans) c.plans.clear();
  auto& plan = c.plans[{g.n, g.h, g.w, g.in, g.out, g.kh, g.kw, g.stride, g.padding, g.dilation, g.groups,
                        static_cast<std::size_t>(pass), threads}];
  if (!plan) plan = make_plan(c.engine, g, pass);
  return plan.get();
}

/// The same, but null for oneDNN's reference loops, too: a matrix product is faster.
Plan* fast_plan_for(const Conv2dGeometry& g, Pass pass) {
  Plan* const plan = plan_for(g, pass);
  return plan == nullptr || is_reference(plan->implementation) ? nullptr : plan;
}

/// oneDNN takes pointers to mutable data also for what it only reads.
void set(memory& m, const Scalar* data) { m.set_data_handle(const_cast<Scalar*>(data)); }

}  // namespace

bool onednn_conv2d_forward(const Conv2dGeometry& g, const Scalar* x, const Scalar* w, const Scalar* bias, Scalar* y) {
  Cache& c = cache();
  const std::lock_guard<std::mutex> lock(c.mutex);
  Plan* const plan = fast_plan_for(g, bias != nullptr ? Pass::ForwardBias : Pass::Forward);
  if (plan == nullptr) return false;
  set(plan->source, x);
  set(plan->our_weights, w);
  set(plan->destination, y);
  plan->reorder.execute(c.stream, {{DNNL_ARG_FROM, plan->our_weights}, {DNNL_ARG_TO, plan->weights}});
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, plan->source}, {DNNL_ARG_WEIGHTS, plan->weights}, {DNNL_ARG_DST, plan->destination}};
  if (bias != nullptr) {
    set(plan->bias, bias);
    arguments[DNNL_ARG_BIAS] = plan->bias;
  }
  plan->convolution.execute(c.stream, arguments);
  c.stream.wait();
  return true;
}

bool onednn_conv2d_backward_input(const Conv2dGeometry& g, const Scalar* dy, const Scalar* w, Scalar* dx) {
  Cache& c = cache();
  const std::lock_guard<std::mutex> lock(c.mutex);
  Plan* const plan = fast_plan_for(g, Pass::BackwardInput);
  if (plan == nullptr) return false;
  set(plan->destination, dy);
  set(plan->our_weights, w);
  set(plan->source, dx);
  plan->reorder.execute(c.stream, {{DNNL_ARG_FROM, plan->our_weights}, {DNNL_ARG_TO, plan->weights}});
  plan->convolution.execute(
      c.stream,
      {{DNNL_ARG_DIFF_DST, plan->destination}, {DNNL_ARG_WEIGHTS, plan->weights}, {DNNL_ARG_DIFF_SRC, plan->source}});
  c.stream.wait();
  return true;
}

bool onednn_conv2d_backward_weight(const Conv2dGeometry& g, const Scalar* dy, const Scalar* x, Scalar* dw) {
  Cache& c = cache();
  const std::lock_guard<std::mutex> lock(c.mutex);
  Plan* const plan = fast_plan_for(g, Pass::BackwardWeight);
  if (plan == nullptr) return false;
  set(plan->destination, dy);
  set(plan->source, x);
  set(plan->our_weights, dw);
  plan->convolution.execute(
      c.stream,
      {{DNNL_ARG_DIFF_DST, plan->destination}, {DNNL_ARG_SRC, plan->source}, {DNNL_ARG_DIFF_WEIGHTS, plan->weights}});
  plan->reorder.execute(c.stream, {{DNNL_ARG_FROM, plan->weights}, {DNNL_ARG_TO, plan->our_weights}});
  c.stream.wait();
  return true;
}

std::string onednn_implementation(const Conv2dGeometry& geometry, const std::string& pass) {
  const std::lock_guard<std::mutex> lock(cache().mutex);
  const Plan* const plan = plan_for(geometry, pass == "forward"          ? Pass::Forward
                                              : pass == "backward_input" ? Pass::BackwardInput
                                                                         : Pass::BackwardWeight);
  return plan != nullptr ? plan->implementation : "";
}

}  // namespace xtg::kernels

#else

namespace xtg::kernels {

bool onednn_conv2d_forward(const Conv2dGeometry&, const Scalar*, const Scalar*, const Scalar*, Scalar*) {
  return false;
}
bool onednn_conv2d_backward_input(const Conv2dGeometry&, const Scalar*, const Scalar*, Scalar*) { return false; }
bool onednn_conv2d_backward_weight(const Conv2dGeometry&, const Scalar*, const Scalar*, Scalar*) { return false; }
std::string onednn_implementation(const Conv2dGeometry&, const std::string&) { return ""; }

}  // namespace xtg::kernels

#endif
