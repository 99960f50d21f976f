#pragma once

// The one kernel behind all norms. x, row-major, is seen as (samples, rows, channels), and a set, what is normalized
// together, is all rows of a sample in one group of neighbouring channels:
//
//                                      samples   rows     channels   groups
//     batch                            1         N·H·W    C          C
//     layer, a gamma per channel       N         H·W      C          1
//     layer, a gamma per value         N         1        H·W·C      1
//     instance                         N         H·W      C          C
//     group                            N         H·W      C          G
//
// A set has a mean, a variance and rstd = 1/√(variance + eps); with x_hat = (x − mean)·rstd and, behind it, an epilogue
// in the same pass over memory,
//
//     y = gamma·x_hat + beta,   y = relu(gamma·x_hat + beta)   or   y = relu(gamma·x_hat + beta + residual).
//
// gamma and beta have `channels` values. The same formulas in array arithmetic, with their derivation, are in nn/norm/.
// No result depends on the number of threads, and what is found for a sample does not depend on the other samples.

#include <vector>

#include "../tensor.hpp"

namespace xtg::kernels {

struct NormSets {
  std::size_t samples, rows, channels, groups;
  bool centred = true;  // if not, the mean is taken to be 0: RMS norm

  std::size_t count() const { return samples * groups; }
  std::size_t values() const { return rows * (channels / groups); }  // in a set
};

enum class Epilogue { None, Relu, AddRelu };

/// Of each set, set `sample·groups + group`: the mean, and M2 = Σ (x − mean)² over its `count` values; variance
/// M2/count. Where the sets are not centred, the mean is 0 and M2 = Σ x².
struct NormStatistics {
  double count = 0;
  std::vector<double> mean, m2;
};
NormStatistics norm_statistics(const Tensor& x, const NormSets& sets);

/// Normalizes with x's own statistics, or with `given` ones; in evaluation these are count 1, the running mean, and the
/// running variance for M2. `residual`, of x's shape, is for Epilogue::AddRelu.
struct NormForward {
  Tensor y;
  NormStatistics statistics;
};
NormForward norm_forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormSets& sets, double eps,
                         Epilogue epilogue = Epilogue::None, const Tensor* residual = nullptr,
                         const NormStatistics* given = nullptr);

/// What a backward starts from: dy, and what the forward had; its y only for Epilogue::AddRelu.
struct NormUpstream {
  const Tensor &dy, &x;
  const NormStatistics& statistics;
  const Tensor &gamma, &beta;
  const Tensor* y = nullptr;
};

/// Of each set: Σ dx_hat and Σ dx_hat·x_hat, where dx_hat = gamma·dy behind the epilogue.
struct NormSums {
  std::vector<double> dx_hat, dx_hat_x_hat;
};
NormSums norm_sums(const NormUpstream& upstream, const NormSets& sets, double eps, Epilogue epilogue = Epilogue::None);

/// dx = rstd·(dx_hat − <dx_hat> − x_hat·<dx_hat·x_hat>), <·> the set's sum divided by the statistics' count, of its own
/// sums or of `given` ones: with sums of 0 the statistics are constants, as in evaluation. dgamma and dbeta are of the
/// values here in either case. dresidual is only set for Epilogue::AddRelu.
struct NormBackward {
  Tensor dx, dgamma, dbeta, dresidual;
};
NormBackward norm_backward(const NormUpstream& upstream, const NormSets& sets, double eps,
                           Epilogue epilogue = Epilogue::None, const NormSums* given = nullptr);

}  // namespace xtg::kernels
