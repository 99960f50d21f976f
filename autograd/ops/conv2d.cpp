#include "autograd/ops/conv2d.hpp"

#include "autograd/operation.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

/// Elements k·n … (k + 1)·n − 1.
Range run(std::size_t k, std::size_t n) { return {k * n, static_cast<std::ptrdiff_t>((k + 1) * n), 1}; }

}  // namespace

Variable unfold(const Variable& x, const Conv2dGeometry& geometry) {
  return record("unfold", unfold(x.value(), geometry), {x},
                [geometry](const Variable& dy, const Context&) { return Variables{fold(dy, geometry)}; });
}

Variable fold(const Variable& patches, const Conv2dGeometry& geometry) {
  return record("fold", fold(patches.value(), geometry), {patches},
                [geometry](const Variable& dy, const Context&) { return Variables{unfold(dy, geometry)}; });
}

Variable conv2d_composed(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride,
                         std::size_t padding, std::size_t dilation, std::size_t groups) {
  const Conv2dGeometry g = conv2d_geometry(x.shape(), weight.shape(), stride, padding, dilation, groups);
  require<ShapeError>(!bias.defined() || bias.shape() == Shape{g.out}, "conv2d: expected bias of shape ({}), got {}",
                      g.out, bias.defined() ? to_string(bias.shape()) : "");
  const std::size_t in = g.in / groups, out = g.out / groups;
  Variables results;  // each (N·OH·OW, O/groups)
  for (std::size_t k = 0; k < groups; ++k) {
    const Variable x_k = groups == 1 ? x : slice(x, {{}, {}, {}, run(k, in)});             // (N, H, W, I/groups)
    const Variable w_k = groups == 1 ? weight : slice(weight, {run(k, out), {}, {}, {}});  // (O/groups, …)
    const Conv2dGeometry one = conv2d_geometry(x_k.shape(), w_k.shape(), stride, padding, dilation);
    const Variable filters = reshape(w_k, Shape{out, g.kh * g.kw * in});  // (O/groups, KH·KW·I/groups)
    results.push_back(matmul(unfold(x_k, one), filters, false, true));
  }
  const Variable y = groups == 1 ? results[0] : concatenate(results, 1);  // (N·OH·OW, O)
  return reshape(bias.defined() ? y + bias : y, g.output_shape());
}

// For each group y = P·Wᵀ + b with P the patches. So dW = dyᵀ·P, dP = dy·W, dx = fold(dP), and db is the column sum of
// dy. The functions of tensor/conv2d.hpp compute the three without ever storing P for the whole batch.

namespace {

Computed conv2d_by_hand(const Variable& x, const Variable& w, const Variable& bias, const Conv2dGeometry& g,
                        bool relu_follows) {
  Tensor y = conv2d_by_patches(x.value(), w.value(), bias.defined() ? &bias.value() : nullptr, g);
  return {relu_follows ? relu(y) : std::move(y),
          [g, relu_follows](const Tensor& dy, const Arguments& a) {
            const Tensor dz = relu_follows ? relu_backward(dy, a.output()) : dy;
            AnalyticGradients d(3);
            if (a.wants(0)) d[0] = conv2d_by_patches_backward_input(dz, a[1], g);
            if (a.wants(1)) d[1] = conv2d_by_patches_backward_weight(dz, a[0], g);
            if (a.wants(2)) d[2] = sum(dz, {0, 1, 2});
            return d;
          },
          relu_follows ? Keep::Output : Keep::Nothing};
}

/// By oneDNN where it takes the shape; relu and the bias's gradient in one pass.
Computed conv2d_fused(const Variable& x, const Variable& w, const Variable& bias, const Conv2dGeometry& g,
                      bool relu_follows) {
  const Tensor* b = bias.defined() ? &bias.value() : nullptr;
  return {conv2d(x.value(), w.value(), b, g.stride, g.padding, g.dilation, g.groups, relu_follows),
          [g, relu_follows](const Tensor& dy, const Arguments& a) {
            AnalyticGradients d(3);
            std::optional<ReluBiasGradients> through;
            if (relu_follows) through = relu_bias_backward(dy, a.output());
            const Tensor& dz = through ? through->dz : dy;
            Conv2dGradients both = conv2d_backward(dz, a[0], a[1], g, a.wants(0), a.wants(1));
            d[0] = std::move(both.dx);
            d[1] = std::move(both.dw);
            if (a.wants(2)) d[2] = through ? std::move(through->dbias) : sum(dy, {0, 1, 2});
            return d;
          },
          relu_follows ? Keep::Output : Keep::Nothing};
}

}  // namespace

Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride,
                std::size_t padding, std::size_t dilation, std::size_t groups, bool relu_follows) {
  const Conv2dGeometry g = conv2d_geometry(x.shape(), weight.shape(), stride, padding, dilation, groups);
  return operation(
      relu_follows ? "conv2d_relu" : "conv2d", {x, weight, bias},
      [=](const Variables& v) {
        const Variable y = conv2d_composed(v[0], v[1], v[2], stride, padding, dilation, groups);
        return relu_follows ? relu(y) : y;
      },
      [&] { return conv2d_by_hand(x, weight, bias, g, relu_follows); },
      [&] { return conv2d_fused(x, weight, bias, g, relu_follows); });
}

}  // namespace xtg
