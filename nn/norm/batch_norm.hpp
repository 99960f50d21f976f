#pragma once

#include "norm.hpp"

namespace xtg::nn {

/// The definition: x (…, C), gamma (C), beta (C) -> (…, C); statistics over all axes but the last.
Variable batch_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps = 1e-5);

/// y = gamma·x_hat + beta with x_hat = (x − mean)·rstd; the statistics have shape (1, …, 1, C).
NormForward batch_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps = 1e-5);

/// dx (…, C), dgamma (C), dbeta (C) for the upstream gradient dy (…, C); mean and rstd of shape (1, …, 1, C) or (C).
NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma);

/// Batch normalization in training mode (Ioffe & Szegedy 2015, arXiv:1502.03167): x (…, C) is normalized per channel
/// over all other axes, then scaled and shifted by gamma and beta (C); undefined gamma and beta stand for 1 and 0.
/// `running`, if given, is updated. Throws ShapeError, or ValueError if a channel has fewer than two values, eps is
/// negative or not finite, or running's momentum not within [0, 1].
Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps = 1e-5,
                    const std::optional<RunningStatistics>& running = std::nullopt, const Epilogue& epilogue = {});

/// The same in evaluation mode, by hand: the statistics (C) are constants.
NormGradients batch_norm_eval_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                       const Tensor& gamma);

/// Evaluation mode: y = gamma·(x − mean)/√(var + eps) + beta with given statistics (C), constants.
Variable batch_norm_eval(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                         const Tensor& var, double eps = 1e-5, const Epilogue& epilogue = {});

struct BatchNormOptions {
  double eps = 1e-5;
  bool affine = true;
  std::optional<double> momentum = 0.1;  // unset: 1/num_batches_tracked, so that all batches count the same
  bool track_running_stats = true;
};

/// The layer, with running statistics unless they are switched off (see TrackingNorm). Throws as batch_norm does, and
/// ShapeError for another number of channels.
class BatchNorm : public TrackingNorm {
 public:
  explicit BatchNorm(std::size_t channels, const BatchNormOptions& options = {});

 private:
  Variable normalize(const Variable& x, const Variable& gamma, const Variable& beta,
                     const std::optional<RunningStatistics>& running, const Epilogue& epilogue) override;
  std::unique_ptr<Module> make_like() const override { return std::make_unique<BatchNorm>(channels_, options_); }

  std::size_t channels_;
  BatchNormOptions options_;
};

}  // namespace xtg::nn
