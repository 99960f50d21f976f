#pragma once

// oneDNN, of version 2 or 3, as our convolutions and matrix products use it. The two versions name and order the
// arguments of primitives differently: that difference stands here and nowhere else. For .cpp files that are compiled
// with XTGRAD_ONEDNN.
//
// Primitives are made to take their scratchpads from the caller, so that any number of threads can run one at once:
// a Call has all the memory that a thread needs for it.

#include <cstddef>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "../allocator.hpp"
#include "../tensor.hpp"

namespace xtg::kernels {

/// oneDNN's name for the processor. Never destroyed, as operations may run in destructors at exit.
const dnnl::engine& cpu_engine();

/// Throws OutOfMemoryError where there is little memory: oneDNN writes the code of a primitive to memory that it does
/// not check, and crashes. A primitive and its reorders take a few MB.
inline void require_room() { memory::require_room("oneDNN", std::size_t{32} << 20); }

/// Attributes of all our primitives: with `accumulate` the result is added to what the array has.
dnnl::primitive_attr attributes(bool accumulate = false);

/// The arguments that the three passes of a convolution have in common: x, w and y stand for their gradients, too.
struct ConvolutionDescription {
  dnnl::algorithm algorithm;
  dnnl::memory::desc x, w, y;
  dnnl::memory::dims stride, dilates, before, after;  // dilates: dilation − 1; before, after: padding
};

/// bias may be null. Throws dnnl::error, of status dnnl_unimplemented where there is none, as the others do.
inline dnnl::convolution_forward::primitive_desc convolution_forward(const ConvolutionDescription& d,
                                                                     const dnnl::memory::desc* bias) {
  const auto kind = dnnl::prop_kind::forward_training;
  const dnnl::memory::desc none;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), kind,     d.algorithm, d.x,      d.w,     bias ? *bias : none,
          d.y,          d.stride, d.dilates,   d.before, d.after, attributes()};
#else
  return {{kind, d.algorithm, d.x, d.w, bias ? *bias : none, d.y, d.stride, d.dilates, d.before, d.after},
          attributes(),
          cpu_engine()};
#endif
}

/// Backward: dnnl::convolution_backward_data or dnnl::convolution_backward_weights, which take the same arguments.
/// `hint` is a forward of these.
template <class Backward>
typename Backward::primitive_desc convolution_backward(const ConvolutionDescription& d,
                                                       const dnnl::convolution_forward::primitive_desc& hint) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), d.algorithm, d.x, d.w, d.y, d.stride, d.dilates, d.before, d.after, hint, attributes()};
#else
  return {{d.algorithm, d.x, d.w, d.y, d.stride, d.dilates, d.before, d.after}, attributes(), cpu_engine(), hint};
#endif
}

/// c = a·b, or c += a·b.
inline dnnl::matmul::primitive_desc matrix_product(const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                                                   const dnnl::memory::desc& c, bool accumulate) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), a, b, c, attributes(accumulate)};
#else
  return {{a, b, c}, attributes(accumulate), cpu_engine()};
#endif
}

/// A primitive, and what it wants as scratchpad.
struct Primitive {
  Primitive() = default;
  template <class Description, class Made>
  Primitive(const Description& description, const Made& made) : run(made), scratchpad(description.scratchpad_desc()) {}

  dnnl::primitive run;
  dnnl::memory::desc scratchpad;
};

/// How an array lies: as ours do, and as a primitive wants it; where the two differ, `reorder` copies it to the
/// primitive, or from it what it computes.
struct Layout {
  Layout() = default;
  Layout(const dnnl::memory::desc& ours, const dnnl::memory::desc& its, bool computed);

  dnnl::memory::desc ours, its;
  Primitive reorder;
  bool differs = false;
};

/// A thread's call of primitives, with the memory that it takes: arrays that are copied, and scratchpads.
class Call {
 public:
  /// An argument as the primitive wants it: the array itself, or a copy.
  dnnl::memory argument(const Layout& layout, const Scalar* data);
  /// Where the primitive is to write: the array itself, or memory that `finish` copies into it.
  dnnl::memory result(const Layout& layout, Scalar* data);
  void finish(const Layout& layout, const dnnl::memory& computed, Scalar* data);
  void run(const Primitive& primitive, std::unordered_map<int, dnnl::memory> arguments);
  void wait() { stream_.wait(); }

 private:
  dnnl::memory scratch(const dnnl::memory::desc& desc);

  struct Release {
    std::size_t bytes;
    void operator()(void* block) const { memory::release(block, bytes); }
  };
  dnnl::stream stream_{cpu_engine()};
  std::vector<std::unique_ptr<void, Release>> blocks_;
};

}  // namespace xtg::kernels
