#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.hpp"

namespace xtg {

struct GradientCheckOptions {
  /// Step of the central difference, relative to max(1, |x|); 0 chooses the cube root of Scalar's epsilon, which
  /// balances rounding against the error of the formula.
  double step = 0;
  /// Largest relative error max|a − b|/max|b| between the tape's and the analytic gradient; 0 chooses 1e-10 in double,
  /// 1e-4 in float.
  double tolerance = 0;
  /// The same against finite differences; 0 chooses 1e-6 in double, 2e-2 in float.
  double numeric_tolerance = 0;
  /// Inputs with more elements than this are checked along random directions instead of element by element.
  std::size_t largest_jacobian = 200;
  std::size_t directions = 5;
  std::uint64_t seed = 1;
};

/// What was found for one input. Errors are max|a − b|/max|b| over the elements (or directions) compared.
struct InputReport {
  double analytic_against_derived = 0, analytic_against_numeric = 0, derived_against_numeric = 0;
  double largest_gradient = 0;  // a check of a gradient that is zero shows nothing
  std::size_t worst_element = 0;
  std::string verdict;  // "ok", or which of the three is the odd one out
};

struct GradientCheck {
  bool ok = true;
  std::vector<InputReport> inputs;
  /// One line for each input: the three errors, the worst element and the verdict.
  std::string text() const;
};

/// Compares three gradients of L = <w, function(inputs)>, w a random cotangent: by the analytic backwards, by the tape
/// through the definitions (DerivedGradients), and by central differences (L(x + h) − L(x − h))/(2h). The loss is never
/// a plain sum: the gradient of a sum through a normalization is zero, and comparing zeros shows nothing. `function`
/// must give the same result each time. A gradient check does not see a wrong forward: test the value, too.
GradientCheck check_gradients(const std::function<Variable(const Variables&)>& function,
                              const std::vector<Tensor>& inputs, const GradientCheckOptions& options = {});

}  // namespace xtg
