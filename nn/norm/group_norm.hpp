#pragma once

#include "norm.hpp"

namespace xtg::nn {

/// The definition: x (N, …, C), gamma (C), beta (C) -> (N, …, C); statistics for each sample and each group of C/G
/// neighbouring channels.
Variable group_norm_composed(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                             double eps = 1e-5);

/// The statistics have shape (N, 1, G, 1): x is seen as (N, R, G, C/G), R places, G groups of C/G channels.
NormForward group_norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, std::size_t groups,
                               double eps = 1e-5);

/// dx, dgamma and dbeta for the upstream gradient dy; mean and rstd of shape (N, 1, G, 1).
NormGradients group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                  const Tensor& gamma);

/// Group normalization (Wu & He 2018, arXiv:1803.08494): the channels of each sample are cut into `groups` runs of C/G,
/// and each is normalized over its channels and all places (H, W, C/G); then gamma and beta (C) scale and shift each
/// channel. Undefined gamma and beta stand for 1 and 0. With one group this is layer norm over (H, W, C), with C groups
/// instance norm, except that a set with a single value is allowed here and gives beta. Throws ShapeError, or
/// ValueError if `groups` does not divide C or eps is negative or not finite; the functions above as well, but for eps.
Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                    double eps = 1e-5, const Epilogue& epilogue = {});

/// The layer, the same in training and evaluation: weight (gamma, 1 at first) and bias (beta, 0) of shape (C), unless
/// affine is off. Throws ValueError if `groups` does not divide the channels, ShapeError for another number of
/// channels.
class GroupNorm : public Norm {
 public:
  GroupNorm(std::size_t groups, std::size_t channels, const NormOptions& options = {});
  Variable forward(const Variable& x, const Epilogue& epilogue) override;

 private:
  std::size_t groups_, channels_;
  NormOptions options_;
  Variable gamma_, beta_;

  std::unique_ptr<Module> make_like() const override {
    return std::make_unique<GroupNorm>(groups_, channels_, options_);
  }
};

}  // namespace xtg::nn
