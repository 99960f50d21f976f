// Batch norm's backward, one node at a time, each beside the tape's value. The page: docs/06-bn-backward-staged.md.

#include "bn_staged.hpp"
#include "drawing.hpp"
#include "walkthrough.hpp"

namespace {

// region: tape
/// The same seven lines on the tape, which is then asked for the gradient of every node.
StepGradients from_tape(const Tensor& x0, const Tensor& gamma0, const Tensor& beta0, double eps, const Tensor& dy) {
  const Variable x(x0, true), gamma(gamma0, true), beta(beta0, true);
  const Variable mean = xtg::mean(x, {0}, true), centred = x - mean, squares = square(centred),
                 var = xtg::mean(squares, {0}, true), rstd = rsqrt(var + eps), x_hat = centred * rstd,
                 y = gamma * x_hat + beta;
  const Variables d = grad({y}, {gamma, beta, x_hat, rstd, var, squares, centred, mean, x}, {Variable(dy)});
  return {d[0].value(), d[1].value(), d[2].value(), d[3].value(), d[4].value(),
          d[5].value(), d[6].value(), d[7].value(), d[8].value()};
}
// end region

struct Node {
  const char* name;
  Tensor StepGradients::*member;
};
const std::vector<Node> kNodes = {
    {"dbeta", &StepGradients::dbeta},       {"dgamma", &StepGradients::dgamma}, {"dx_hat", &StepGradients::dx_hat},
    {"drstd", &StepGradients::drstd},       {"dvar", &StepGradients::dvar},     {"dsquares", &StepGradients::dsquares},
    {"dcentred", &StepGradients::dcentred}, {"dmean", &StepGradients::dmean},   {"dx", &StepGradients::dx}};

void column_forward() {
  const Values f = forward(column, column_gamma, column_beta, 0);
  std::printf("      x         %s\n", numbers(column).c_str());
  std::printf("  1   mean      %s\n", numbers(f.mean).c_str());
  std::printf("  2   centred   %s\n", numbers(f.centred).c_str());
  std::printf("  3   squares   %s\n", numbers(f.squares).c_str());
  std::printf("  4   var       %s\n", numbers(f.var).c_str());
  std::printf("  5   rstd      %s\n", numbers(f.rstd).c_str());
  std::printf("  6   x_hat     %s\n", numbers(f.x_hat).c_str());
  std::printf("  7   y         %s\n", numbers(f.y).c_str());
}

void column_backward() {
  const StepGradients by_hand = backward(column_dy, column_gamma, forward(column, column_gamma, column_beta, 0));
  const StepGradients tape = from_tape(column, column_gamma, column_beta, 0, column_dy);
  std::printf("  %-10s %-33s %s\n", "", "by hand", "tape");
  std::printf("  %-10s%s\n", "dy", numbers(column_dy).c_str());
  for (const Node& n : kNodes) {
    std::printf("  %-10s%-33s|%s\n", n.name, numbers(by_hand.*n.member).c_str(), numbers(tape.*n.member).c_str());
    yes_or_stop(relative_error(by_hand.*n.member, tape.*n.member) < 1e-12, n.name);
  }
}

void nodes() {
  const Problem p = problem();
  for (const double eps : {1e-5, 0.1}) {
    const StepGradients by_hand = backward(p.dy, p.gamma, forward(p.x, p.gamma, p.beta, eps));
    const StepGradients tape = from_tape(p.x, p.gamma, p.beta, eps, p.dy);
    std::printf("eps = %g\n  %-10s %-8s %12s %12s   error below 1e-12\n", eps, "", "shape", "first number", "tape");
    for (const Node& n : kNodes) {
      const Tensor &a = by_hand.*n.member, &b = tape.*n.member;
      std::printf("  %-10s %-8s %12.4f %12.4f   %s\n", n.name, to_string(a.shape()).c_str(), a.data()[0], b.data()[0],
                  yes_or_stop(relative_error(a, b) < 1e-12, n.name));
    }
  }
}

void images() {
  const Problem p = problem();
  Generator random(7);
  // region: images
  const Tensor x = random_normal({3, 2, 4, 5}, random), dy = random_normal({3, 2, 4, 5}, random);  // (N, H, W, C)
  const Shape matrix = {3 * 2 * 4, 5};                                                             // (M, C)
  const Values f = forward(reshape(x, matrix), p.gamma, p.beta, 1e-5);
  const StepGradients b = backward(reshape(dy, matrix), p.gamma, f);
  const Tensor dx = reshape(b.dx, x.shape());  // back to (N, H, W, C); dgamma and dbeta are (C) as they are
  // end region
  const Variable from(x, true);
  const Variable mean = xtg::mean(from, {0, 1, 2}, true), var = xtg::mean(square(from - mean), {0, 1, 2}, true);
  ((from - mean) * rsqrt(var + 1e-5) * Variable(p.gamma)).backward(dy);
  std::printf("dx       %s, that of the tape: %s\n", to_string(dx.shape()).c_str(),
              yes_or_stop(relative_error(dx, from.grad()) < 1e-12, "dx of images"));
  std::printf("dgamma   %s\n", to_string(b.dgamma.shape()).c_str());
  std::printf("sum(dy, {0}) without the matrix: %s\n", to_string(sum(dy, {0}).shape()).c_str());
}

void zero_term() {
  const Values f = forward(column, column_gamma, column_beta, 0);
  const StepGradients b = backward(column_dy, column_gamma, f);
  // region: ways
  const Tensor first_way = b.dx_hat * f.rstd;            // through x_hat
  const Tensor second_way = 2 * f.centred * b.dsquares;  // through squares
  const Tensor dmean_first = -sum(first_way), dmean_second = -sum(second_way);
  // end region
  std::printf("  dcentred                                        its part of dmean\n");
  std::printf("  through x_hat   %s   %s\n", numbers(first_way).c_str(), numbers(dmean_first).c_str());
  std::printf("  through squares %s   %s\n", numbers(second_way).c_str(), numbers(dmean_second).c_str());

  const Problem p = problem();
  const Values g = forward(p.x, p.gamma, p.beta, 1e-5);
  const StepGradients d = backward(p.dy, p.gamma, g);
  const double term = largest(sum(2 * g.centred * d.dsquares, {0}));
  std::printf("five random columns: the second part is below 1e-12 of dmean: %s\n",
              yes_or_stop(term < 1e-12 * largest(d.dmean), "the term is zero"));
}

void forget() {
  const Problem p = problem();
  const Values f = forward(p.x, p.gamma, p.beta, 1e-5);
  const StepGradients b = backward(p.dy, p.gamma, f);
  const Tensor direct = b.dx_hat * f.rstd;  // the first way to centred; with the statistics held, all of dx
  const Tensor through_var = 2 * f.centred * b.dsquares;
  const Tensor through_mean = broadcast_to(b.dmean / 6, p.x.shape());
  const struct {
    const char* forgotten;
    Tensor dx;
  } wrong[] = {{"nothing", b.dx},
               {"the way through var", direct + through_mean},
               {"the way through mean", direct + through_var},
               {"both", direct},
               {"the factor 2 of step 3", direct + 0.5 * through_var + through_mean},
               {"the minus sign of step 5", direct - through_var + through_mean},
               {"= for += in dcentred", through_var},  // its sum is 0, and so is dmean
               {"= for += in dx", through_mean},
               {"the mean inside var", direct + through_var - sum(direct, {0}, true) / 6}};
  std::printf("  %-26s %-12s %-12s %s\n", "forgotten", "error of dx", "sum dx", "sum dx*x_hat");
  for (const auto& w : wrong) {
    const double error = norm(w.dx - b.dx) / norm(b.dx);
    const auto seen = [&](const Tensor& x) { return largest(sum(x, {0})) < 1e-3 ? "0" : "not 0"; };
    std::printf("  %-26s %-12s %-12s %s\n", w.forgotten, error < 1e-12 ? "0" : fmt::format("{:.2f}", error).c_str(),
                seen(w.dx), seen(w.dx * f.x_hat));
  }
}

std::string vector_text(const Tensor& x) {
  std::string text;
  for (const Scalar v : x) text += fmt::format("{}{:.3g}", text.empty() ? "" : "&#160; ", std::abs(v) < 1e-12 ? 0 : v);
  return text;
}

void graph() {
  const Values f = forward(column, column_gamma, column_beta, 0);
  const StepGradients b = backward(column_dy, column_gamma, f);
  Drawing d(830, 330);
  struct Place {
    const char *name, *formula;
    double x, y, width;
    const Tensor &value, &gradient;
  };
  constexpr double kHeight = 90, top = 44, low = 216, wide = 180;
  const Place places[] = {{"x", "", 10, top, wide, column, b.dx},
                          {"1 mean", "mean of x", 10, low, wide, f.mean, b.dmean},
                          {"2 centred", "x &#8722; mean", 220, top, wide, f.centred, b.dcentred},
                          {"3 squares", "centred&#178;", 220, low, wide, f.squares, b.dsquares},
                          {"4 var", "mean of squares", 430, low, 120, f.var, b.dvar},
                          {"5 rstd", "1/&#8730;(var + eps)", 580, low, 120, f.rstd, b.drstd},
                          {"6 x_hat", "centred &#183; rstd", 430, top, wide, f.x_hat, b.dx_hat},
                          {"7 y", "gamma &#183; x_hat + beta", 640, top, wide, f.y, column_dy}};
  for (const Place& p : places) {
    const double middle = p.x + p.width / 2;
    d.box({p.x, p.y}, p.width, kHeight);
    d.text({middle, p.y + 20}, p.name, kInk, "middle", 14, "font-weight=\"bold\"");
    d.text({middle, p.y + 37}, p.formula, kGrey, "middle", 12);
    d.text({middle, p.y + 59}, vector_text(p.value), kBlue, "middle", 13);
    d.text({middle, p.y + 80}, vector_text(p.gradient), kOrange, "middle", 13);
  }
  const double t = top + kHeight / 2, l = low + kHeight / 2, under = top + kHeight;
  d.arrow({190, t}, {219, t});               // x → centred
  d.arrow({100, under}, {100, low - 1});     // x → mean
  d.arrow({190, l - 20}, {250, under + 1});  // mean → centred
  d.arrow({310, under}, {310, low - 1});     // centred → squares
  d.arrow({400, t}, {429, t});               // centred → x_hat
  d.arrow({400, l}, {429, l});               // squares → var
  d.arrow({550, l}, {579, l});               // var → rstd
  d.arrow({620, low}, {560, under + 1});     // rstd → x_hat
  d.arrow({610, t}, {639, t});               // x_hat → y
  d.text({10, 26}, "values, forward along the arrows", kBlue, "start");
  d.text({260, 26}, "gradients, backward against them", kOrange, "start");
  d.print();
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"forward", "a column of four numbers, forward", column_forward},
               {"backward", "its gradients by hand and from the tape", column_backward},
               {"images", "a batch of images as a matrix", images},
               {"zero-term", "the mean inside the variance", zero_term},
               {"nodes", "five columns, two eps, every node against the tape", nodes},
               {"forget", "what a forgotten way looks like", forget}},
              {{"graph", "the seven steps, with values and gradients", graph}});
}
