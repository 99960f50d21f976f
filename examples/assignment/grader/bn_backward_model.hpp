#pragma once

#include "assignment/grader/mistakes.hpp"
#include "assignment/grader/probes.hpp"

namespace xtg::assignment {

extern const std::vector<Mistake> kInputGradientMistakes, kGammaMistakes, kBetaMistakes;

/// Each with some of the mistakes of its list; `cache` is that of the right forward.
Tensor dx_model(const Tensor& dy, const BatchNormCache& cache, Mistakes mistakes);
Tensor dgamma_model(const Tensor& dy, const BatchNormCache& cache, Mistakes mistakes);
Tensor dbeta_model(const Tensor& dy, const BatchNormCache& cache, Mistakes mistakes);

}  // namespace xtg::assignment
