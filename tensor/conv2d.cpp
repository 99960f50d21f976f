#include "tensor/conv2d.hpp"

#include <algorithm>

#include "tensor/create.hpp"
#include "tensor/kernels/broadcast.hpp"
#include "tensor/kernels/columns.hpp"
#include "tensor/kernels/conv2d_choice.hpp"
#include "tensor/kernels/gemm.hpp"
#include "tensor/kernels/onednn_conv2d.hpp"
#include "tensor/kernels/parallel_for.hpp"
#include "tensor/precision.hpp"
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
              static_cast<std::ptrdiff_t>(i * g.stride + a * g.dilation) - static_cast<std::ptrdiff_t>(g.padding);
          const std::ptrdiff_t column =
              static_cast<std::ptrdiff_t>(j * g.stride + b * g.dilation) - static_cast<std::ptrdiff_t>(g.padding);
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

/// The geometry of each group alone.
Conv2dGeometry one_group(const Conv2dGeometry& g) {
  Conv2dGeometry one = g;
  one.in /= g.groups;
  one.out /= g.groups;
  one.groups = 1;
  return one;
}

/// Channels of a group: run k of the last axis cut into `groups`, and back into its place.
Tensor channels_of(const Tensor& x, std::size_t k, std::size_t groups) {
  const std::size_t n = x.shape().back() / groups;
  Shape shape = x.shape();
  shape.back() = n;
  Tensor part(shape);
  for (std::size_t i = 0; i < part.size(); i += n) std::copy_n(x.data() + i * groups + k * n, n, part.data() + i);
  return part;
}
void set_channels(Tensor& x, std::size_t k, std::size_t groups, const Tensor& part) {
  const std::size_t n = part.shape().back();
  for (std::size_t i = 0; i < part.size(); i += n) std::copy_n(part.data() + i, n, x.data() + i * groups + k * n);
}

/// Filters of a group: run k of the first axis.
Tensor filters_of(const Tensor& w, std::size_t k, std::size_t groups) {
  Shape shape = w.shape();
  shape[0] /= groups;
  Tensor part(shape);
  std::copy_n(w.data() + k * part.size(), part.size(), part.data());
  return part;
}

void require_shape(const char* name, const char* what, const Shape& shape, const Shape& expected) {
  require<ShapeError>(shape == expected, "{}: expected {} of shape {}, got {}", name, what, to_string(expected),
                      to_string(shape));
}

}  // namespace

