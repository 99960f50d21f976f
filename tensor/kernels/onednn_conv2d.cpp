#include "tensor/kernels/onednn_conv2d.hpp"

#include "tensor/kernels/conv2d_choice.hpp"
#include "tensor/precision.hpp"

#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE)

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <set>
#include <unordered_map>

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

/// A convolution made ready: the primitive, and how its arrays lie. Those that do not lie as ours (channels-last,
/// float; weights (O, KH, KW, I)) are reordered. In our order oneDNN would silently run its reference loops on the
/// weights.
struct Plan {
  Conv2dChoice choice;
  memory::desc x, w, y, bias, our_x, our_w, our_y;
  memory weights;  // the blocked ones
  Key key;
  bool ran = false;
  dnnl::primitive convolution;
  dnnl::reorder reorder_x, reorder_w, reorder_y;  // to the primitive, or from it for what it computes
};

/// Memory that one reordered array at a time needs; grows to the largest.
class Scratch {
 public:
  void* of_size(std::size_t bytes) {
    if (bytes > bytes_.size()) bytes_ = std::vector<char, Allocator<char>>(bytes);
    return bytes_.data();
  }

 private:
  std::vector<char, Allocator<char>> bytes_;
};

/// Far more than a program's layers need; so that one with ever new image sizes does not grow.
constexpr std::size_t kMaxPlans = 1000;

/// oneDNN's engine and the plans made so far. Never destroyed, as operations may run in destructors at exit.
struct Cache {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::mutex mutex;  // plans and scratch memory are used by one convolution at a time
  std::map<Key, std::unique_ptr<Plan>> plans;
  std::vector<const Plan*> order;  // of their making
  Scratch x, y;
};

Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

/// The arrays of a convolution as oneDNN describes them: dimensions are (N, C, H, W) and (O, I, H, W) whatever their
/// order in memory, which the tag gives.
struct Description {
  Description(const Request& request, const dnnl::engine& engine) {
    using tag = memory::format_tag;
    const Conv2dGeometry& g = request.geometry;
    const auto dim = [](std::size_t n) { return static_cast<memory::dim>(n); };
    const auto f32 = memory::data_type::f32, half = request.bfloat16 ? memory::data_type::bf16 : f32;
    const bool grouped = g.groups > 1;
    const memory::dims x_dims = {dim(g.n), dim(g.in), dim(g.h), dim(g.w)};
    const memory::dims y_dims = {dim(g.n), dim(g.out), dim(g.oh), dim(g.ow)};
    memory::dims w_dims = {dim(g.out / g.groups), dim(g.in / g.groups), dim(g.kh), dim(g.kw)};
    if (grouped) w_dims.insert(w_dims.begin(), dim(g.groups));
    our_x = memory::desc(x_dims, f32, tag::nhwc);
    our_w = memory::desc(w_dims, f32, grouped ? tag::gohwi : tag::ohwi);
    our_y = memory::desc(y_dims, f32, tag::nhwc);
    bias = memory::desc({dim(g.out)}, f32, tag::x);

    const tag layout = request.algorithm == Conv2dAlgorithm::Direct ? tag::nhwc : tag::any;
    const auto type = [&](Pass computes) { return request.pass == computes ? f32 : half; };
    const memory::desc x(x_dims, type(Pass::BackwardInput), layout);
    const memory::desc w(w_dims, type(Pass::BackwardWeight), tag::any);
    const memory::desc y(y_dims, type(Pass::Forward), layout);
    const auto algorithm = request.algorithm == Conv2dAlgorithm::Winograd ? dnnl::algorithm::convolution_winograd
                                                                          : dnnl::algorithm::convolution_direct;
    const memory::dims stride = {dim(g.stride), dim(g.stride)};
    const memory::dims dilates = {dim(g.dilation - 1), dim(g.dilation - 1)};
    const memory::dims before = {dim(g.padding), dim(g.padding)};
    const auto rest = [&](std::size_t size, std::size_t kernel, std::size_t out) {  // negative: windows end early
      return dim((out - 1) * g.stride + (kernel - 1) * g.dilation + 1) - dim(size) - dim(g.padding);
    };
    const memory::dims after = {rest(g.h, g.kh, g.oh), rest(g.w, g.kw, g.ow)};

    // The backward passes want a forward of the same arguments as a hint.
    const auto hint = [&](const memory::desc& a, const memory::desc& b, const memory::desc& c) {
      const auto kind = dnnl::prop_kind::forward_training;
      return request.bias
                 ? dnnl::convolution_forward::desc(kind, algorithm, a, b, bias, c, stride, dilates, before, after)
                 : dnnl::convolution_forward::desc(kind, algorithm, a, b, c, stride, dilates, before, after);
    };
    if (request.pass == Pass::Forward) {
      take(dnnl::convolution_forward::primitive_desc(hint(x, w, y), engine));
      return;
    }
    const dnnl::convolution_forward::primitive_desc forward(
        hint(memory::desc(x_dims, half, layout), memory::desc(w_dims, half, tag::any),
             memory::desc(y_dims, half, layout)),
        engine);
    if (request.pass == Pass::BackwardInput)
      take(dnnl::convolution_backward_data::primitive_desc({algorithm, x, w, y, stride, dilates, before, after}, engine,
                                                           forward));
    else
      take(dnnl::convolution_backward_weights::primitive_desc({algorithm, x, w, y, stride, dilates, before, after},
                                                              engine, forward));
  }

