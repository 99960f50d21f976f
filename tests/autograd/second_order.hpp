#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/grad_mode.hpp"
#include "autograd/gradcheck.hpp"
#include "autograd/variable.hpp"
#include "tests/testing.hpp"

namespace xtg::testing {

/// Checks the first derivatives of a function, and then those of each of its first derivatives. Returns "" if all is
/// well, else the report of the first that is not. The function should be curved in each input: the derivative of a
/// constant shows nothing.
inline std::string check_two_orders(const std::function<Variable(const Variables&)>& function,
                                    const std::vector<Tensor>& inputs) {
  const GradientCheck first = check_gradients(function, inputs);
  if (!first.ok) return "first order:\n" + first.text();
  Variables constants;
  for (const Tensor& input : inputs) constants.emplace_back(input);
  const Variable cotangent(normal(function(constants).shape(), 77));
  GradientCheckOptions along_directions;  // element by element, each of the many evaluations would build two graphs
  along_directions.largest_jacobian = 6;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const GradientCheck second = check_gradients(
        [&](const Variables& v) {
          const NoGrad record(false);  // finite differences evaluate with recording off and constant inputs
          Variables arguments = v;
          if (!v[k].requires_grad()) arguments[k] = Variable(v[k].value(), true);
          GradOptions options;
          options.create_graph = true;
          return grad({function(arguments)}, {arguments[k]}, {cotangent}, options)[0];
        },
        inputs, along_directions);
    if (!second.ok) return fmt::format("derivative with respect to input {}:\n{}", k, second.text());
  }
  return "";
}

}  // namespace xtg::testing