Conv2dGeometry conv2d_geometry(const Shape& x, const Shape& w, std::size_t stride, std::size_t padding,
                               std::size_t dilation, std::size_t groups) {
  require(stride >= 1 && dilation >= 1 && groups >= 1,
          "conv2d: expected stride, dilation and groups of at least 1, got {}, {} and {}", stride, dilation, groups);
  require_size("conv2d", "stride", stride);
  require_size("conv2d", "padding", padding);
  require_size("conv2d", "dilation", dilation);
  require_size("conv2d", "groups", groups);
  const bool ranks = x.size() == 4 && w.size() == 4;
  require(!ranks || (x[3] % groups == 0 && w[0] % groups == 0),
          "conv2d: {} groups do not divide the channels of x {} and weight {}", groups, to_string(x), to_string(w));
  require<ShapeError>(ranks && x[3] / groups == w[3],
                      "conv2d: expected x (N, H, W, I) and weight (O, KH, KW, I/groups) with groups {}, got {} and {}",
                      groups, to_string(x), to_string(w));
  const auto fits = [&](std::size_t size, std::size_t kernel) {
    return kernel >= 1 && size + 2 * padding >= 1 && kernel - 1 <= (size + 2 * padding - 1) / dilation;
  };
  require<ShapeError>(fits(x[1], w[1]) && fits(x[2], w[2]),
                      "conv2d: a kernel of {} x {} with dilation {} does not fit into {} with padding {}", w[1], w[2],
                      dilation, to_string(x), padding);
  const auto places = [&](std::size_t size, std::size_t kernel) {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  const Conv2dGeometry g = {
      x[0],     x[1],  x[2], x[3], w[0], w[1], w[2], stride, padding, places(x[1], w[1]), places(x[2], w[2]),
      dilation, groups};
  count(g.output_shape());
  return g;
}

Tensor unfold(const Tensor& x, const Conv2dGeometry& g) {
  require_shape("unfold", "x", x.shape(), g.input_shape());
  count({g.n, g.oh, g.ow, g.kh, g.kw, g.in});
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

// Each pass by oneDNN, where it is allowed and takes the shape; otherwise by hand: group by group, and each image of a
// group is a matrix product with its patches, one image at a time so that the patches stay in the cache.

namespace {

enum class Allow { OneDnn, PatchesOnly };

Tensor forward(Allow allow, const Tensor& x, const Tensor& w, const Tensor* bias, const Conv2dGeometry& g) {
  require_shape("conv2d", "x", x.shape(), g.input_shape());
  require_shape("conv2d", "w", w.shape(), g.weight_shape());
  if (bias != nullptr) require_shape("conv2d", "bias", bias->shape(), {g.out});
  Tensor y(g.output_shape());
  if (y.size() == 0) return y;
  if (allow == Allow::OneDnn &&
      kernels::onednn_conv2d_forward(g, x.data(), w.data(), bias ? bias->data() : nullptr, y.data()))
    return y;
  if (g.groups > 1) {
    for (std::size_t k = 0; k < g.groups; ++k) {
      const Tensor x_k = channels_of(x, k, g.groups), w_k = filters_of(w, k, g.groups);
      const Tensor bias_k = bias ? filters_of(*bias, k, g.groups) : Tensor();
      set_channels(y, k, g.groups, forward(allow, x_k, w_k, bias ? &bias_k : nullptr, one_group(g)));
    }
    return y;
  }
  const Sizes s(g);
  Tensor patches(Shape{s.rows, s.depth});
  for (std::size_t n = 0; n < g.n; ++n) {
    unfold_image(g, x.data() + n * s.image, patches.data());
    Scalar* result = y.data() + n * s.result;
    for (std::size_t r = 0; bias != nullptr && r < s.rows; ++r)
      std::copy(bias->data(), bias->data() + g.out, result + r * g.out);
    kernels::gemm(s.rows, g.out, s.depth, patches.data(), false, w.data(), true, result, bias != nullptr);
  }
  return y;
}

Tensor backward_input(Allow allow, const Tensor& dy, const Tensor& w, const Conv2dGeometry& g) {
  require_shape("conv2d_backward_input", "dy", dy.shape(), g.output_shape());
  require_shape("conv2d_backward_input", "w", w.shape(), g.weight_shape());
  Tensor dx(g.input_shape());
  if (dx.size() == 0) return dx;
  if (allow == Allow::OneDnn && kernels::onednn_conv2d_backward(g, dy.data(), nullptr, w.data(), dx.data(), nullptr))
    return dx;
  if (g.groups > 1) {
    for (std::size_t k = 0; k < g.groups; ++k) {
      const Tensor dy_k = channels_of(dy, k, g.groups), w_k = filters_of(w, k, g.groups);
      set_channels(dx, k, g.groups, backward_input(allow, dy_k, w_k, one_group(g)));
    }
    return dx;
  }
  const Sizes s(g);
  Tensor patches(Shape{s.rows, s.depth});
  for (std::size_t n = 0; n < g.n; ++n) {
    kernels::gemm(s.rows, s.depth, g.out, dy.data() + n * s.result, false, w.data(), false, patches.data(), false);
    fold_image(g, patches.data(), dx.data() + n * s.image);
  }
  return dx;
}

Tensor backward_weight(Allow allow, const Tensor& dy, const Tensor& x, const Conv2dGeometry& g) {
  require_shape("conv2d_backward_weight", "dy", dy.shape(), g.output_shape());
  require_shape("conv2d_backward_weight", "x", x.shape(), g.input_shape());
  Tensor dw = zeros(g.weight_shape());
  if (dy.size() == 0) return dw;
  if (allow == Allow::OneDnn && kernels::onednn_conv2d_backward(g, dy.data(), x.data(), nullptr, nullptr, dw.data()))
    return dw;
  if (g.groups > 1) {
    for (std::size_t k = 0; k < g.groups; ++k) {
      const Tensor dy_k = channels_of(dy, k, g.groups), x_k = channels_of(x, k, g.groups);
      const Tensor dw_k = backward_weight(allow, dy_k, x_k, one_group(g));
      std::copy_n(dw_k.data(), dw_k.size(), dw.data() + k * dw_k.size());
    }
    return dw;
  }
  const Sizes s(g);
  Tensor patches(Shape{s.rows, s.depth});
  for (std::size_t n = 0; n < g.n; ++n) {
    unfold_image(g, x.data() + n * s.image, patches.data());
    kernels::gemm(g.out, s.depth, s.rows, dy.data() + n * s.result, true, patches.data(), false, dw.data(), true);
  }
  return dw;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor* bias, std::size_t stride, std::size_t padding,
              std::size_t dilation, std::size_t groups, bool relu_follows) {
  Tensor y =
      forward(Allow::OneDnn, x, w, bias, conv2d_geometry(x.shape(), w.shape(), stride, padding, dilation, groups));
  if (relu_follows)  // not inside oneDNN's convolution: its relu would make 0 of NaN
    kernels::map(y.data(), y.data(), y.size(), [](Scalar v) { return v <= 0 ? Scalar{0} : v; });
  return y;
}
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Conv2dGeometry& g) {
  return backward_input(Allow::OneDnn, dy, w, g);
}
Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dGeometry& g) {
  return backward_weight(Allow::OneDnn, dy, x, g);
}

Tensor conv2d_by_patches(const Tensor& x, const Tensor& w, const Tensor* bias, const Conv2dGeometry& g) {
  return forward(Allow::PatchesOnly, x, w, bias, g);
}
Tensor conv2d_by_patches_backward_input(const Tensor& dy, const Tensor& w, const Conv2dGeometry& g) {
  return backward_input(Allow::PatchesOnly, dy, w, g);
}
Tensor conv2d_by_patches_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dGeometry& g) {
  return backward_weight(Allow::PatchesOnly, dy, x, g);
}

