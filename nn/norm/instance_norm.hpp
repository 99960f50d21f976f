#pragma once

#include "nn/norm/batch_norm.hpp"

namespace xtg::nn {

/// The definition: x (N, …, C), gamma (C), beta (C) -> (N, …, C); statistics for each sample and channel.
Variable instance_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps);

/// mean and rstd have shape (N, C).
NormForward instance_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps);

NormGradients instance_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                     const Tensor& gamma);

/// Instance normalization (Ulyanov et al. 2016, arXiv:1607.08022): each channel of each sample is normalized over its
/// places (H, W), then scaled and shifted by gamma and beta (C); undefined ones stand for 1 and 0.
/// Throws ShapeError, or ValueError if a channel has a single place, where x_hat would be 0 for every input.
Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps);

/// The layer, the same in training and evaluation. With affine: weight (gamma, 1 at first) and bias (beta, 0) of
/// shape (C). PyTorch's default is without; here, as in the other norms, it is with.
class InstanceNorm : public Module {
 public:
  explicit InstanceNorm(std::size_t channels, const NormOptions& options = {});
  Variable forward(const Variable& x) override;

 private:
  std::size_t channels_;
  NormOptions options_;
  Variable gamma_, beta_;
};

}  // namespace xtg::nn
