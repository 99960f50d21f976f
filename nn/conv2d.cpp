#include "nn/conv2d.hpp"

#include "autograd/grad_mode.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "nn/init.hpp"
#include "tensor/create.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

Shape weight_shape(std::size_t in, std::size_t out, std::size_t kernel, const Conv2dOptions& options) {
  const std::size_t groups = options.groups;
  require_size("Conv2d", "input channels", in);
  require_size("Conv2d", "output channels", out);
  require_size("Conv2d", "kernel", kernel);
  require_size("Conv2d", "stride", options.stride);
  require_size("Conv2d", "padding", options.padding);
  require_size("Conv2d", "dilation", options.dilation);
  require_size("Conv2d", "groups", groups);
  require(groups >= 1 && in % groups == 0 && out % groups == 0,
          "Conv2d: {} groups do not divide {} input and {} output channels", groups, in, out);
  return {out, kernel, kernel, in / groups};
}

}  // namespace

Conv2d::Conv2d(std::size_t in, std::size_t out, std::size_t kernel, const Conv2dOptions& options, Generator& generator)
    : weight_(add_parameter("weight", kaiming_normal_fan_out(weight_shape(in, out, kernel, options), generator))),
      bias_(options.bias ? add_parameter("bias", zeros({out})) : Variable()),
      options_(options) {}

Variable Conv2d::forward(const Variable& x) {
  const Conv2dOptions& o = options_;
  return conv2d(x, weight_, bias_, o.stride, o.padding, o.dilation, o.groups);
}

Variable Conv2d::activated(const Variable& x) {
  if (has_forward_hooks()) return relu((*this)(x));
  const Scope scope(name());
  const Conv2dOptions& o = options_;
  return conv2d(x, weight_, bias_, o.stride, o.padding, o.dilation, o.groups, true);
}

std::size_t Conv2d::multiply_adds(const Shape& output) const {
  const Shape& w = weight_.shape();
  return count(output) * w[1] * w[2] * w[3];
}

std::unique_ptr<Module> Conv2d::make_like() const {
  Generator any(0);
  const Shape& w = weight_.shape();
  return std::make_unique<Conv2d>(w[3] * options_.groups, w[0], w[1], options_, any);
}

}  // namespace xtg::nn
