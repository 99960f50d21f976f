#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tensor.hpp"

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

/// Throws ShapeError unless x and w have the shapes above, the kernel fits into the padded image and y can be an array;
/// ValueError for stride, dilation or groups 0, one of them or padding that is no size (require_size), or groups that
/// do not divide I and O.
Conv2dGeometry conv2d_geometry(const Shape& x, const Shape& w, std::size_t stride, std::size_t padding,
                               std::size_t dilation = 1, std::size_t groups = 1);

/// y[n,i,j,o] = bias[o] + Σ_{a,b,c} x[n, i·stride + a·dilation − padding, j·stride + b·dilation − padding, c'] ·
/// w[o,a,b,c], c' being channel c of o's group, and x = 0 outside. `bias` (O) may be null. With `relu`, negative
/// results become 0.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor* bias, std::size_t stride, std::size_t padding,
              std::size_t dilation = 1, std::size_t groups = 1, bool relu = false);

/// dx[n,p,q,c'] = Σ over all (o, a, b, i, j) with i·stride + a·dilation − padding = p and
/// j·stride + b·dilation − padding = q, and o in the group of c', of dy[n,i,j,o] · w[o,a,b,c].
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Conv2dGeometry& geometry);

/// dw[o,a,b,c] = Σ_{n,i,j} dy[n,i,j,o] · x[n, i·stride + a·dilation − padding, j·stride + b·dilation − padding, c'].
Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dGeometry& geometry);

/// Both of these; what is not wanted is left out. Cheaper than one after the other where they share work on dy.
struct Conv2dGradients {
  std::optional<Tensor> dx, dw;
};
Conv2dGradients conv2d_backward(const Tensor& dy, const Tensor& x, const Tensor& w, const Conv2dGeometry& geometry,
                                bool wants_dx, bool wants_dw);

/// The gradient through a relu behind the convolution, and that of its bias, in one pass: dz = dy where y > 0, else 0,
/// and its sum (O) over all but the last axis.
struct ReluBiasGradients {
  Tensor dz, dbias;
};
ReluBiasGradients relu_bias_backward(const Tensor& dy, const Tensor& y);

/// The three passes by hand, for arrays of the geometry's shapes (else ShapeError): each image is a matrix product with
/// its patches (`unfold` below). Where oneDNN is not built in or does not take a shape, and in double, the functions
/// above do the same.
Tensor conv2d_by_patches(const Tensor& x, const Tensor& w, const Tensor* bias, const Conv2dGeometry& geometry);
Tensor conv2d_by_patches_backward_input(const Tensor& dy, const Tensor& w, const Conv2dGeometry& geometry);
Tensor conv2d_by_patches_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dGeometry& geometry);

/// The patches under the kernel as rows ("im2col"): (N, H, W, C) -> (N·OH·OW, KH·KW·C). A convolution is this matrix
/// times the weights as a (KH·KW·I, O) matrix. `out` and `groups` of the geometry are not used.
Tensor unfold(const Tensor& x, const Conv2dGeometry& geometry);
/// The transpose of unfold: sums each patch back to where it was read.
Tensor fold(const Tensor& patches, const Conv2dGeometry& geometry);

// How convolutions are computed. Each shape and pass gets its algorithm from a fixed table, made from measurements
// (docs/performance.md), so that no result depends on timing.

enum class Conv2dPass { Forward, BackwardInput, BackwardWeight };
/// By oneDNN: on channels-last arrays; on arrays reordered to the layout that it asks for; or by Winograd's method
/// (Lavin & Gray 2015, arXiv:1509.09308: fewer multiplications, in tiles), on reordered arrays.
enum class Conv2dAlgorithm { Direct, Blocked, Winograd };

std::string to_string(Conv2dPass pass);
std::string to_string(Conv2dAlgorithm algorithm);

/// What a pass of a convolution gets.
struct Conv2dChoice {
  Conv2dGeometry geometry;
  Conv2dPass pass;
  bool bfloat16;
  Conv2dAlgorithm algorithm;
  std::string implementation;  // oneDNN's name for its code
};

/// The convolutions that oneDNN has computed in this process, one entry for each geometry, pass, precision and
/// algorithm.
std::vector<Conv2dChoice> conv2d_choices();

/// Takes `algorithm` for all convolutions of choice's pass and geometry, the number of images aside, from now on,
/// instead of the table's; where oneDNN lacks it the direct one serves.
void set_conv2d_algorithm(const Conv2dChoice& choice, Conv2dAlgorithm algorithm);
/// All that were set so, as text, for settings files; and back: that text instead of what was set before, "" for the
/// table alone. Throws FormatError for any other text.
std::string conv2d_algorithms();
void set_conv2d_algorithms(const std::string& text);
/// Those of conv2d_algorithms() that oneDNN does not have here for n images: version 3 has no Winograd on x86-64, for
/// one. Another one computes in their place, whose last bits differ.
std::string missing_conv2d_algorithms(std::size_t n);

/// Times every algorithm that oneDNN has for this pass on arrays of its sizes: seconds, the median of `repetitions`, in
/// the order Direct, Blocked, Winograd; unset where there is none but reference loops, and Winograd under
/// exact_convolutions().
std::vector<std::optional<double>> time_conv2d(const Conv2dChoice& choice, int repetitions = 9);

/// The name of the code that runs a pass: oneDNN's name for its primitive, or "gemm". Where groups are computed one by
/// one, that of a group.
std::string conv2d_implementation(const Conv2dGeometry& geometry, Conv2dPass pass);

}  // namespace xtg
