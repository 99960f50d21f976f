#pragma once

#include "assignment/grader/mistakes.hpp"
#include "assignment/grader/probes.hpp"

namespace xtg::assignment {

extern const std::vector<Mistake> kInputGradientMistakes, kGammaMistakes, kBetaMistakes;

/// What dx_model takes for the staged form on some of the rows, where x_hat does not add up to 0; without it, the
/// short.
extern const Mistakes kStagedOfPart;

/// Each with some of the mistakes of its list; `cache` is that of the right forward.
Tensor dx_model(const Tensor& dy, const BatchNormCache& cache, Mistakes mistakes);
Tensor dgamma_model(const Tensor& dy, const BatchNormCache& cache, Mistakes mistakes);
Tensor dbeta_model(const Tensor& dy, const BatchNormCache& cache, Mistakes mistakes);

}  // namespace xtg::assignment
