#include "nn/conv2d.hpp"

#include "autograd/ops/conv2d.hpp"
#include "nn/init.hpp"
#include "tensor/create.hpp"

namespace xtg::nn {

Conv2d::Conv2d(std::size_t in, std::size_t out, std::size_t kernel, const Conv2dOptions& options, Generator& generator)
    : weight_(add_parameter("weight", kaiming_normal_fan_out({out, kernel, kernel, in}, generator))),
      bias_(options.bias ? add_parameter("bias", zeros({out})) : Variable()),
      options_(options) {}

Variable Conv2d::forward(const Variable& x) { return conv2d(x, weight_, bias_, options_.stride, options_.padding); }

}  // namespace xtg::nn