  void take(const dnnl::convolution_forward::primitive_desc& pd) {
    set(pd.src_desc(), pd.weights_desc(), pd.dst_desc(), pd.impl_info_str(), dnnl::convolution_forward(pd));
  }
  void take(const dnnl::convolution_backward_data::primitive_desc& pd) {
    set(pd.diff_src_desc(), pd.weights_desc(), pd.diff_dst_desc(), pd.impl_info_str(),
        dnnl::convolution_backward_data(pd));
  }
  void take(const dnnl::convolution_backward_weights::primitive_desc& pd) {
    set(pd.src_desc(), pd.diff_weights_desc(), pd.diff_dst_desc(), pd.impl_info_str(),
        dnnl::convolution_backward_weights(pd));
  }
  void set(const memory::desc& x, const memory::desc& w, const memory::desc& y, const std::string& name,
           const dnnl::primitive& primitive) {
    chosen_x = x;
    chosen_w = w;
    chosen_y = y;
    implementation = name;
    convolution = primitive;
  }

  memory::desc our_x, our_w, our_y, bias, chosen_x, chosen_w, chosen_y;
  std::string implementation;
  dnnl::primitive convolution;
};

/// null if oneDNN has no such convolution.
std::unique_ptr<Plan> make_plan(const dnnl::engine& engine, const Request& request) {
  try {
    Description d(request, engine);
    auto plan = std::make_unique<Plan>();
    plan->choice = {request.geometry, request.pass, request.bfloat16, request.algorithm, d.implementation};
    plan->x = d.chosen_x;
    plan->w = d.chosen_w;
    plan->y = d.chosen_y;
    plan->bias = d.bias;
    plan->our_x = d.our_x;
    plan->our_w = d.our_w;
    plan->our_y = d.our_y;
    plan->convolution = d.convolution;
    plan->weights = memory(d.chosen_w, engine);
    const auto reorder = [&](const memory::desc& ours, const memory::desc& its, bool computed) {
      if (ours == its) return dnnl::reorder();
      const memory a(ours, engine, nullptr), b(its, engine, nullptr);
      return computed ? dnnl::reorder(b, a) : dnnl::reorder(a, b);
    };
    plan->reorder_x = reorder(d.our_x, d.chosen_x, request.pass == Pass::BackwardInput);
    plan->reorder_w = reorder(d.our_w, d.chosen_w, request.pass == Pass::BackwardWeight);
    plan->reorder_y = reorder(d.our_y, d.chosen_y, request.pass == Pass::Forward);
    return plan;
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return nullptr;
    throw;
  }
}

