// Checks exercise 07. Compiled by tools/assignment with the student's folder in front of the include path.
#include "exercise_07.hpp"

#include <string>
#include <vector>

#include "assignment/grader/report.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace {

using namespace xtg;
using assignment::BatchNormGradients;

struct Problem {
  Tensor dy, x, gamma, mean, var;
  double eps;
};

/// Columns of spread 0.5 to 8 about 12; running statistics that are near those of x and not equal to them.
Problem make_problem(const Shape& shape, double eps, std::uint64_t seed) {
  Generator random(seed);
  Problem p;
  p.eps = eps;
  p.x = random_normal(shape, random) * tensor({0.5, 1, 2, 4, 8}, {5}) + 12;
  p.dy = random_normal(shape, random);
  p.gamma = tensor({1.5, -0.7, 0.3, 2, -1.1}, {5});
  p.mean = tensor({11.5, 12.3, 11, 13, 10}, {5});
  p.var = tensor({0.4, 0.8, 5, 12, 50}, {5});
  return p;
}
const std::vector<Problem> problems{make_problem({7, 5}, 1e-5, 1), make_problem({2, 3, 4, 5}, 0.1, 2)};

Tensor rows(const Tensor& t) { return reshape(t, {-1, 5}); }
Tensor over_rows(const Tensor& t) { return sum(rows(t), {0}); }

enum class Mistake {
  None,
  TrainingTerms,
  BatchStatistics,
  MeanRemoved,
  NoGamma,
  Variance,
  NoEps,
  EpsOutside,
  NoRstd,  // dx
  RawX,
  Averaged,
  Swapped,
  WithGamma  // dgamma, dbeta
};

Tensor x_hat_of(const Problem& p, const Tensor& mean, const Tensor& var) { return (p.x - mean) * rsqrt(var + p.eps); }

/// r·(dx_hat − <dx_hat> − x_hat·<dx_hat·x_hat>), what training mode would do.
Tensor training_dx(const Problem& p, const Tensor& mean, const Tensor& var) {
  const Tensor dx_hat = rows(p.dy * p.gamma), x_hat = rows(x_hat_of(p, mean, var));
  const Tensor m1 = xtg::mean(dx_hat, {0}), m2 = xtg::mean(dx_hat * x_hat, {0});
  const Tensor dx = dx_hat - m1 - x_hat * m2;
  return reshape(dx * rsqrt(var + p.eps), p.x.shape());
}

/// The gradients with one mistake in all of them that can have it.
BatchNormGradients backward(const Problem& p, Mistake mistake) {
  const auto is = [&](Mistake m) { return mistake == m; };
  const double M = static_cast<double>(p.x.size()) / 5;
  const Tensor batch_mean = xtg::mean(rows(p.x), {0});
  const Tensor batch_var = xtg::mean(square(rows(p.x) - batch_mean), {0});
  const Tensor& mean = is(Mistake::BatchStatistics) ? batch_mean : p.mean;
  const Tensor& var = is(Mistake::BatchStatistics) ? batch_var : p.var;

  Tensor r = rsqrt(var + p.eps);
  if (is(Mistake::Variance)) r = square(r);
  if (is(Mistake::NoEps)) r = rsqrt(var);
  if (is(Mistake::EpsOutside)) r = ones({5}) / (sqrt(var) + p.eps);
  if (is(Mistake::NoRstd)) r = ones({5});
  const Tensor x_hat = is(Mistake::RawX) ? p.x : (p.x - mean) * r;

  BatchNormGradients g;
  g.dx = p.dy * (is(Mistake::NoGamma) ? r : p.gamma * r);
  if (is(Mistake::TrainingTerms) || is(Mistake::BatchStatistics)) g.dx = training_dx(p, mean, var);
  if (is(Mistake::MeanRemoved)) g.dx = g.dx - over_rows(g.dx) / M;
  g.dgamma = over_rows(p.dy * x_hat);
  g.dbeta = over_rows(is(Mistake::WithGamma) ? p.dy * p.gamma : p.dy);
  if (is(Mistake::Averaged)) g.dgamma = g.dgamma / M, g.dbeta = g.dbeta / M;
  if (is(Mistake::Swapped)) std::swap(g.dgamma, g.dbeta);
  return g;
}

