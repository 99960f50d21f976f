#include "tensor/kernels/onednn_conv2d.hpp"

#include "tensor/kernels/conv2d_choice.hpp"
#include "tensor/precision.hpp"

#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE)

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "tensor/kernels/onednn.hpp"
#include "tensor/parallel.hpp"

namespace xtg::kernels {
namespace {

using dnnl::memory;
using Pass = Conv2dPass;

/// What a plan is made for.
struct Request {
  Conv2dGeometry geometry;
  Pass pass;
  Conv2dAlgorithm algorithm;
  bool bfloat16, bias;
};

/// Geometry, pass, algorithm and precision, and then what else a plan depends on: bias and thread count.
using Key = std::array<std::size_t, 16>;
constexpr std::ptrdiff_t kChoiceFields = 14;

Key key_of(const Request& r) {
  const Conv2dGeometry& g = r.geometry;
  const auto pass = static_cast<std::size_t>(r.pass), algorithm = static_cast<std::size_t>(r.algorithm);
  // A primitive splits its work for the thread count it was made with, and its sums with it.
  const auto threads = static_cast<std::size_t>(num_threads());
  return {g.n,       g.h,        g.w,      g.in, g.out,     g.kh,       g.kw,   g.stride,
          g.padding, g.dilation, g.groups, pass, algorithm, r.bfloat16, r.bias, threads};
}

/// A convolution made ready: the primitive, and how its arrays lie. Those that do not lie as ours (channels-last,
/// float; weights (O, KH, KW, I)) are reordered. In our order oneDNN would silently run its reference loops on the
/// weights. Any number of threads can use one at once.
struct Plan {
  Conv2dChoice choice;
  Layout x, w, y, bias;
  Primitive convolution;
  std::atomic<bool> ran{false};
};
using PlanPtr = std::shared_ptr<Plan>;

/// A convolution's arrays as ours lie. Dimensions are (N, C, H, W) and (O, I, H, W) whatever their order in memory,
/// which the tag gives.
struct Arrays {
  explicit Arrays(const Conv2dGeometry& g) {
    using tag = memory::format_tag;
    const auto dim = [](std::size_t n) { return static_cast<memory::dim>(n); };
    const auto f32 = memory::data_type::f32;
    const bool grouped = g.groups > 1;
    x_dims = {dim(g.n), dim(g.in), dim(g.h), dim(g.w)};
    w_dims = {dim(g.out / g.groups), dim(g.in / g.groups), dim(g.kh), dim(g.kw)};
    if (grouped) w_dims.insert(w_dims.begin(), dim(g.groups));
    y_dims = {dim(g.n), dim(g.out), dim(g.oh), dim(g.ow)};
    x = memory::desc(x_dims, f32, tag::nhwc);
    w = memory::desc(w_dims, f32, grouped ? tag::gohwi : tag::ohwi);
    y = memory::desc(y_dims, f32, tag::nhwc);
    bias = memory::desc({dim(g.out)}, f32, tag::x);
  }
  memory::dims x_dims, w_dims, y_dims;
  memory::desc x, w, y, bias;
};

/// The convolution as the primitive is to have it. In bfloat16 the array that pass `computes` computes is float.
ConvolutionDescription describe(const Request& request, std::optional<Pass> computes) {
  using tag = memory::format_tag;
  const Conv2dGeometry& g = request.geometry;
  const Arrays ours(g);
  const auto dim = [](std::size_t n) { return static_cast<memory::dim>(n); };
  const tag layout = request.algorithm == Conv2dAlgorithm::Direct ? tag::nhwc : tag::any;
  const auto described = [&](const memory::dims& dims, Pass computed_by, tag order) {
    const bool half = request.bfloat16 && computes != computed_by;
    return memory::desc(dims, half ? memory::data_type::bf16 : memory::data_type::f32, order);
  };
  const auto rest = [&](std::size_t size, std::size_t kernel, std::size_t out) {  // negative: windows end early
    return dim((out - 1) * g.stride + (kernel - 1) * g.dilation + 1) - dim(size) - dim(g.padding);
  };
  return {request.algorithm == Conv2dAlgorithm::Winograd ? dnnl::algorithm::convolution_winograd
                                                         : dnnl::algorithm::convolution_direct,
          described(ours.x_dims, Pass::BackwardInput, layout),
          described(ours.w_dims, Pass::BackwardWeight, tag::any),
          described(ours.y_dims, Pass::Forward, layout),
          {dim(g.stride), dim(g.stride)},
          {dim(g.dilation - 1), dim(g.dilation - 1)},
          {dim(g.padding), dim(g.padding)},
          {rest(g.h, g.kh, g.oh), rest(g.w, g.kw, g.ow)}};
}

/// Throws dnnl::error where oneDNN has no such convolution.
PlanPtr make_plan(const Request& request) {
  auto plan = std::make_shared<Plan>();
  const Arrays ours(request.geometry);
  const auto take = [&](const auto& pd, const auto& primitive, const memory::desc& x, const memory::desc& w,
                        const memory::desc& y) {
    plan->choice = {request.geometry, request.pass, request.bfloat16, request.algorithm, pd.impl_info_str()};
    plan->convolution = Primitive(pd, primitive);
    plan->x = Layout(ours.x, x, request.pass == Pass::BackwardInput);
    plan->w = Layout(ours.w, w, request.pass == Pass::BackwardWeight);
    plan->y = Layout(ours.y, y, request.pass == Pass::Forward);
    plan->bias = Layout(ours.bias, ours.bias, false);
  };
  const ConvolutionDescription description = describe(request, request.pass);
  if (request.pass == Pass::Forward) {
    const auto pd = convolution_forward(description, request.bias ? &ours.bias : nullptr);
    take(pd, dnnl::convolution_forward(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc());
    return plan;
  }
  // The backward passes want a forward of the same arguments as a hint, in bfloat16 with all three arrays of that type.
  // next_impl reads it, too: it has to live as long.
  const auto hint = convolution_forward(describe(request, std::nullopt), nullptr);
  if (request.pass == Pass::BackwardInput) {
    auto pd = convolution_backward<dnnl::convolution_backward_data>(description, hint);
    // oneDNN 3's first choice for strides takes one and a half times as long in float as its second.
    while (!request.bfloat16 && std::string(pd.impl_info_str()).rfind("brgconv_strided", 0) == 0 && pd.next_impl()) {
    }
    take(pd, dnnl::convolution_backward_data(pd), pd.diff_src_desc(), pd.weights_desc(), pd.diff_dst_desc());
  } else {
    const auto pd = convolution_backward<dnnl::convolution_backward_weights>(description, hint);
    take(pd, dnnl::convolution_backward_weights(pd), pd.src_desc(), pd.diff_weights_desc(), pd.diff_dst_desc());
  }
  return plan;
}

/// Far more than a program's layers need; so that one with ever new image sizes does not grow.
constexpr std::size_t kMaxPlans = 1000;

/// The plans made so far. Never destroyed, as operations may run in destructors at exit.
struct Cache {
  std::mutex mutex;  // held while a plan is looked up or made, never while one runs
  std::map<Key, PlanPtr> plans;
  std::vector<std::pair<Key, PlanPtr>> order;  // of their making
};

Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

/// oneDNN computes places in int, so windows that reach far beyond an image are left to the matrix product.
constexpr std::size_t kFar = std::size_t{1} << 15;

/// The plan for a request, null where there is none or an array is empty: there oneDNN would leave the result as it is.
PlanPtr plan_for(const Request& request) {
  const Conv2dGeometry& g = request.geometry;
  if (g.n * g.h * g.w * g.in * g.out == 0 || std::max({g.stride, g.padding, g.dilation}) > kFar) return nullptr;
  Cache& c = cache();
  const Key key = key_of(request);
  const std::lock_guard<std::mutex> lock(c.mutex);
  if (const auto found = c.plans.find(key); found != c.plans.end()) return found->second;
  if (c.plans.size() >= kMaxPlans) {
    c.order.clear();
    c.plans.clear();
  }
  PlanPtr plan;
  require_room();
  try {
    plan = make_plan(request);
    c.order.emplace_back(key, plan);
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented) throw;
  }
  return c.plans[key] = plan;
}

/// By the chosen algorithm, or where oneDNN lacks it by the direct one; null for reference loops, too: a matrix product
/// is faster.
PlanPtr fast_plan_for(const Conv2dGeometry& g, Pass pass, bool bias) {
  const bool bfloat16 = matmul_precision() == Precision::BFloat16;
  for (const Conv2dAlgorithm algorithm : {chosen_algorithm(g, pass, bfloat16), Conv2dAlgorithm::Direct}) {
    const PlanPtr plan = plan_for({g, pass, algorithm, bfloat16, bias});
    if (plan != nullptr && !is_reference(plan->choice.implementation)) return plan;
  }
  return nullptr;
}

}  // namespace

bool onednn_conv2d_forward(const Conv2dGeometry& g, const Scalar* x, const Scalar* w, const Scalar* bias, Scalar* y) {
  const PlanPtr plan = fast_plan_for(g, Pass::Forward, bias != nullptr);
  if (plan == nullptr) return false;
  plan->ran = true;
  Call call;
  const memory to = call.result(plan->y, y);
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, call.argument(plan->x, x)}, {DNNL_ARG_WEIGHTS, call.argument(plan->w, w)}, {DNNL_ARG_DST, to}};
  if (bias != nullptr) arguments[DNNL_ARG_BIAS] = call.argument(plan->bias, bias);
  call.run(plan->convolution, std::move(arguments));
  call.finish(plan->y, to, y);
  call.wait();
  return true;
}

