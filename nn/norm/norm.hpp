#pragma once

// What the norms share. Each is a file of its own, always in this order: the definition, made of differentiable
// operations; forward and backward by hand, in array arithmetic, with the derivation; the operation that has these and
// the kernel (tensor/kernels/norm.hpp) as its three forms; and the layer. Begin with batch_norm.cpp.

#include <optional>

#include "../../autograd/operation.hpp"
#include "../module.hpp"

namespace xtg::kernels {
struct NormSets;
}

namespace xtg::nn {

/// The result of a norm's forward by hand: y, and the statistics of the sets that were normalized, whose axes stay with
/// size 1, so that they broadcast. The variance is biased (divided by the number of values), rstd = 1/√(var + eps).
struct NormForward {
  Tensor y, mean, var, rstd;
};

struct NormGradients {
  Tensor dx, dgamma, dbeta;
};

/// A norm's backward by hand, for the upstream gradient dy.
using NormBackward = NormGradients (*)(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                       const Tensor& gamma);

/// All axes but the last: (N, H, W) of an image batch.
Axes all_but_last(const Tensor& x);

/// The axes along which statistics have one value: those that were averaged over.
Axes axes_of_size_1(const Tensor& statistics);

/// What follows a norm within the same operation: y = relu(norm(x) + residual), or without residual y = relu(norm(x)).
/// The result and all gradients are those of the separate operations.
struct Epilogue {
  bool relu = false;
  Variable residual;  // of x's shape, only with relu
};

/// norm with its epilogue, as operations of their own.
Variable with_epilogue(const Variable& norm, const Epilogue& epilogue);

/// Running statistics (C) that a norm updates: running ← (1 − momentum)·running + momentum·new. momentum is the weight
/// of the *new* statistic, as in PyTorch; texts that weight the old one call the same 0.1 "momentum 0.9". Normalizing
/// uses the biased variance (1/M), the running one receives the unbiased one (1/(M − 1)).
struct RunningStatistics {
  Tensor &mean, &var;
  double momentum;
};

struct MeanAndVariance {
  Tensor mean, var;
};

/// Updates the running statistics with those of a batch, (…, C) of sets of M values each: the mean over all of a
/// channel's sets. The variance goes in unbiased, times M/(M − 1).
void update_running(const RunningStatistics& running, const MeanAndVariance& batch, std::size_t M);

/// Options of the layers that have no running statistics, layer and group norm.
struct NormOptions {
  double eps = 1e-5;
  bool affine = true;
};

/// The base of the norm layers: a module that can do what follows it, too.
class Norm : public Module {
 public:
  using Module::operator();
  /// The layer with its epilogue, in one operation; as separate ones if forward hooks are to see the norm's own result.
  Variable operator()(const Variable& x, const Epilogue& epilogue);

  Variable forward(const Variable& x) final { return forward(x, Epilogue{}); }
  virtual Variable forward(const Variable& x, const Epilogue& epilogue) = 0;
};

/// relu(norm(x) + residual): one operation where there is a norm. `norm` may be null, `residual` undefined, for none.
Variable activated(Norm* norm, const Variable& x, const Variable& residual = Variable());

/// The base of the layers that may keep running statistics: parameters weight (gamma, 1 at first) and bias (beta, 0) of
/// shape (C), unless affine is off; buffers running_mean (0), running_var (1) and num_batches_tracked (0), if they are
/// tracked. In training it normalizes by `normalize` and updates them; in evaluation it uses them, or, having none,
/// normalizes as in training. Throws ShapeError for another number of channels, ValueError for one that is no size.
class TrackingNorm : public Norm {
 public:
  struct Options {
    double eps;
    bool affine;
    std::optional<double> momentum;  // unset: 1/num_batches_tracked, so that all batches count the same
    bool track_running_stats;
  };
  TrackingNorm(const char* operation, std::size_t channels, const Options& options);
  Variable forward(const Variable& x, const Epilogue& epilogue) final;

 private:
  virtual Variable normalize(const Variable& x, const Variable& gamma, const Variable& beta,
                             const std::optional<RunningStatistics>& running, const Epilogue& epilogue) = 0;

  const char* operation_;
  std::size_t channels_;
  Options options_;
  Variable gamma_, beta_;
  Tensor *running_mean_ = nullptr, *running_var_ = nullptr;  // null where they are not tracked, all three
  std::int64_t* num_batches_tracked_ = nullptr;
};

// For writing a norm.

/// The names of an operation with each epilogue: literals, for nodes keep the pointer.
struct NormNames {
  const char *plain, *relu, *add_relu;
  const char* with(const Epilogue& epilogue) const;
};

/// Throws ValueError unless eps is finite and at least 0.
void require_eps(const char* name, double eps);

/// The size of x's last axis. Throws ShapeError unless x is (N, …, C) with at least one element.
std::size_t channels_of(const char* name, const Shape& x);

/// (x, gamma, beta, residual), the arguments of a norm's operation, with 1 and 0 in the place of an undefined gamma and
/// beta. Throws ShapeError unless these have `shape`, and the residual, if there is one, x's.
Variables norm_arguments(const char* name, const Variable& x, const Variable& gamma, const Variable& beta,
                         const Shape& shape, const Epilogue& epilogue);

/// One value is its own mean: x_hat would be 0, and the layer would return beta whatever its input. Throws ValueError.
void require_two_values(const char* name, std::size_t values, const Variable& x);

/// Throws ShapeError unless both have shape (channels).
void require_running_statistics(const char* name, const Tensor& mean, const Tensor& var, std::size_t channels);
/// The same of `running`, and ValueError unless its momentum is within [0, 1].
void require_running_statistics(const char* name, const RunningStatistics& running, std::size_t channels);

/// The form by hand, from a forward that has run: the epilogue is array arithmetic, too.
Computed norm_by_hand(NormForward forward, NormBackward backward, const Epilogue& epilogue);

/// The fused form: the kernel with its epilogue. `batch`, if given, receives the statistics (samples, groups).
Computed norm_fused(const Variables& arguments, const kernels::NormSets& sets, double eps, const Epilogue& epilogue,
                    std::optional<MeanAndVariance>* batch = nullptr);
/// The same with given statistics (C) that are constants, as in evaluation: a set for each channel.
Computed norm_fused_with(const MeanAndVariance& given, const Variables& arguments, double eps,
                         const Epilogue& epilogue);

/// The statistics (samples, groups) alone: for the derived form, which computes none that one could have.
MeanAndVariance set_statistics(const Tensor& x, const kernels::NormSets& sets);

}  // namespace xtg::nn
