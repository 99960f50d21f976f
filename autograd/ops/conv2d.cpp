#include "autograd/ops/conv2d.hpp"

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg {

Variable unfold(const Variable& x, const Conv2dGeometry& geometry) {
  return record("unfold", unfold(x.value(), geometry), {x},
                [geometry](const Variable& dy, const Context&) { return Variables{fold(dy, geometry)}; });
}

Variable fold(const Variable& patches, const Conv2dGeometry& geometry) {
  return record("fold", fold(patches.value(), geometry), {patches},
                [geometry](const Variable& dy, const Context&) { return Variables{unfold(dy, geometry)}; });
}

Variable conv2d_composed(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride,
                         std::size_t padding, std::size_t, std::size_t) {
  const Conv2dGeometry g = conv2d_geometry(x.shape(), weight.shape(), stride, padding);
  const Variable patches = unfold(x, g);                                       // (N·OH·OW, KH·KW·I)
  const Variable filters = reshape(weight, Shape{g.out, g.kh * g.kw * g.in});  // (O, KH·KW·I)
  Variable y = matmul(patches, filters, false, true);                          // (N·OH·OW, O)
  if (bias.defined()) {
    require<ShapeError>(bias.shape() == Shape{g.out}, "conv2d: expected bias of shape ({}), got {}", g.out,
                        to_string(bias.shape()));
    y = y + bias;
  }
  return reshape(y, g.output_shape());
}

// y = P·Wᵀ + b with P the patches. So dW = dyᵀ·P, dP = dy·W, dx = fold(dP), and db is the column sum of dy. The
// functions of tensor/conv2d.hpp compute the three without ever storing P for the whole batch.
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, std::size_t stride,
                std::size_t padding, std::size_t, std::size_t) {
  if (DerivedGradients::current()) return conv2d_composed(x, weight, bias, stride, padding);
  const Conv2dGeometry g = conv2d_geometry(x.shape(), weight.shape(), stride, padding);
  return record_analytic(
      "conv2d", conv2d(x.value(), weight.value(), bias.defined() ? &bias.value() : nullptr, stride, padding),
      {x, weight, bias},
      [stride, padding](const Variables& v) { return conv2d_composed(v[0], v[1], v[2], stride, padding); },
      [g](const Tensor& dy, const Arguments& a) {
        AnalyticGradients d(3);
        if (a.wants(0)) d[0] = conv2d_backward_input(dy, a[1], g);
        if (a.wants(1)) d[1] = conv2d_backward_weight(dy, a[0], g);
        if (a.wants(2)) d[2] = sum(dy, {0, 1, 2});
        return d;
      });
}

}  // namespace xtg
