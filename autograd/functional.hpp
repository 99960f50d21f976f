#pragma once

#include <functional>
#include <vector>

#include "variable.hpp"

namespace xtg {

// Derivatives of whole functions. They ask for what nobody needs to train a network, and much to understand one.

/// A function of several arrays. It must give the same result each time, and use its arguments, not variables of the
/// same name outside.
using Function = std::function<Variable(const Variables& inputs)>;

/// A function of variables that it finds where they are: `[&] { return loss(network(x)); }`. It must give the same
/// result each time.
using Closure = std::function<Variable()>;

/// J_i = ∂y/∂x_i for y = function(x), in the shape (shape of y, shape of x_i), at `inputs`: one walk for each element
/// of y. Zeros where y does not depend on an input.
std::vector<Tensor> jacobian(const Function& function, const std::vector<Tensor>& inputs);

/// H·v for a function that gives one number, where H = ∂²y/∂x∂x over all inputs together: result i is
/// Σ_j ∂²y/∂x_i∂x_j · v_j, in the shape of x_i. Two walks, whatever the size (Pearlmutter 1994,
/// doi:10.1162/neco.1994.6.1.147): the gradient is recorded, and d<gradient, v>/dx is H·v as H is symmetric.
/// Throws ShapeError unless v has the inputs' shapes and y one element.
std::vector<Tensor> hessian_vector_product(const Function& function, const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& v);
/// The same over variables that `loss` finds where they are, such as a network's: network.parameters().
std::vector<Tensor> hessian_vector_product(const Closure& loss, const Variables& parameters,
                                           const std::vector<Tensor>& v);

}  // namespace xtg
