#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "functional.hpp"

namespace xtg {

struct GradientCheckOptions {
  /// 2 also checks the second derivatives: those of the number Σ_i <v_i, dL/dx_i>, with random v_i and the gradients
  /// recorded (create_graph). Where a backward is written on arrays they come from the definition in either mode, so
  /// "analytic" and "derived" then only differ by what ran forward. The differences are those of first derivatives that
  /// are right; without any, the second ones are not judged. They may all be zero, as those of a linear function are.
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
  /// "ok", or which one is the odd one out: "analytic" stands for fused and by hand, "the backward" for all forms, as
  /// where an operation has only one. If all forms agree, and the difference does not, the backward is wrong where the
  /// slopes on both sides agree, and those with half the step; else the finite difference is. Or why there is no such
  /// verdict: "nothing was compared: …", "not judged: …", "the function gives another result each time".
  std::string verdict;
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
/// directions. `function` must give results of one shape, and the same each time; it may call grad() itself. It is
/// always recorded, whatever NoGrad and GradientMode the caller is in. A gradient check does not see a wrong forward:
/// test the value, too. Differences too small for the rounding of L count as zero. Throws ValueError without inputs or
/// directions, or for options that are negative or not finite; ShapeError for a result whose shape changes.
GradientCheck check_gradients(const Function& function, const std::vector<Tensor>& inputs,
                              const GradientCheckOptions& options = {});

/// The same for variables that `function` finds where they are: leaves that require a gradient, such as
/// network.parameters(). Their numbers are moved in place and put back, also if something throws; graphs that saved
/// them before refuse to run backward afterwards. grad() stays as it is. Other effects of a forward, such as running
/// statistics, happen each time. Throws ValueError for another kind of Variable, or one that comes twice.
///
///   check_gradients([&] { return cross_entropy(network(x), labels); }, network.parameters())
GradientCheck check_gradients(const Closure& function, const Variables& inputs,
                              const GradientCheckOptions& options = {});

}  // namespace xtg
