#pragma once

#include <string>

#include "tensor/tensor.hpp"

namespace xtg {

/// Sizes of a two-dimensional convolution of channels-last images with zero padding:
/// x (N, H, W, I), w (O, KH, KW, I/groups) -> y (N, OH, OW, O) with
/// OH = (H + 2·padding − dilation·(KH − 1) − 1)/stride + 1, rounded down. Kernel elements are `dilation` pixels apart.
/// Channels are cut into `groups` runs: the k-th run of O/groups output channels sees the k-th run of I/groups input
/// channels alone.
struct Conv2dGeometry {
  std::size_t n, h, w, in, out, kh, kw, stride, padding, oh, ow;
  std::size_t dilation = 1, groups = 1;

  Shape input_shape() const { return {n, h, w, in}; }
  Shape weight_shape() const { return {out, kh, kw, in / groups}; }
  Shape output_shape() const { return {n, oh, ow, out}; }
};

/// Throws ShapeError unless x and w have the shapes above and the kernel fits into the padded image, ValueError for
/// stride, dilation or groups 0, or groups that do not divide I and O.
Conv2dGeometry conv2d_geometry(const Shape& x, const Shape& w, std::size_t stride, std::size_t padding,
                               std::size_t dilation = 1, std::size_t groups = 1);

/// y[n,i,j,o] = bias[o] + Σ_{a,b,c} x[n, i·stride + a·dilation − padding, j·stride + b·dilation − padding, c'] ·
/// w[o,a,b,c], c' being channel c of o's group, and x = 0 outside. `bias` (O) may be null.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor* bias, std::size_t stride, std::size_t padding,
              std::size_t dilation = 1, std::size_t groups = 1);

/// dx[n,p,q,c'] = Σ over all (o, a, b, i, j) with i·stride + a·dilation − padding = p and
/// j·stride + b·dilation − padding = q, and o in the group of c', of dy[n,i,j,o] · w[o,a,b,c].
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Conv2dGeometry& geometry);

/// dw[o,a,b,c] = Σ_{n,i,j} dy[n,i,j,o] · x[n, i·stride + a·dilation − padding, j·stride + b·dilation − padding, c'].
Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dGeometry& geometry);

/// The patches under the kernel as rows ("im2col"): (N, H, W, C) -> (N·OH·OW, KH·KW·C). A convolution is this matrix
/// times the weights as a (KH·KW·I, O) matrix. `out` and `groups` of the geometry are not used.
Tensor unfold(const Tensor& x, const Conv2dGeometry& geometry);
/// The transpose of unfold: sums each patch back to where it was read.
Tensor fold(const Tensor& patches, const Conv2dGeometry& geometry);

/// The name of the code that runs a pass ("forward", "backward_input", "backward_weight"): oneDNN's name for its
/// primitive, or "gemm". Where groups are computed one by one, that of a group.
std::string conv2d_implementation(const Conv2dGeometry& geometry, const std::string& pass);

}  // namespace xtg
