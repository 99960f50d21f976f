// Checks exercise 04. Compiled by tools/assignment with the student's folder in front of the include path.
#include "exercise_04.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "../../walkthroughs/04_wrong_backwards.hpp"
#include "assignment/grader/report.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tensor/print.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace {

using student::Probe;

constexpr double kTolerance = 1e-2;

Tensor dx_of(const Candidate& candidate, const Probe& p) {
  const nn::NormForward f = nn::batch_norm_forward(p.x, p.gamma, zeros(p.gamma.shape()), p.eps);
  const Variable dy(p.dy), x(p.x), gamma(p.gamma), r(f.rstd);
  const auto M = static_cast<Scalar>(p.x.shape()[0]);
  return candidate.dx({dy, x, gamma, gamma * dy, (x - Variable(f.mean)) * r, r, static_cast<Scalar>(p.eps), M}).value();
}

bool passes(const Candidate& candidate, const Probe& p) {
  const Tensor a = dx_of(candidate, p), b = dx_of(kRight, p);
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a.data()[i] - b.data()[i]) <= kTolerance * (1 + std::abs(b.data()[i])))) return false;
  return true;
}

bool all_near_one(const Tensor& t) {
  return std::all_of(t.begin(), t.end(), [](Scalar v) { return std::abs(v - 1) < 0.05; });
}

/// Why this probe may be blind, for the wrong backward `name`.
std::string reason(const Probe& p, const std::string& name) {
  const Tensor spread = xtg::max(xtg::abs(p.dy - xtg::mean(p.dy, {0}, true)));
  const Tensor r = nn::batch_norm_forward(p.x, p.gamma, p.gamma, p.eps).rstd;
  const auto about = [&](const char* word) { return name.find(word) != std::string::npos; };
  if (spread.item() < 1e-9)
    return "dy is the same in all rows, as if the loss were a plain sum; then the right dx is zero";
  if (about("gamma") && all_near_one(p.gamma)) return "all gammas are 1, so it does not matter where gamma stands";
  if (about("eps"))
    return fmt::format("eps is {:g}; to see whether it is there, take an x whose variances are not much larger", p.eps);
  if (about("M-1") && p.x.shape()[0] > 30)
    return fmt::format("with {} rows, M and M-1 are nearly the same; take few rows", p.x.shape()[0]);
  if ((about("rstd") || about("power")) && all_near_one(r))
    return "rstd is 1 in every column, so its powers are all the same; spread the columns differently";
  const double largest = xtg::max(xtg::abs(dx_of(kRight, p))).item();
  if (largest < 10 * kTolerance)
    return fmt::format("the largest |dx| is {:.1g}, small beside the 1 in 0.01*(1 + |dx|): make dy larger", largest);
  return "the numbers should be random and of different size in each column, gamma included";
}

std::string judge(const std::vector<std::string>& names) {
  const Probe p = student::probe();
  for (const Candidate& wrong : kWrong)
    if (std::find(names.begin(), names.end(), wrong.name) != names.end() && passes(wrong, p))
      return "passes: \"" + std::string(wrong.name) + "\". " + reason(p, wrong.name);
  return "";
}

std::string valid() {
  const Probe p = student::probe();
  const Shape &x = p.x.shape(), &gamma = p.gamma.shape();
  if (x.size() != 2 || gamma.size() != 1 || x[1] != gamma[0] || p.dy.shape() != x)
    return "expected x (M, C), gamma (C), dy (M, C); got x " + to_string(x) + ", gamma " + to_string(gamma) + ", dy " +
           to_string(p.dy.shape());
  if (x[0] < 2) return "one row has no spread; take at least two";
  if (!all_finite(p.x) || !all_finite(p.gamma) || !all_finite(p.dy) || !(p.eps > 0)) return "a number is not finite";
  if (p.eps > 1e-3)
    return fmt::format(
        "eps is {:g}; take 1e-3 at most, as real layers have it. Then it is x that decides whether eps weighs", p.eps);
  if (!all_finite(dx_of(kRight, p))) return "the right dx is not finite there";
  return "";
}

}  // namespace

int main() {
  xtg::assignment::Report report("exercise 04: a probe");
  report.check("E4.valid", "the shapes fit, and the layer can be computed there", 1, valid);
  const auto check = [&](const char* id, const char* what, const std::vector<std::string>& names) {
    report.check(id, what, 1, [names] {
      const std::string invalid = valid();
      return invalid.empty() ? judge(names) : invalid;
    });
  };
  check("E4.zero", "a backward that is always zero does not pass", {"always zero"});
  check("E4.ways", "lost ways, signs and factors do not pass",
        {"way through v forgotten", "way through mu forgotten", "both forgotten", "sign of the v term",
         "factor 2 of the square lost", "x_hat lost in the v term", "x for x_hat in the mean", "means of rows"});
  check("E4.gamma", "a lost or misplaced gamma does not pass", {"gamma forgotten", "dy for gamma*dy in the means"});
  check("E4.count", "a wrong count does not pass", {"sums for means", "M-1 for M", "M-1 in the v term"});
  check("E4.rstd", "a wrong power of rstd does not pass", {"dv with power -1/2", "rstd missing", "rstd squared"});
  check("E4.eps", "a lost eps does not pass", {"eps missing"});
  return report.finish();
}