bool onednn_conv2d_backward(const Conv2dGeometry& g, const Scalar* dy, const Scalar* x, const Scalar* w, Scalar* dx,
                            Scalar* dw) {
  const PlanPtr for_x = dx != nullptr ? fast_plan_for(g, Pass::BackwardInput, false) : nullptr;
  const PlanPtr for_w = dw != nullptr ? fast_plan_for(g, Pass::BackwardWeight, false) : nullptr;
  if ((dx != nullptr && for_x == nullptr) || (dw != nullptr && for_w == nullptr)) return false;
  Call call;
  memory up;
  if (for_x != nullptr) {
    for_x->ran = true;
    up = call.argument(for_x->y, dy);
    const memory to = call.result(for_x->x, dx);
    call.run(for_x->convolution,
             {{DNNL_ARG_DIFF_DST, up}, {DNNL_ARG_WEIGHTS, call.argument(for_x->w, w)}, {DNNL_ARG_DIFF_SRC, to}});
    call.finish(for_x->x, to, dx);
  }
  if (for_w != nullptr) {
    for_w->ran = true;
    if (for_x == nullptr || for_x->y.its != for_w->y.its) up = call.argument(for_w->y, dy);
    const memory to = call.result(for_w->w, dw);
    call.run(for_w->convolution,
             {{DNNL_ARG_DIFF_DST, up}, {DNNL_ARG_SRC, call.argument(for_w->x, x)}, {DNNL_ARG_DIFF_WEIGHTS, to}});
    call.finish(for_w->w, to, dw);
  }
  call.wait();
  return true;
}

