#include "tensor/conv2d.hpp"

#include <algorithm>

#include "tensor/create.hpp"
#include "tensor/kernels/gemm.hpp"
#include "tensor/kernels/onednn_conv2d.hpp"
#include "tensor/kernels/parallel_for.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

/// Visits the rows of one image's patch matrix (OH·OW, KH·KW·C) in pieces of C elements: visit(offset in the patch
/// matrix, offset in the image, or -1 for a place in the padding).
template <class Visit>
void for_each_piece(const Conv2dGeometry& g, const Visit& visit) {
  std::size_t to = 0;
  for (std::size_t i = 0; i < g.oh; ++i)
    for (std::size_t j = 0; j < g.ow; ++j)
      for (std::size_t a = 0; a < g.kh; ++a)
        for (std::size_t b = 0; b < g.kw; ++b, to += g.in) {
          const std::ptrdiff_t row =
              static_cast<std::ptrdiff_t>(i * g.stride + a) - static_cast<std::ptrdiff_t>(g.padding);
          const std::ptrdiff_t column =
              static_cast<std::ptrdiff_t>(j * g.stride + b) - static_cast<std::ptrdiff_t>(g.padding);
          const bool inside = row >= 0 && row < static_cast<std::ptrdiff_t>(g.h) && column >= 0 &&
                              column < static_cast<std::ptrdiff_t>(g.w);
          visit(to,
                inside ? (row * static_cast<std::ptrdiff_t>(g.w) + column) * static_cast<std::ptrdiff_t>(g.in) : -1);
        }
}

void unfold_image(const Conv2dGeometry& g, const Scalar* image, Scalar* patches) {
  for_each_piece(g, [&](std::size_t to, std::ptrdiff_t from) {
    if (from >= 0)
      std::copy(image + from, image + from + g.in, patches + to);
    else
      std::fill(patches + to, patches + to + g.in, Scalar{0});
  });
}

void fold_image(const Conv2dGeometry& g, const Scalar* patches, Scalar* image) {
  std::fill(image, image + g.h * g.w * g.in, Scalar{0});
  for_each_piece(g, [&](std::size_t from, std::ptrdiff_t to) {
    if (to < 0) return;
    for (std::size_t c = 0; c < g.in; ++c) image[to + static_cast<std::ptrdiff_t>(c)] += patches[from + c];
  });
}

/// Sizes of one image and of its patch matrix.
struct Sizes {
  explicit Sizes(const Conv2dGeometry& g)
      : image(g.h * g.w * g.in), rows(g.oh * g.ow), depth(g.kh * g.kw * g.in), result(g.oh * g.ow * g.out) {}
  std::size_t image, rows, depth, result;
};

void require_shape(const char* name, const char* what, const Shape& shape, const Shape& expected) {
  require<ShapeError>(shape == expected, "{}: expected {} of shape {}, got {}", name, what, to_string(expected),
                      to_string(shape));
}

}  // namespace

Conv2dGeometry conv2d_geometry(const Shape& x, const Shape& w, std::size_t stride, std::size_t padding) {
  require<ShapeError>(x.size() == 4 && w.size() == 4 && x[3] == w[3],
                      "conv2d: expected x (N, H, W, I) and weight (O, KH, KW, I), got {} and {}", to_string(x),
                      to_string(w));
  require(stride >= 1, "conv2d: expected a stride of at least 1, got {}", stride);
  require<ShapeError>(w[1] >= 1 && w[2] >= 1 && x[1] + 2 * padding >= w[1] && x[2] + 2 * padding >= w[2],
                      "conv2d: a kernel of {} x {} does not fit into {} with padding {}", w[1], w[2], to_string(x),
                      padding);
  return {x[0],
          x[1],
          x[2],
          x[3],
          w[0],
          w[1],
          w[2],
          stride,
          padding,
          (x[1] + 2 * padding - w[1]) / stride + 1,
          (x[2] + 2 * padding - w[2]) / stride + 1};
}

