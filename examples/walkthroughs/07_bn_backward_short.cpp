// Batch norm's backward in one line, what it removes, and evaluation mode. The page: docs/07-bn-backward-short.md.

#include "bn_staged.hpp"
#include "drawing.hpp"
#include "walkthrough.hpp"

namespace {

double dot(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }

void terms() {
  const Values f = forward(column, column_gamma, column_beta, 0);
  const Tensor dx_hat = column_dy * column_gamma;
  const Tensor m1 = mean(dx_hat), m2 = mean(dx_hat * f.x_hat);
  std::printf("  <dx_hat>         %s\n  <dx_hat*x_hat>   %s\n\n", numbers(m1).c_str(), numbers(m2).c_str());
  std::printf("  dx_hat           %s\n", numbers(dx_hat).c_str());
  std::printf("  minus <dx_hat>   %s\n", numbers(dx_hat - m1).c_str());
  const Tensor rest = dx_hat - m1 - f.x_hat * m2;
  std::printf("  minus x_hat<...> %s\n", numbers(rest).c_str());
  std::printf("  times rstd = dx  %s\n", numbers(rest * f.rstd).c_str());
  const Tensor staged = backward(column_dy, column_gamma, f).dx;
  yes_or_stop(relative_error(rest * f.rstd, staged) < 1e-12, "the short form is the staged form");
}

void routes() {
  const Problem p = problem();
  for (const double eps : {1e-5, 0.1}) {
    const Values f = forward(p.x, p.gamma, p.beta, eps);
    // region: routes
    const Tensor staged = backward(p.dy, p.gamma, f).dx;  // page 06
    const Tensor in_short = nn::batch_norm_backward(p.dy, p.x, f.mean, f.rstd, p.gamma).dx;
    const Variable x(p.x, true);
    nn::batch_norm_composed(x, Variable(p.gamma), Variable(p.beta), eps)
        .backward(p.dy);  // the tape, from the definition
    const Tensor& tape = x.grad();
    // end region
    std::printf("eps = %g: first number of dx %.4f\n", eps, tape.data()[0]);
    std::printf("  short against staged, below 1e-12: %s\n",
                yes_or_stop(relative_error(in_short, staged) < 1e-12, "short = staged"));
    std::printf("  short against tape, below 1e-12:   %s\n",
                yes_or_stop(relative_error(in_short, tape) < 1e-12, "short = tape"));
  }
}

void removed() {
  const Problem p = problem();
  for (const double eps : {1e-5, 0.1}) {
    const Values f = forward(p.x, p.gamma, p.beta, eps);
    const Tensor dx_hat = p.dy * p.gamma, dx = nn::batch_norm_backward(p.dy, p.x, f.mean, f.rstd, p.gamma).dx;
    // region: sums
    const Tensor sum_dx = sum(dx, {0});              // (C)
    const Tensor left = sum(dx * f.x_hat, {0});      // Σ dx·x_hat
    const Tensor v_eps = reshape(f.var, {5}) + eps;  // var + eps
    const Tensor factor = reshape(f.rstd, {5}) * eps / v_eps;
    const Tensor right = factor * sum(dx_hat * f.x_hat, {0});
    // end region
    std::printf("eps = %g   column      0          1          2          3          4\n", eps);
    const auto row = [](const char* name, const Tensor& x) {
      std::printf("  %-14s", name);
      for (const Scalar v : x) std::printf("%11.3g", v);
      std::puts("");
    };
    row("sum dx*x_hat", left);
    row("the formula", right);
    std::printf("  sum dx is below 1e-12: %s, the two rows agree to 1e-9: %s\n",
                yes_or_stop(largest(sum_dx) < 1e-12 * norm(dx), "sum dx = 0"),
                yes_or_stop(relative_error(left, right) < 1e-9, "sum dx*x_hat"));
  }
}

// The projection itself, as a matrix, for three numbers in a set: they have three directions, and two are removed.
// region: triple
const Tensor triple = tensor({1, 2, 6}, {3, 1}), triple_dx_hat = tensor({1.6, -1, 3}, {3, 1});
// end region

void matrix() {
  const Values f = forward(triple, ones({1}), zeros({1}), 0);
  // region: matrix
  const Tensor identity = tensor({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3});
  const Tensor along_ones = full({3, 3}, 1. / 3);                        // 1·1ᵀ/M
  const Tensor along_x_hat = matmul(f.x_hat, f.x_hat, false, true) / 3;  // x_hat·x_hatᵀ/M
  const Tensor P = identity - along_ones - along_x_hat;
  // end region
  for (int i = 0; i < 3; ++i) std::printf("  %8.4f %8.4f %8.4f\n", P(i, 0), P(i, 1), P(i, 2));
  std::printf("P applied twice is P, to 1e-12:   %s\n",
              yes_or_stop(largest(matmul(P, P) - P) < 1e-12, "P is a projection"));
  std::printf("P of ones and of x_hat are 0:     %s\n",
              yes_or_stop(largest(matmul(P, ones({3, 1}))) + largest(matmul(P, f.x_hat)) < 1e-12, "directions"));
  std::printf("directions left, the trace of P:  %.0f\n", P(0, 0) + P(1, 1) + P(2, 2));
}

void few() {
  std::printf("  M      length of dx / length of rstd*dx_hat\n");
  for (const std::size_t M : {2, 3, 10, 1000}) {
    Generator random(M);
    const Tensor x = random_normal({M, 1}, random), dy = random_normal({M, 1}, random);
    const Values f = forward(x, ones({1}), zeros({1}), 0);
    const Tensor dx = nn::batch_norm_backward(dy, x, f.mean, f.rstd, ones({1})).dx;
    const double share = norm(dx) / norm(f.rstd * dy);
    std::printf("  %-6zu %.3f\n", M, share < 1e-12 ? 0 : share);
  }
}

void evaluation() {
  // region: eval
  const Tensor running_mean = tensor({8}, {1}), running_var = tensor({16}, {1});
  const Variable x(column, true), gamma(column_gamma, true), beta(column_beta, true);
  const Variable y = nn::batch_norm_eval(x, gamma, beta, running_mean, running_var, 0);
  y.backward(column_dy);
  const Tensor rstd = rsqrt(running_var);
  const Tensor by_hand = column_gamma * rstd * column_dy;  // gamma·r·dy
  // end region
  std::printf("  y                   %s\n", numbers(y.value()).c_str());
  std::printf("  dx, tape            %s\n", numbers(x.grad()).c_str());
  std::printf("  dx, by hand         %s\n", numbers(by_hand).c_str());
  std::printf("  dx, training mode   %s\n",
              numbers(backward(column_dy, column_gamma, forward(column, column_gamma, column_beta, 0)).dx).c_str());
  std::printf("  dgamma              %s\n  dbeta               %s\n", numbers(gamma.grad()).c_str(),
              numbers(beta.grad()).c_str());
  yes_or_stop(relative_error(x.grad(), by_hand) < 1e-12, "evaluation mode by hand");
}

/// The space of three numbers, seen from the side. Its axes: along ones, along x_hat, and what is left.
void projection() {
  const Values f = forward(triple, ones({1}), zeros({1}), 0);
  const double root = std::sqrt(3), scale = 84;  // the length of (1, 1, 1), and of x_hat
  const double a = dot(triple_dx_hat, ones({3, 1})) / root, b = dot(triple_dx_hat, f.x_hat) / root;
  const double c = std::sqrt(dot(triple_dx_hat, triple_dx_hat) - a * a - b * b);
  const auto place = [&](double along_ones, double along_x_hat, double rest) {
    return Point{220 + scale * (1.2 * along_ones - 0.5 * along_x_hat),
                 220 + scale * (0.12 * along_ones + 0.5 * along_x_hat - rest)};
  };
  const auto label = [](Drawing& d, Point at, double right, double down, const char* words, const char* colour) {
    d.text({at.x + right, at.y + down}, words, colour, "start", 15);
  };
  Drawing d(720, 400);
  d.polygon({place(-0.8, -0.9, 0), place(3.8, -0.9, 0), place(3.8, 2.1, 0), place(-0.8, 2.1, 0)}, "#eef3f9", "#c9d6e6");
  const Point origin = place(0, 0, 0), tip = place(a, b, c), shadow = place(a, b, 0);
  d.line(place(a, 0, 0), shadow, kGrey, 1.2, "4 3");
  d.line(origin, place(a, 0, 0), kGrey, 1.2, "4 3");
  d.line(place(0, b, 0), shadow, kGrey, 1.2, "4 3");
  d.arrow(origin, place(root, 0, 0), kBlue, 2.5);
  d.arrow(origin, place(0, root, 0), kPurple, 2.5);
  d.arrow(origin, shadow, kGrey, 2);
  d.arrow(shadow, tip, kGreen, 3);
  d.arrow(origin, tip, kOrange, 2.5);
  label(d, place(root, 0, 0), -12, -12, "(1, 1, 1)", kBlue);
  label(d, place(0, root, 0), -50, -2, "x_hat", kPurple);
  label(d, tip, -20, -10, "dx_hat", kOrange);
  label(d, tip, 14, 60, "what is left: dx / r", kGreen);
  d.text({60, 378}, "removed, in the plane: &lt;dx_hat&gt; &#183; (1, 1, 1) + &lt;dx_hat &#183; x_hat&gt; &#183; x_hat",
         kGrey, "start", 15);
  d.text({20, 30}, "Three numbers in the set: vectors with three components", kInk, "start", 15);
  d.print();
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"terms", "the column, term by term", terms},
               {"routes", "staged, short and tape", routes},
               {"removed", "the two sums", removed},
               {"matrix", "the projection as a matrix, three numbers", matrix},
               {"few", "how much of the gradient is left", few},
               {"eval", "evaluation mode", evaluation}},
              {{"projection", "what the layer removes, three numbers", projection}});
}
