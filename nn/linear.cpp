#include "nn/linear.hpp"

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/matmul.hpp"
#include "nn/init.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {
namespace {

Shape weight_shape(std::size_t in, std::size_t out) {
  require_size("Linear", "inputs", in);
  require_size("Linear", "outputs", out);
  return {out, in};
}

}  // namespace

Linear::Linear(std::size_t in, std::size_t out, Generator& generator)
    : weight_(add_parameter("weight", uniform_fan_in(weight_shape(in, out), in, generator))),
      bias_(add_parameter("bias", uniform_fan_in({out}, in, generator))) {}

Variable Linear::forward(const Variable& x) {
  require<ShapeError>(x.shape().size() == 2 && x.shape()[1] == weight_.shape()[1], "linear: expected x (N, {}), got {}",
                      weight_.shape()[1], to_string(x.shape()));
  return matmul(x, weight_, false, true) + bias_;
}

std::size_t Linear::multiply_adds(const Shape& output) const { return count(output) * weight_.shape()[1]; }

std::unique_ptr<Module> Linear::make_like() const {
  Generator any(0);
  return std::make_unique<Linear>(weight_.shape()[1], weight_.shape()[0], any);
}

}  // namespace xtg::nn
