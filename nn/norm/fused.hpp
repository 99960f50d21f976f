#pragma once

// What a norm does with its result besides returning it: nothing, y = relu(norm(x)), or y = relu(norm(x) + residual).
// Each is a pair of small functions that the norm's loops call for element i, so that the fused forms need no passes of
// their own over memory. The loops are written once, in the norm's file. For the norms' .cpp files; not installed.

#include <utility>
#include <vector>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tensor/kernels/columns.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

/// Forward: the result for element i from norm = gamma·x_hat + beta.
struct KeepNorm {
  Scalar operator()(Scalar norm, std::size_t) const { return norm; }
};
struct ReluNorm {
  Scalar operator()(Scalar norm, std::size_t) const { return norm <= 0 ? Scalar{0} : norm; }
};
struct AddReluNorm {
  const Scalar* residual;
  Scalar operator()(Scalar norm, std::size_t i) const {
    const Scalar z = norm + residual[i];
    return z <= 0 ? Scalar{0} : z;
  }
};

/// Backward: the gradient dz of norm at element i of column c. The loops say `widen` before, then ask twice: `first`
/// for the sums, `again` for dx.
struct OfNorm {
  const Scalar* dy;
  void widen(const kernels::WideMatrix&) {}
  Scalar first(std::size_t i, std::size_t, Scalar) const { return dy[i]; }
  Scalar again(std::size_t i, std::size_t, Scalar) const { return dy[i]; }
};
/// Whether relu was open follows from x_hat, which is at hand: y need not be read.
struct OfReluNorm {
  const Scalar *dy, *gamma, *beta;
  std::vector<Scalar> gammas, betas;  // by column
  void widen(const kernels::WideMatrix& matrix) {
    gammas = matrix.repeated(gamma);
    betas = matrix.repeated(beta);
    gamma = gammas.data();
    beta = betas.data();
  }
  Scalar first(std::size_t i, std::size_t c, Scalar x_hat) const {
    const Scalar upstream = dy[i];
    return gamma[c] * x_hat + beta[c] <= 0 ? Scalar{0} : upstream;
  }
  Scalar again(std::size_t i, std::size_t c, Scalar x_hat) const { return first(i, c, x_hat); }
};
/// Here dz is also the gradient of the residual: stored at the first question, and read at the second.
struct OfAddReluNorm {
  const Scalar *dy, *y;
  Scalar* dz;
  void widen(const kernels::WideMatrix&) {}
  Scalar first(std::size_t i, std::size_t, Scalar) const {
    const Scalar upstream = dy[i];
    return dz[i] = y[i] <= 0 ? Scalar{0} : upstream;
  }
  Scalar again(std::size_t i, std::size_t, Scalar) const { return dz[i]; }
};

/// "batch_norm" -> one of the three names, which are literals: nodes keep the pointer.
struct NormNames {
  const char *plain, *relu, *add_relu;
  const char* of(const NormTail& tail) const { return !tail.relu ? plain : tail.residual.defined() ? add_relu : relu; }
};

/// The composition that is the definition: v = (x, gamma, beta, residual), norm that of the first three.
inline Variable with_tail(const Variable& norm, bool relu_follows, const Variable& residual) {
  if (!relu_follows) return norm;
  return residual.defined() ? add_relu(norm, residual) : relu(norm);
}

/// Throws unless the tail is one of the three.
inline void require_tail(const char* name, const Variable& x, const NormTail& tail) {
  if (!tail.residual.defined()) return;
  require(tail.relu, "{}: a residual is for the form with relu", name);
  require<ShapeError>(tail.residual.shape() == x.shape(), "{}: expected a residual of x's shape {}, got {}", name,
                      xtg::to_string(x.shape()), xtg::to_string(tail.residual.shape()));
}

/// Records a norm with its tail. forward(finish) -> NormForward is its forward by hand, composed(v) its definition
/// without the tail, backward(upstream, x, mean, rstd, gamma) -> NormGradients its backward by hand; `use` sees the
/// statistics.
template <class Forward, class Composed, class Backward, class Use>
Variable record_norm(const NormNames& names, const Variable& x, const Variable& gamma, const Variable& beta,
                     const NormTail& tail, const Forward& forward, const Composed& composed, const Backward& backward,
                     const Use& use) {
  const bool add = tail.residual.defined(), open = tail.relu;
  NormForward f = !open ? forward(KeepNorm{})
                  : add ? forward(AddReluNorm{tail.residual.value().data()})
                        : forward(ReluNorm{});
  use(f);
  return record_analytic(
      names.of(tail), std::move(f.y), {x, gamma, beta, tail.residual},
      [composed, open](const Variables& v) { return with_tail(composed(v), open, v[3]); },
      [backward, open, add, mean = std::move(f.mean), rstd = std::move(f.rstd)](const Tensor& dy, const Arguments& a) {
        AnalyticGradients gradients(4);
        const auto run = [&](auto upstream) {
          NormGradients d = backward(std::move(upstream), a[0], mean, rstd, a[1]);
          gradients[0] = std::move(d.dx);
          gradients[1] = std::move(d.dgamma);
          gradients[2] = std::move(d.dbeta);
        };
        if (!open) {
          run(OfNorm{dy.data()});
        } else if (!add) {
          run(OfReluNorm{dy.data(), a[1].data(), a[2].data(), {}, {}});
        } else {
          Tensor& dz = gradients[3].emplace(dy.shape());
          run(OfAddReluNorm{dy.data(), a.output().data(), dz.data()});
        }
        return gradients;
      },
      add ? Keep::Output : Keep::Nothing);
}

}  // namespace xtg::nn