Tensor unfold(const Tensor& x, const Conv2dGeometry& g) {
  require_shape("unfold", "x", x.shape(), g.input_shape());
  const Sizes s(g);
  Tensor patches(Shape{g.n * s.rows, s.depth});
  kernels::parallel_for(
      g.n, [&](std::size_t n) { unfold_image(g, x.data() + n * s.image, patches.data() + n * s.rows * s.depth); });
  return patches;
}

Tensor fold(const Tensor& patches, const Conv2dGeometry& g) {
  const Sizes s(g);
  require_shape("fold", "patches", patches.shape(), Shape{g.n * s.rows, s.depth});
  Tensor x(g.input_shape());
  kernels::parallel_for(
      g.n, [&](std::size_t n) { fold_image(g, patches.data() + n * s.rows * s.depth, x.data() + n * s.image); });
  return x;
}

// Without oneDNN, and always in double, each image is a matrix product with its patches, one image at a time so that
// the patches stay in the cache.

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor* bias, std::size_t stride, std::size_t padding) {
  const Conv2dGeometry g = conv2d_geometry(x.shape(), w.shape(), stride, padding);
  if (bias != nullptr) require_shape("conv2d", "bias", bias->shape(), {g.out});
  Tensor y(g.output_shape());
  if (y.size() == 0) return y;
  if (kernels::onednn_conv2d_forward(g, x.data(), w.data(), bias ? bias->data() : nullptr, y.data())) return y;
  const Sizes s(g);
  std::vector<Scalar, Allocator<Scalar>> patches(s.rows * s.depth);
  for (std::size_t n = 0; n < g.n; ++n) {
    unfold_image(g, x.data() + n * s.image, patches.data());
    Scalar* result = y.data() + n * s.result;
    for (std::size_t r = 0; bias != nullptr && r < s.rows; ++r)
      std::copy(bias->data(), bias->data() + g.out, result + r * g.out);
    kernels::gemm(s.rows, g.out, s.depth, patches.data(), false, w.data(), true, result, bias != nullptr);
  }
  return y;
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Conv2dGeometry& g) {
  require_shape("conv2d_backward_input", "dy", dy.shape(), g.output_shape());
  require_shape("conv2d_backward_input", "w", w.shape(), g.weight_shape());
  Tensor dx(g.input_shape());
  if (dx.size() == 0) return dx;
  if (kernels::onednn_conv2d_backward_input(g, dy.data(), w.data(), dx.data())) return dx;
  const Sizes s(g);
  std::vector<Scalar, Allocator<Scalar>> patches(s.rows * s.depth);
  for (std::size_t n = 0; n < g.n; ++n) {
    kernels::gemm(s.rows, s.depth, g.out, dy.data() + n * s.result, false, w.data(), false, patches.data(), false);
    fold_image(g, patches.data(), dx.data() + n * s.image);
  }
  return dx;
}

Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dGeometry& g) {
  require_shape("conv2d_backward_weight", "dy", dy.shape(), g.output_shape());
  require_shape("conv2d_backward_weight", "x", x.shape(), g.input_shape());
  Tensor dw = zeros(g.weight_shape());
  if (dy.size() == 0) return dw;
  if (kernels::onednn_conv2d_backward_weight(g, dy.data(), x.data(), dw.data())) return dw;
  const Sizes s(g);
  std::vector<Scalar, Allocator<Scalar>> patches(s.rows * s.depth);
  for (std::size_t n = 0; n < g.n; ++n) {
    unfold_image(g, x.data() + n * s.image, patches.data());
    kernels::gemm(g.out, s.depth, s.rows, dy.data() + n * s.result, true, patches.data(), false, dw.data(), true);
  }
  return dw;
}

std::string conv2d_implementation(const Conv2dGeometry& geometry, const std::string& pass) {
  const std::string name = kernels::onednn_implementation(geometry, pass);
  return name.empty() ? "gemm" : name;
}

}  // namespace xtg
