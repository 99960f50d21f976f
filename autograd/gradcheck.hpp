#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "functional.hpp"

namespace xtg {

struct GradientCheckOptions {
  /// 2 also checks the second derivatives: those of the number Σ_i <v_i, dL/dx_i>, with random v_i and the gradients
  /// recorded (create_graph). They come from the definitions in either mode, so "analytic" and "derived" then only
  /// differ by what ran forward.
  int order = 1;
  /// Step of the central difference, relative to max(1, |x|); 0 chooses the cube root of Scalar's epsilon (6e-6 in
  /// double, 5e-3 in float), which balances rounding against the error of the formula.
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
  double fused_against_derived = 0, by_hand_against_derived = 0;
  double analytic_against_derived = 0;  // the larger of these two
  double analytic_against_numeric = 0, derived_against_numeric = 0;
  double largest_gradient = 0;    // a check of a gradient that is zero shows nothing
  std::size_t worst_element = 0;  // where two of the three differ most: row-major position, or number of the direction
  std::string verdict;            // "ok", or which one is the odd one out: "analytic" stands for fused and by hand
};

struct GradientCheck {
  bool ok = true;
  std::vector<InputReport> inputs;
  std::vector<InputReport> second_order;  // by input; empty unless asked for
  /// One line for each input: the three errors, the worst element and the verdict.
  std::string text() const;
};

/// Compares gradients of L = <w, function(inputs)>, w a random cotangent: by the analytic backwards, fused and by hand,
/// by the tape through the definitions (GradientForm), and by central differences (L(x + h) − L(x − h))/(2h). The loss
/// is never a plain sum: the gradient of a sum through a normalization is zero, and comparing zeros shows nothing.
/// Small inputs are checked element by element (the full Jacobian, contracted with w), large ones along random
/// directions. `function` must give the same result each time. A gradient check does not see a wrong forward: test the
/// value, too. Differences too small for the rounding of L count as zero.
GradientCheck check_gradients(const Function& function, const std::vector<Tensor>& inputs,
                              const GradientCheckOptions& options = {});

}  // namespace xtg
