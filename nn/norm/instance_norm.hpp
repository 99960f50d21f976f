#pragma once

#include "norm.hpp"

namespace xtg::nn {

/// The definition: x (N, …, C), gamma (C), beta (C) -> (N, …, C); statistics for each sample and channel.
Variable instance_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps = 1e-5);

/// The statistics have shape (N, 1, …, 1, C).
NormForward instance_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps = 1e-5);

/// dx, dgamma and dbeta for the upstream gradient dy; mean and rstd of shape (N, 1, …, 1, C).
NormGradients instance_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                     const Tensor& gamma);

/// Instance normalization (Ulyanov et al. 2016, arXiv:1607.08022): each channel of each sample is normalized over its
/// places (H, W), then scaled and shifted by gamma and beta (C); undefined ones stand for 1 and 0. `running`, if given,
/// is updated with the means over the samples of the mean and of the unbiased variance.
/// Throws ShapeError, or ValueError if a channel has a single place, where x_hat would be 0 for every input, and for
/// eps and momentum as batch_norm.
Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps = 1e-5,
                       const std::optional<RunningStatistics>& running = std::nullopt, const Epilogue& epilogue = {});

/// PyTorch's default is affine = false; here, as in the other norms, it is true.
struct InstanceNormOptions {
  double eps = 1e-5;
  bool affine = true;
  std::optional<double> momentum = 0.1;  // unset: 1/num_batches_tracked, so that all batches count the same
  bool track_running_stats = false;
};

/// The layer, the same in training and evaluation; but with track_running_stats it has batch norm's buffers, updates
/// them in training, and in evaluation normalizes with them by batch_norm_eval (see TrackingNorm). PyTorch's layer
/// never counts in num_batches_tracked, and so cannot do without a momentum. Throws as instance_norm does, and
/// ShapeError for another number of channels.
class InstanceNorm : public TrackingNorm {
 public:
  explicit InstanceNorm(std::size_t channels, const InstanceNormOptions& options = {});

 private:
  Variable normalize(const Variable& x, const Variable& gamma, const Variable& beta,
                     const std::optional<RunningStatistics>& running, const Epilogue& epilogue) override;
  std::unique_ptr<Module> make_like() const override { return std::make_unique<InstanceNorm>(channels_, options_); }

  std::size_t channels_;
  InstanceNormOptions options_;
};

}  // namespace xtg::nn