struct Named {
  Mistake mistake;
  const char* hint;
};
const std::vector<Named> mistakes{
    {Mistake::TrainingTerms,
     "these are the three terms of training mode. There the mean and the variance depend on x; in evaluation mode they "
     "are constants, and only the direct way is left"},
    {Mistake::BatchStatistics, "this uses the mean and variance of x itself; evaluation mode uses the running ones"},
    {Mistake::MeanRemoved,
     "<dx> has been subtracted, as if the mean depended on x; in evaluation mode it is a constant"},
    {Mistake::NoGamma, "gamma is missing: y = gamma·x_hat + beta, so dx_hat is gamma·dy"},
    {Mistake::Variance, "this divides by running_var + eps; the standard deviation is its square root"},
    {Mistake::NoEps, "eps is missing in the root: 1/√(running_var + eps)"},
    {Mistake::EpsOutside, "eps belongs under the root: √(running_var + eps), not √running_var + eps"},
    {Mistake::NoRstd, "the factor 1/√(running_var + eps) is missing: x_hat = (x − mean)·rstd"},
    {Mistake::RawX, "this is Σ dy·x; y depends on gamma through x_hat: Σ dy·x_hat"},
    {Mistake::Averaged,
     "this is the mean over the rows. All rows use the same parameter, so its gradient is the sum of theirs"},
    {Mistake::Swapped, "dgamma and dbeta are exchanged"},
    {Mistake::WithGamma, "gamma does not belong here: beta is added after gamma has been applied"},
};

bool close(const Tensor& a, const Tensor& b) {
  const Tensor difference = square(a - b);
  return all_finite(a) && sum(difference).item() <= 1e-18 * sum(square(b)).item();
}

std::string judge(Tensor BatchNormGradients::*part, const char* name, const char* otherwise) {
  std::vector<Tensor> answers;
  for (const Problem& p : problems) {
    answers.push_back(student::batch_norm_eval_backward(p.dy, p.x, p.gamma, p.mean, p.var, p.eps).*part);
    const Shape expected = (backward(p, Mistake::None).*part).shape();
    if (answers.back().shape() != expected)
      return fmt::format("{} has the shape {}, expected {} for x {}{}", name, to_string(answers.back().shape()),
                         to_string(expected), to_string(p.x.shape()),
                         expected.size() == 1 ? ": sum over all axes but the last, reshape(x, {-1, C})" : "");
  }
  const auto agrees = [&](Mistake mistake) {
    for (std::size_t i = 0; i < problems.size(); ++i)
      if (!close(answers[i], backward(problems[i], mistake).*part)) return false;
    return true;
  };
  if (agrees(Mistake::None)) return "";
  for (const Named& named : mistakes)
    if (agrees(named.mistake)) return named.hint;
  return otherwise;
}

}  // namespace

int main() {
  assignment::Report report("exercise 07: batch norm's backward in evaluation mode");
  report.check("E7.dx", "the gradient with respect to x", 2, [] {
    return judge(&BatchNormGradients::dx, "dx",
                 "each y is used by one x alone: differentiate gamma·(x − running_mean)/√(running_var + eps) + beta "
                 "with respect to x, all else held");
  });
  report.check("E7.dgamma", "the gradient with respect to gamma", 1, [] {
    return judge(&BatchNormGradients::dgamma, "dgamma",
                 "for each channel, Σ dy·x_hat over all rows, x_hat with the running statistics");
  });
  report.check("E7.dbeta", "the gradient with respect to beta", 1, [] {
    return judge(&BatchNormGradients::dbeta, "dbeta", "for each channel, Σ dy over all rows (images and places)");
  });
  return report.finish();
}
