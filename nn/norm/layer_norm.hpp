#pragma once

#include "../../tensor/shape.hpp"
#include "norm.hpp"

namespace xtg::nn {

/// The definition: statistics over the last `axes` axes; gamma and beta have the shape of those axes, or of the last
/// one alone.
Variable layer_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes,
                             double eps = 1e-5);

/// The statistics have one value per sample: the shape of x, with 1 for each of its last `axes` axes.
NormForward layer_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t axes,
                               double eps = 1e-5);

/// dx, dgamma and dbeta for the upstream gradient dy; the axes that were normalized are those of mean with size 1.
NormGradients layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma);

/// Layer normalization (Ba, Kiros & Hinton 2016, arXiv:1607.06450): each sample is normalized over its last `axes`
/// axes, then scaled and shifted by gamma and beta, which have the shape of those axes (PyTorch's normalized_shape) or
/// of the last axis alone. Undefined ones stand for 1 and 0. One value per statistic gives beta.
/// Throws ShapeError, or ValueError for axes = 0 or more axes than x has (as the two above), or an eps that is negative
/// or not finite.
Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t axes, double eps = 1e-5,
                    const Epilogue& epilogue = {});

/// The layer, the same in training and evaluation: weight (gamma, 1 at first) and bias (beta, 0), unless affine is off.
/// Throws as layer_norm does, and ShapeError if x does not end in the shape that the layer was made for.
class LayerNorm : public Norm {
 public:
  /// Over the last axes of x, which must have `normalized_shape`, e.g. Shape{H, W, C}; gamma and beta have that shape.
  explicit LayerNorm(const Shape& normalized_shape, const NormOptions& options = {})
      : LayerNorm(normalized_shape.size(), normalized_shape, options) {}
  /// Over the last `axes` axes of any size, with gamma and beta of shape (C): images (N, H, W, C) with axes = 3 are
  /// normalized over (H, W, C). The same as group norm with one group.
  LayerNorm(std::size_t channels, std::size_t axes, const NormOptions& options = {})
      : LayerNorm(axes, Shape{require_size("layer_norm", "channels", channels)}, options) {}
  Variable forward(const Variable& x, const Epilogue& epilogue) override;

 private:
  LayerNorm(std::size_t axes, const Shape& affine_shape, const NormOptions& options);

  std::size_t axes_;
  Shape affine_shape_;
  NormOptions options_;
  Variable gamma_, beta_;

  std::unique_ptr<Module> make_like() const override {
    if (axes_ == affine_shape_.size()) return std::make_unique<LayerNorm>(affine_shape_, options_);
    return std::make_unique<LayerNorm>(affine_shape_[0], axes_, options_);
  }
};

}  // namespace xtg::nn
