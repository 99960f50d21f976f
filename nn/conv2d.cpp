#include "nn/conv2d.hpp"

#include "autograd/ops/conv2d.hpp"
#include "nn/init.hpp"
#include "tensor/create.hpp"

namespace xtg::nn {

namespace {

Shape weight_shape(std::size_t in, std::size_t out, std::size_t kernel, std::size_t groups) {
  require(groups >= 1 && in % groups == 0 && out % groups == 0,
          "Conv2d: {} groups do not divide {} input and {} output channels", groups, in, out);
  return {out, kernel, kernel, in / groups};
}

}  // namespace

Conv2d::Conv2d(std::size_t in, std::size_t out, std::size_t kernel, const Conv2dOptions& options, Generator& generator)
    : weight_(
          add_parameter("weight", kaiming_normal_fan_out(weight_shape(in, out, kernel, options.groups), generator))),
      bias_(options.bias ? add_parameter("bias", zeros({out})) : Variable()),
      options_(options) {}

Variable Conv2d::forward(const Variable& x) {
  const Conv2dOptions& o = options_;
  return conv2d(x, weight_, bias_, o.stride, o.padding, o.dilation, o.groups);
}

}  // namespace xtg::nn
