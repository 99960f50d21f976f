#include "autograd/functional.hpp"

#include <algorithm>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

Variables as_leaves(const std::vector<Tensor>& inputs) {
  Variables leaves;
  for (const Tensor& x : inputs) leaves.emplace_back(x, true);
  return leaves;
}

}  // namespace

std::vector<Tensor> jacobian(const Function& function, const std::vector<Tensor>& inputs) {
  const NoGrad record(false);
  const Variables x = as_leaves(inputs);
  const Variable y = function(x);
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    Shape shape = y.shape();
    for (const std::size_t n : input.shape()) shape.push_back(n);
    result.push_back(zeros(shape));
  }
  GradOptions options;
  options.retain_graph = options.allow_unused = true;
  for (std::size_t row = 0; row < y.size(); ++row) {
    Tensor one_hot = zeros(y.shape());
    one_hot.data()[row] = 1;
    const Variables gradients = grad({y}, x, {Variable(std::move(one_hot))}, options);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!gradients[i].defined()) continue;
      const Tensor& g = gradients[i].value();
      std::copy(g.begin(), g.end(), result[i].data() + row * g.size());
    }
  }
  return result;
}

std::vector<Tensor> hessian_vector_product(const Function& function, const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& v) {
  const Variables x = as_leaves(inputs);
  return hessian_vector_product([&] { return function(x); }, x, v);
}

std::vector<Tensor> hessian_vector_product(const Closure& loss, const Variables& parameters,
                                           const std::vector<Tensor>& v) {
  require<ShapeError>(v.size() == parameters.size(),
                      "hessian_vector_product: expected {} vectors, one for each input, got {}", parameters.size(),
                      v.size());
  for (std::size_t i = 0; i < v.size(); ++i)
    require<ShapeError>(v[i].shape() == parameters[i].shape(),
                        "hessian_vector_product: expected vector {} of shape {}, as the input, got {}", i,
                        to_string(parameters[i].shape()), to_string(v[i].shape()));
  const NoGrad record(false);
  const Variable y = loss();
  require<ShapeError>(y.size() == 1, "hessian_vector_product: expected a function that gives one number, got {}",
                      to_string(y.shape()));
  GradOptions options;
  options.create_graph = options.allow_unused = true;
  const Variables gradients = grad({y}, parameters, {}, options);
  Variable slope(zeros({}));  // <gradient, v>
  for (std::size_t i = 0; i < v.size(); ++i)
    if (gradients[i].defined()) slope = slope + sum(gradients[i] * Variable(v[i]));
  options.create_graph = false;
  const Variables products = grad({slope}, parameters, {}, options);
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    result.push_back(products[i].defined() ? products[i].value() : zeros_like(parameters[i].value()));
  return result;
}

}  // namespace xtg
