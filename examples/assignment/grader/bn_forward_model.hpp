#pragma once

#include "assignment/grader/mistakes.hpp"
#include "assignment/grader/probes.hpp"

namespace xtg::assignment {

/// Running statistics, before or after a step.
struct Running {
  Tensor mean, var;
};

extern const std::vector<Mistake> kForwardMistakes, kEvaluationMistakes, kRunningMistakes;

/// The right result in training, statistics included.
BatchNormResult right_forward(const Probe& probe);

/// y in training with some of kForwardMistakes. `running` is what R6 normalizes with.
Tensor forward_model(const Probe& probe, const Running& running, Mistakes mistakes);

/// y in evaluation with some of kEvaluationMistakes.
Tensor evaluation_model(const Probe& probe, const Running& running, Mistakes mistakes);

/// The running statistics after a step in training with some of kRunningMistakes; `in_statistics` are those of
/// kForwardMistakes that the batch's statistics are computed with.
Running running_model(const Probe& probe, const Running& before, double momentum, Mistakes mistakes,
                      Mistakes in_statistics = 0);

}  // namespace xtg::assignment