/// Forgets all plans if there are too many: before an operation, which may hold several.
void make_room(Cache& c) {
  if (c.plans.size() < kMaxPlans) return;
  c.order.clear();
  c.plans.clear();
}

/// The plan for a request, null where there is none or an array is empty: there oneDNN would leave the result as it is.
/// The cache's mutex is held.
Plan* plan_for(const Request& request) {
  const Conv2dGeometry& g = request.geometry;
  if (g.n * g.h * g.w * g.in * g.out == 0) return nullptr;
  Cache& c = cache();
  // A primitive splits its work for the thread count it was made with, and its sums with it.
  const auto threads = static_cast<std::size_t>(num_threads());
  const auto [entry, is_new] =
      c.plans.try_emplace({g.n, g.h, g.w, g.in, g.out, g.kh, g.kw, g.stride, g.padding, g.dilation, g.groups,
                           static_cast<std::size_t>(request.pass), static_cast<std::size_t>(request.algorithm),
                           request.bfloat16, request.bias, threads});
  if (is_new) {
    entry->second = make_plan(c.engine, request);
    if (entry->second) {
      entry->second->key = entry->first;
      c.order.push_back(entry->second.get());
    }
  }
  return entry->second.get();
}

/// By the chosen algorithm, or where oneDNN lacks it by the direct one; null for reference loops, too: a matrix product
/// is faster.
Plan* fast_plan_for(const Conv2dGeometry& g, Pass pass, bool bias) {
  const bool bfloat16 = matmul_precision() == Precision::BFloat16;
  for (const Conv2dAlgorithm algorithm : {chosen_algorithm(g, pass, bfloat16), Conv2dAlgorithm::Direct}) {
    Plan* const plan = plan_for({g, pass, algorithm, bfloat16, bias});
    if (plan != nullptr && !is_reference(plan->choice.implementation)) return plan;
  }
  return nullptr;
}

/// oneDNN takes pointers to mutable data also for what it only reads.
memory wrap(const memory::desc& desc, const Scalar* data) {
  return memory(desc, cache().engine, const_cast<Scalar*>(data));
}

/// An argument as the plan wants it: the array itself, or a reordered copy.
memory argument(const memory::desc& ours, const memory::desc& its, const dnnl::reorder& reorder, const Scalar* data,
                Scratch& scratch) {
  Cache& c = cache();
  if (!reorder) return wrap(ours, data);
  memory copy(its, c.engine, scratch.of_size(its.get_size()));
  reorder.execute(c.stream, {{DNNL_ARG_FROM, wrap(ours, data)}, {DNNL_ARG_TO, copy}});
  return copy;
}

/// Where the plan is to write: the array itself, or scratch memory that `finish` reorders into the array.
memory result(const memory::desc& ours, const memory::desc& its, const dnnl::reorder& reorder, Scalar* data,
              Scratch& scratch) {
  return reorder ? memory(its, cache().engine, scratch.of_size(its.get_size())) : wrap(ours, data);
}
void finish(const memory::desc& ours, const dnnl::reorder& reorder, const memory& computed, Scalar* data) {
  if (reorder) reorder.execute(cache().stream, {{DNNL_ARG_FROM, computed}, {DNNL_ARG_TO, wrap(ours, data)}});
}

memory weights(const Plan& plan, const Scalar* w) {
  if (!plan.reorder_w) return wrap(plan.our_w, w);
  plan.reorder_w.execute(cache().stream, {{DNNL_ARG_FROM, wrap(plan.our_w, w)}, {DNNL_ARG_TO, plan.weights}});
  return plan.weights;
}

}  // namespace