Conv2dGradients conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w, const Conv2dGeometry& g,
                                bool wants_dx, bool wants_dw) {
  Conv2dGradients d;
  if (wants_dx && wants_dw && dy.size() > 0 && x.size() > 0) {
    require_shape("conv2d_backward", "dy", dy.shape(), g.output_shape());
    require_shape("conv2d_backward", "x", x.shape(), g.input_shape());
    require_shape("conv2d_backward", "w", w.shape(), g.weight_shape());
    d = {Tensor(g.input_shape()), Tensor(g.weight_shape())};
    if (kernels::onednn_conv2d_backward(g, dy.data(), x.data(), w.data(), d.dx->data(), d.dw->data())) return d;
  }
  if (wants_dx) d.dx = conv2d_backward_input(dy, w, g);
  if (wants_dw) d.dw = conv2d_backward_weight(dy, x, g);
  return d;
}

ReluBiasGradients relu_bias_backward(const Tensor& dy, const Tensor& y) {
  require_shape("relu_bias_backward", "dy", dy.shape(), y.shape());
  const std::size_t channels = y.shape().back();
  const kernels::WideMatrix matrix(channels > 0 ? y.size() / channels : 0, channels);
  ReluBiasGradients d{Tensor(y.shape()), zeros({channels})};
  const std::size_t columns = matrix.columns, width = 2 * columns;
  const Scalar *up = dy.data(), *out = y.data();
  Scalar* dz = d.dz.data();
  const auto pieces = kernels::by_pieces<double>(matrix, width, [=](std::size_t first, std::size_t last, double* sums) {
    kernels::column_sums<Scalar>(first, last, columns, sums, sums + columns,
                                 [=](std::size_t i, std::size_t, Scalar& sum, Scalar&) {
                                   const Scalar upstream = up[i];
                                   sum += dz[i] = out[i] <= 0 ? Scalar{0} : upstream;
                                 });
  });
  std::vector<double> total(channels, 0.0);
  for (std::size_t p = 0; p < pieces.size(); p += width)
    for (std::size_t c = 0; c < columns; ++c) total[c % channels] += pieces[p + c];
  for (std::size_t c = 0; c < channels; ++c) d.dbias.data()[c] = static_cast<Scalar>(total[c]);
  return d;
}

std::vector<Conv2dChoice> conv2d_choices() { return kernels::onednn_choices(); }

std::string conv2d_implementation(const Conv2dGeometry& geometry, Conv2dPass pass) {
  const bool bfloat16 = matmul_precision() == Precision::BFloat16;
  for (const Conv2dAlgorithm a : {kernels::chosen_algorithm(geometry, pass, bfloat16), Conv2dAlgorithm::Direct}) {
    const std::string name = kernels::onednn_implementation(geometry, pass, a, bfloat16);
    if (!name.empty() && !kernels::is_reference(name)) return name;
  }
  return geometry.groups > 1 ? conv2d_implementation(one_group(geometry), pass) : "gemm";
}

}  // namespace xtg
