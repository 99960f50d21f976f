#pragma once

#include <string>
#include <vector>

#include "autograd/gradcheck.hpp"

namespace xtg::testing {

/// Checks the first and the second derivatives of a function. Returns "" if all is well, else the report. The function
/// should be curved in each input: the derivative of a constant shows nothing.
inline std::string check_two_orders(const Function& function, const std::vector<Tensor>& inputs) {
  GradientCheckOptions options;
  options.order = 2;
  const GradientCheck check = check_gradients(function, inputs, options);
  return check.ok ? "" : check.text();
}

}  // namespace xtg::testing
