// An operation of your own, with its gradient twice. RMS norm (Zhang & Sennrich 2019, arXiv:1910.07467) is not in the
// library: layer norm of the last axis without the mean,
//
//   y = gamma*x_hat,   x_hat = x*r,   r = 1/sqrt(<x^2> + eps),   <.> the mean over the last axis: x (..., C), gamma
//   (C).
//
// What it takes: a definition, an analytic backward, operation() to put both on the tape, check_gradients() to
// compare the two with finite differences.

#include <cmath>
#include <cstdio>
#include <xtgrad.hpp>

using namespace xtg;

namespace {

// 1. The definition: the same function, of operations that the tape can differentiate.
Variable rms_norm_composed(const Variable& x, const Variable& gamma, double eps) {
  const Variable mean_square = mean(square(x), {-1}, true);  // (..., 1)
  return gamma * (x * rsqrt(mean_square + static_cast<Scalar>(eps)));
}

// 2. The analytic backward, for one row of C numbers, with dx_hat = gamma*dy. x_i acts on the loss in two ways:
//
//   through its own x_hat_i, with r held:   dx_hat_i * r
//   through r:   dr = sum of dx_hat_j*x_j,  and  dr/dx_i = -1/2 * r^3 * 2*x_i/C = -r^2 * x_hat_i/C;
//                the product of the two:    -r * x_hat_i * <dx_hat*x_hat>         (x_j is x_hat_j/r)
//
//   dx_i = r*(dx_hat_i - x_hat_i*<dx_hat*x_hat>),   dgamma_i = sum over the rows of dy_i*x_hat_i.
//
// Batch and layer norm subtract <dx_hat> as well, for there x_i also moves the mean.
struct RmsNormGradients {
  Tensor dx, dgamma;
};

RmsNormGradients rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& gamma, double eps, bool mistake) {
  const std::size_t C = gamma.size();
  RmsNormGradients d{zeros_like(x), zeros_like(gamma)};
  for (std::size_t start = 0; start < x.size(); start += C) {
    const Scalar *in = x.data() + start, *up = dy.data() + start, *g = gamma.data();
    double sum_of_squares = 0, sum = 0;
    for (std::size_t c = 0; c < C; ++c) sum_of_squares += in[c] * in[c];
    const double r = 1 / std::sqrt(sum_of_squares / C + eps);
    for (std::size_t c = 0; c < C; ++c) sum += g[c] * up[c] * in[c] * r;
    const double mean = mistake ? 0 : sum / C;  // the mistake: r taken for a constant
    for (std::size_t c = 0; c < C; ++c) {
      const double x_hat = in[c] * r, dx_hat = g[c] * up[c];
      d.dx.data()[start + c] = r * (dx_hat - x_hat * mean);
      d.dgamma.data()[c] += up[c] * x_hat;
    }
  }
  return d;
}

// 3. The operation. The value is computed off the tape: only the whole of it is recorded. For a first derivative the
// walk calls the analytic backward; if the derivative is to be differentiated again, the definition.
Variable rms_norm(const Variable& x, const Variable& gamma, double eps, bool mistake = false) {
  require<ShapeError>(!x.shape().empty() && gamma.shape() == Shape{x.shape().back()},
                      "rms_norm: expected x (..., C) and gamma (C), got {} and {}", to_string(x.shape()),
                      to_string(gamma.shape()));
  const auto definition = [eps](const Variables& v) { return rms_norm_composed(v[0], v[1], eps); };
  const auto backward = [eps, mistake](const Tensor& dy, const Arguments& arguments) {
    RmsNormGradients d = rms_norm_backward(dy, arguments[0], arguments[1], eps, mistake);
    return analytic_gradients(std::move(d.dx), std::move(d.dgamma));
  };
  return operation("rms_norm", {x, gamma}, definition, [&] {
    const NoGrad off_the_tape;
    return Computed{rms_norm_composed(x, gamma, eps).value(), backward};  // a fast loop could stand here
  });
}

void report(const char* title, const GradientCheck& check) {
  std::printf("%s: %s\n  x:     %s\n  gamma: %s\n", title, check.ok ? "passed" : "FAILED",
              check.inputs[0].verdict.c_str(), check.inputs[1].verdict.c_str());
}

}  // namespace

int main() {
  Generator random(1);
  const Tensor x = random_normal({4, 5}, random), gamma = tensor({1.5, -0.7, 0.3, 2, -1.1}, {5});

  // Analytic against derived against finite differences, and the second derivative too. A large eps on purpose: with
  // the usual 1e-5 a backward that forgot it would pass.
  GradientCheckOptions both_orders;
  both_orders.order = 2;
  report("rms_norm",
         check_gradients([](const Variables& v) { return rms_norm(v[0], v[1], 0.1); }, {x, gamma}, both_orders));

  // The three ways tell which one is wrong.
  report("\nrms_norm with r taken for a constant",
         check_gradients([](const Variables& v) { return rms_norm(v[0], v[1], 0.1, true); }, {x, gamma}));

  // What a gradient check cannot see is a wrong value with its own right gradient. So test a value that you know:
  // the mean square of {3, 4, 0, 0} is 25/4, its root 2.5.
  const Variable y = rms_norm(Variable(tensor({3, 4, 0, 0}, {1, 4})), Variable(ones({4})), 0);
  std::printf("\n{3, 4, 0, 0} -> %s\n", to_string(y.value()).c_str());
}
