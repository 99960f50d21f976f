#pragma once

#include "assignment/grader/mistakes.hpp"
#include "assignment/grader/probes.hpp"

namespace xtg::assignment {

extern const std::vector<Mistake> kGroupForwardMistakes, kGroupBackwardMistakes;

/// Images (3, 4, 7, 10), all sizes different, for 2 groups; eps 1e-5 or another.
Probe group_probe(double eps = 1e-5);

/// y, and dx, each with some of the mistakes of its list.
Tensor group_forward_model(const Probe& probe, std::size_t groups, Mistakes mistakes);
Tensor group_backward_model(const Probe& probe, std::size_t groups, Mistakes mistakes);

/// dgamma and dbeta, right.
std::pair<Tensor, Tensor> group_parameter_gradients(const Probe& probe, std::size_t groups);

}  // namespace xtg::assignment
