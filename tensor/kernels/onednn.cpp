#if defined(XTGRAD_ONEDNN) && !defined(XTGRAD_DOUBLE)

#include "tensor/kernels/onednn.hpp"

#include "tensor/allocator.hpp"

namespace xtg::kernels {
namespace {

/// oneDNN takes pointers to mutable data also for what it only reads.
dnnl::memory wrap(const dnnl::memory::desc& desc, const Scalar* data) {
  return dnnl::memory(desc, cpu_engine(), const_cast<Scalar*>(data));
}

}  // namespace

const dnnl::engine& cpu_engine() {
  static const auto* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

dnnl::primitive_attr attributes(bool accumulate) {
  dnnl::primitive_attr result;
  result.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1);
    result.set_post_ops(sum);
  }
  return result;
}

Layout::Layout(const dnnl::memory::desc& o, const dnnl::memory::desc& i, bool computed)
    : ours(o), its(i), differs(o != i) {
  if (!differs) return;
  const dnnl::engine& engine = cpu_engine();
  const dnnl::reorder::primitive_desc description(engine, computed ? its : ours, engine, computed ? ours : its,
                                                  attributes());
  reorder = Primitive(description, dnnl::reorder(description));
}

dnnl::memory Call::scratch(const dnnl::memory::desc& desc) {
  const std::size_t bytes = desc.get_size();
  blocks_.emplace_back(memory::allocate(bytes), Release{bytes});
  return dnnl::memory(desc, cpu_engine(), blocks_.back().get());
}

void Call::run(const Primitive& primitive, std::unordered_map<int, dnnl::memory> arguments) {
  if (primitive.scratchpad.get_size() > 0) arguments[DNNL_ARG_SCRATCHPAD] = scratch(primitive.scratchpad);
  primitive.run.execute(stream_, arguments);
}

dnnl::memory Call::argument(const Layout& layout, const Scalar* data) {
  if (!layout.differs) return wrap(layout.ours, data);
  const dnnl::memory copy = scratch(layout.its);
  run(layout.reorder, {{DNNL_ARG_FROM, wrap(layout.ours, data)}, {DNNL_ARG_TO, copy}});
  return copy;
}

dnnl::memory Call::result(const Layout& layout, Scalar* data) {
  return layout.differs ? scratch(layout.its) : wrap(layout.ours, data);
}

void Call::finish(const Layout& layout, const dnnl::memory& computed, Scalar* data) {
  if (layout.differs) run(layout.reorder, {{DNNL_ARG_FROM, computed}, {DNNL_ARG_TO, wrap(layout.ours, data)}});
}

}  // namespace xtg::kernels

#endif
