#pragma once

// What DetectAnomaly (grad_mode.hpp) looks for. Each throws ValueError if something is not finite.

#include "operation.hpp"

namespace xtg {

/// The result of an operation, recorded or not.
void require_finite_value(const char* name, const Variable& result, const Inputs& inputs);
/// The gradient that a walk begins with.
void require_finite_seed(const Variable& dy);
/// What the backward of a node returned.
void require_finite_gradients(const Node& node, const Variables& gradients);

}  // namespace xtg
