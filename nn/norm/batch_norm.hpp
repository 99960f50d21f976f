#pragma once

#include <optional>

#include "nn/module.hpp"

namespace xtg::nn {

/// What the forward of a norm returns: y, and the statistics that its backward needs.
struct NormForward {
  Tensor y, mean, rstd;  // rstd = 1/√(variance + eps)
};

struct NormGradients {
  Tensor dx, dgamma, dbeta;
};

/// The definition: x (…, C), gamma (C), beta (C) -> (…, C); statistics over all axes but the last.
Variable batch_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, double eps);

/// y = gamma·x_hat + beta with x_hat = (x − mean)·rstd; mean and rstd have shape (C).
NormForward batch_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps);

/// dx (…, C), dgamma (C), dbeta (C) for the upstream gradient dy (…, C).
NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma);

/// Running statistics (C) that a norm updates: running ← (1 − momentum)·running + momentum·new. momentum is the weight
/// of the *new* statistic, as in PyTorch; texts that weight the old one call the same 0.1 "momentum 0.9". Normalizing
/// uses the biased variance (1/M), the running one receives the unbiased one (1/(M − 1)).
struct RunningStatistics {
  Tensor &mean, &var;
  double momentum;
};

/// What may follow a norm within the same operation, in one pass over memory: y = relu(norm(x) + residual), or without
/// residual y = relu(norm(x)). The result and all gradients are those of the separate operations.
struct NormTail {
  bool relu = false;
  Variable residual;  // of x's shape, only with relu
};

/// Batch normalization in training mode (Ioffe & Szegedy 2015, arXiv:1502.03167): x (…, C) is normalized per channel
/// over all other axes, then scaled and shifted by gamma and beta (C); undefined gamma and beta stand for 1 and 0.
/// `running`, if given, is updated. Throws ShapeError, or ValueError if a channel has fewer than two values.
Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps,
                    std::optional<RunningStatistics> running = std::nullopt, const NormTail& tail = {});

/// Evaluation mode: y = gamma·(x − mean)/√(var + eps) + beta with given statistics, constants.
Variable batch_norm_eval(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                         const Tensor& var, double eps, const NormTail& tail = {});

/// Options of the layers that have no running statistics, layer and group norm.
struct NormOptions {
  double eps = 1e-5;
  bool affine = true;
};

struct BatchNormOptions {
  double eps = 1e-5;
  bool affine = true;
  std::optional<double> momentum = 0.1;  // unset: 1/num_batches_tracked, so that all batches count the same
  bool track_running_stats = true;
};

/// The base of the four layers: a module that can do what follows it, too.
class Norm : public Module {
 public:
  using Module::operator();
  /// The layer with its tail, in one operation; as separate ones if forward hooks are to see the norm's own result.
  Variable operator()(const Variable& x, const NormTail& tail);

  Variable forward(const Variable& x) final { return forward(x, NormTail{}); }
  virtual Variable forward(const Variable& x, const NormTail& tail) = 0;
};

/// The layer. Parameters weight (gamma, 1 at first) and bias (beta, 0) of shape (C), unless affine is off; buffers
/// running_mean (0), running_var (1) and num_batches_tracked (0), unless track_running_stats is off. In training it
/// normalizes with the batch's statistics and updates the running ones; in evaluation it uses those, or, having none,
/// the batch's again. Throws as batch_norm does, and ShapeError for another number of channels.
class BatchNorm : public Norm {
 public:
  explicit BatchNorm(std::size_t channels, const BatchNormOptions& options = {});
  Variable forward(const Variable& x, const NormTail& tail) override;

 private:
  std::size_t channels_;
  BatchNormOptions options_;
  Variable gamma_, beta_;
  Tensor *running_mean_ = nullptr, *running_var_ = nullptr;  // null without track_running_stats, all three
  std::int64_t* num_batches_tracked_ = nullptr;

  std::unique_ptr<Module> make_like() const override { return std::make_unique<BatchNorm>(channels_, options_); }
};

}  // namespace xtg::nn