bool onednn_conv2d_forward(const Conv2dGeometry& g, const Scalar* x, const Scalar* w, const Scalar* bias, Scalar* y) {
  Cache& c = cache();
  const std::lock_guard<std::mutex> lock(c.mutex);
  make_room(c);
  Plan* const plan = fast_plan_for(g, Pass::Forward, bias != nullptr);
  if (plan == nullptr) return false;
  plan->ran = true;
  const memory to = result(plan->our_y, plan->y, plan->reorder_y, y, c.y);
  std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, argument(plan->our_x, plan->x, plan->reorder_x, x, c.x)},
                                               {DNNL_ARG_WEIGHTS, weights(*plan, w)},
                                               {DNNL_ARG_DST, to}};
  if (bias != nullptr) arguments[DNNL_ARG_BIAS] = wrap(plan->bias, bias);
  plan->convolution.execute(c.stream, arguments);
  finish(plan->our_y, plan->reorder_y, to, y);
  c.stream.wait();
  return true;
}

bool onednn_conv2d_backward(const Conv2dGeometry& g, const Scalar* dy, const Scalar* x, const Scalar* w, Scalar* dx,
                            Scalar* dw) {
  Cache& c = cache();
  const std::lock_guard<std::mutex> lock(c.mutex);
  make_room(c);
  Plan* const for_x = dx != nullptr ? fast_plan_for(g, Pass::BackwardInput, false) : nullptr;
  Plan* const for_w = dw != nullptr ? fast_plan_for(g, Pass::BackwardWeight, false) : nullptr;
  if ((dx != nullptr && for_x == nullptr) || (dw != nullptr && for_w == nullptr)) return false;
  memory up;
  if (for_x != nullptr) {
    up = argument(for_x->our_y, for_x->y, for_x->reorder_y, dy, c.y);
    const memory to = result(for_x->our_x, for_x->x, for_x->reorder_x, dx, c.x);
    for_x->ran = true;
    for_x->convolution.execute(
        c.stream, {{DNNL_ARG_DIFF_DST, up}, {DNNL_ARG_WEIGHTS, weights(*for_x, w)}, {DNNL_ARG_DIFF_SRC, to}});
    finish(for_x->our_x, for_x->reorder_x, to, dx);
  }
  if (for_w != nullptr) {
    if (for_x == nullptr || for_x->y != for_w->y) up = argument(for_w->our_y, for_w->y, for_w->reorder_y, dy, c.y);
    const memory from = argument(for_w->our_x, for_w->x, for_w->reorder_x, x, c.x);
    const memory to = for_w->reorder_w ? for_w->weights : wrap(for_w->our_w, dw);
    for_w->ran = true;
    for_w->convolution.execute(c.stream, {{DNNL_ARG_DIFF_DST, up}, {DNNL_ARG_SRC, from}, {DNNL_ARG_DIFF_WEIGHTS, to}});
    finish(for_w->our_w, for_w->reorder_w, to, dw);
  }
  c.stream.wait();
  return true;
}

std::string onednn_implementation(const Conv2dGeometry& geometry, Pass pass, Conv2dAlgorithm algorithm, bool bfloat16) {
  const std::lock_guard<std::mutex> lock(cache().mutex);
  make_room(cache());
  const Plan* const plan = plan_for({geometry, pass, algorithm, bfloat16, false});
  return plan != nullptr ? plan->choice.implementation : "";
}

std::vector<Conv2dChoice> onednn_choices() {
  const std::lock_guard<std::mutex> lock(cache().mutex);
  std::vector<Conv2dChoice> choices;
  std::set<std::vector<std::size_t>> listed;  // plans with and without bias are one choice
  for (const Plan* plan : cache().order)
    if (plan->ran && listed.emplace(plan->key.begin(), plan->key.begin() + kChoiceFields).second)
      choices.push_back(plan->choice);
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