std::string onednn_implementation(const Conv2dGeometry& geometry, Pass pass, Conv2dAlgorithm algorithm, bool bfloat16) {
  const PlanPtr plan = plan_for({geometry, pass, algorithm, bfloat16, false});
  return plan != nullptr ? plan->choice.implementation : "";
}

std::vector<Conv2dChoice> onednn_choices() {
  const std::lock_guard<std::mutex> lock(cache().mutex);
  std::vector<Conv2dChoice> choices;
  std::set<std::vector<std::size_t>> listed;  // plans with and without bias are one choice
  for (const auto& [key, plan] : cache().order)
    if (plan->ran && listed.emplace(key.begin(), key.begin() + kChoiceFields).second) choices.push_back(plan->choice);
  return choices;
}

}  // namespace xtg::kernels

#else

namespace xtg::kernels {

bool onednn_conv2d_forward(const Conv2dGeometry&, const Scalar*, const Scalar*, const Scalar*, Scalar*) {
  return false;
}
bool onednn_conv2d_backward(const Conv2dGeometry&, const Scalar*, const Scalar*, const Scalar*, Scalar*, Scalar*) {
  return false;
}
std::string onednn_implementation(const Conv2dGeometry&, Conv2dPass, Conv2dAlgorithm, bool) { return ""; }
std::vector<Conv2dChoice> onednn_choices() { return {}; }

}  // namespace xtg::kernels

#endif
