#pragma once

#include <functional>
#include <memory>

#include "assignment/batch_norm.hpp"
#include "autograd/variable.hpp"
#include "nn/module.hpp"
#include "nn/norm/make_norm.hpp"
#include "tensor/random.hpp"

namespace xtg::assignment {

/// What a student writes in part 3.
struct Part3 {
  Variable (*group_norm)(const Variable& x, const Variable& gamma, const Variable& beta, std::size_t groups,
                         double eps);
  BatchNormGradients (*group_norm_backward)(const Tensor& dy, const Tensor& x, const Tensor& gamma, std::size_t groups,
                                            double eps);
  std::unique_ptr<nn::Module> (*choose_norm)(nn::NormKind kind, std::size_t channels, std::size_t groups);
  std::function<std::unique_ptr<nn::Module>(std::size_t in, std::size_t width, std::size_t stride, nn::NormKind kind,
                                            std::size_t groups, Generator& generator)>
      bottleneck;
  std::function<std::unique_ptr<nn::Module>(std::size_t channels, nn::NormKind kind, std::size_t groups,
                                            Generator& generator)>
      stem;
};

int grade_part3(const Part3& part);

}  // namespace xtg::assignment
