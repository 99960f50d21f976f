// Checks exercise 08. Compiled by tools/assignment with the student's folder in front of the include path.
#include "exercise_08.hpp"

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "assignment/grader/report.hpp"
#include "nn/norm/group_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/random.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace {

using namespace xtg;

constexpr std::size_t N = 3, H = 7, W = 5, C = 8, G = 2, K = C / G;  // all different
constexpr double kEps = 0.1;

struct Problem {
  Tensor x, dy, gamma, beta;
};
Problem make_problem() {
  Generator random(8);
  Problem p;
  p.x = random_normal({N, H, W, C}, random) + 2 * random_normal({C}, random);
  p.x = p.x + random_normal({N, 1, 1, 1}, random);
  p.dy = random_normal({N, H, W, C}, random);
  p.gamma = tensor({1.5, -0.7, 0.3, 2, -1.1, 0.8, 1.2, -0.4}, {C});
  p.beta = tensor({0.1, 0.2, -0.3, 0, 1, -2, 0.5, 0.7}, {C});
  return p;
}
const Problem problem = make_problem();

/// x (in a view of it) normalized over some axes.
Tensor normalized(const Tensor& view, const Axes& set, double eps = kEps) {
  const Tensor centred = view - mean(view, set, true);
  const Tensor x_hat = centred * rsqrt(mean(square(centred), set, true) + eps);
  return reshape(x_hat, problem.x.shape());
}
Tensor affine(const Tensor& x_hat) { return problem.gamma * x_hat + problem.beta; }

/// Columns that a reshape without a transpose makes.
Tensor scrambled() { return normalized(reshape(problem.x, Shape{H * W * K, N * G}), {0}); }

/// The right columns, read back without the transpose.
Tensor not_back() {
  const Tensor columns = reshape(transpose(reshape(problem.x, {N, H, W, G, K}), {1, 2, 4, 0, 3}), {H * W * K, N * G});
  return normalized(columns, {0});
}

struct Named {
  std::function<Tensor()> y;
  const char* hint;
};
const std::vector<Named> mistakes{
    {[] {
       return normalized(reshape(problem.x, {N, H, W, G, K}), {1, 2, 4});
     },
     "gamma and beta are missing: y = gamma·x_hat + beta, after the way back to (N, H, W, C)"},
    {[] {
       return affine(normalized(reshape(problem.x, {N, H, W, K, G}), {1, 2, 3}));
     },
     "the groups are strided, channels 0, G, 2G, …; they must be neighbours, 0, 1, …, C/G − 1: the view is "
     "(N, H, W, G, C/G), not (N, H, W, C/G, G)"},
    {[] {
       return affine(normalized(reshape(problem.x, {N, H, W, G, K}), {0, 1, 2, 4}));
     },
     "the images are mixed: a set holds a group of one image. N must stay beside G in the columns, (…, N·G)"},
    {[] {
       return affine(normalized(problem.x, {1, 2, 3}));
     },
     "this is layer norm, all channels in one set: the columns are N·G, not N"},
    {[] {
       return affine(normalized(problem.x, {1, 2}));
     },
     "this is instance norm, each channel in a set of its own: C/G is averaged, too, so it belongs to the rows"},
    {[] {
       return affine(normalized(problem.x, {0, 1, 2}));
     },
     "this is batch norm: groups has no effect"},
    {[] {
       return affine(normalized(reshape(problem.x, {N, H, W, G, K}), {4}));
     },
     "each place has been normalized on its own: H and W are averaged, too"},
    {[] { return affine(scrambled()); },
     "a reshape alone gives other names to a row of numbers and moves none: transpose first, so that H, W and C/G "
     "come before N and G"},
    {[] { return affine(not_back()); },
     "the way there is right, the way back is not: reshape the columns to (H, W, C/G, N, G), transpose to "
     "(N, H, W, G, C/G), then reshape to (N, H, W, C)"},
    {[] {
       return affine(normalized(reshape(problem.x, {N, H, W, G, K}), {1, 2, 4}, 1e-5));
     },
     "eps is not passed on to batch_norm"},
};

bool close(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && all_finite(a) && sum(square(a - b)).item() <= 1e-18 * sum(square(b)).item();
}

std::string judge_value() {
  const Tensor y =
      student::group_norm(Variable(problem.x), Variable(problem.gamma), Variable(problem.beta), G, kEps).value();
  if (y.shape() != problem.x.shape())
    return fmt::format("y has the shape {}, expected that of x, {}", to_string(y.shape()),
                       to_string(problem.x.shape()));
  if (close(y, affine(normalized(reshape(problem.x, {N, H, W, G, K}), {1, 2, 4})))) return "";
  for (const Named& named : mistakes)
    if (close(y, named.y())) return named.hint;
  return "y is another function of x: look at the shapes after each step, for x of shape (3, 7, 5, 8) and 2 groups";
}

std::string judge_gradients() {
  const Variable x(problem.x, true), gamma(problem.gamma, true), beta(problem.beta, true);
  student::group_norm(x, gamma, beta, G, kEps).backward(problem.dy);
  const Variable x2(problem.x, true), gamma2(problem.gamma, true), beta2(problem.beta, true);
  nn::group_norm(x2, gamma2, beta2, G, kEps).backward(problem.dy);
  for (const auto& [name, a, b] : {std::tuple("x", x, x2), {"gamma", gamma, gamma2}, {"beta", beta, beta2}}) {
    if (!a.has_grad()) return fmt::format("no gradient comes back to {}: compute with Variables from end to end", name);
    if (!close(a.grad(), b.grad()))
      return fmt::format("the gradient of {} is wrong; if y is right, has something been taken off the tape?", name);
  }
  return "";
}

/// The tape tells which operations were used.
std::string judge_tools() {
  const Variable x(problem.x, true);
  const Variable y = student::group_norm(x, Variable(problem.gamma), Variable(problem.beta), G, kEps);
  std::set<std::string> used;
  visit_gradients(y, Variable(problem.dy), [&](const Node& node, const Tensor&) { used.insert(node.name); });
  for (const char* other : {"group_norm", "layer_norm", "instance_norm"})
    if (used.count(other)) return fmt::format("this calls {}; batch_norm is to be the only norm", other);
  return used.count("batch_norm") ? "" : "batch_norm has not been called";
}

}  // namespace

int main() {
  assignment::Report report("exercise 08: group norm out of batch norm");
  report.check("E8.y", "the value, 2 groups of 4 channels", 2, judge_value);
  report.check("E8.gradients", "the gradients of x, gamma and beta", 1, judge_gradients);
  report.check("E8.batch_norm", "made of batch norm", 1, judge_tools);
  return report.finish();
}
