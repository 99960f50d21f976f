#include <algorithm>
#include <limits>
#include <optional>

#include "autograd/ops/shaping.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

constexpr Real kEpsilon = std::numeric_limits<Scalar>::epsilon(), kDouble = std::numeric_limits<double>::epsilon();

/// What a norm does, element by element: set[i] is where x_i is normalized, affine[i] which gamma and beta it gets.
struct NormPlan {
  std::vector<std::size_t> set, affine;
  std::size_t sets = 0;
  double eps = 0;
  std::optional<std::vector<Real>> mean, var;  // given ones, for evaluation mode
  bool has_affine = false, relu = false, residual = false;
};

struct Statistics {
  std::vector<Real> n, mean, var;
};

Statistics statistics(const std::vector<Real>& x, const std::vector<std::size_t>& set, std::size_t sets) {
  Statistics s{std::vector<Real>(sets, 0), std::vector<Real>(sets, 0), std::vector<Real>(sets, 0)};
  for (const std::size_t k : set) s.n[k] += 1;
  for (std::size_t i = 0; i < x.size(); ++i) s.mean[set[i]] += x[i];
  for (std::size_t k = 0; k < sets; ++k) s.mean[k] /= s.n[k];
  for (std::size_t i = 0; i < x.size(); ++i)
    s.var[set[i]] += (x[i] - s.mean[set[i]]) * (x[i] - s.mean[set[i]]) / s.n[set[i]];
  return s;
}

Answer norm_of(const std::vector<Numbers>& in, const NormPlan& plan) {
  Statistics s;
  if (plan.mean)
    s = {{}, *plan.mean, *plan.var};
  else
    s = statistics(in[0].v, plan.set, plan.sets);
  Answer answer{in[0].shape, {}};
  for (std::size_t i = 0; i < in[0].v.size(); ++i) {
    const std::size_t k = plan.set[i];
    const Real rstd = 1 / std::sqrt(s.var[k] + plan.eps), x = in[0].v[i];
    const Real gamma = plan.has_affine ? in[1].v[plan.affine[i]] : 1,
               beta = plan.has_affine ? in[2].v[plan.affine[i]] : 0;
    // The mean is made of numbers of about √(mean² + var), and rounded.
    const Real size = std::abs(x) + std::abs(s.mean[k]) + std::sqrt(s.var[k]);
    Real y = gamma * (x - s.mean[k]) * rstd + beta, scale = std::abs(gamma) * rstd * size + std::abs(beta);
    if (plan.residual) {
      y += in.back().v[i];
      scale += std::abs(in.back().v[i]);
    }
    if (plan.relu && y <= 0) y = 0;
    answer.y.push_back(y);
    answer.scale.push_back(scale);
  }
  return answer;
}

using Norm = std::function<Variable(const Variable& x, const Variable& gamma, const Variable& beta,
                                    const nn::Epilogue& epilogue)>;

/// Adds gamma, beta and epilogue to a plan that says how x is cut.
Case norm(Draw& r, const std::string& call, const Norm& f, const Shape& x, const Shape& affine, NormPlan plan) {
  Case c;
  plan.has_affine = r.chance(0.7);
  plan.relu = r.chance(0.4);
  plan.residual = plan.relu && r.chance(0.5);
  const std::string arguments = plan.has_affine ? "x1, x2" : "None, None";
  c.call = fmt::format(call, arguments, plan.eps,
                       fmt::format("{}, {}", truth(plan.relu),
                                   !plan.residual    ? "None"
                                   : plan.has_affine ? "x3"
                                                     : "x1"));
  c.function = [=](V v) {
    nn::Epilogue epilogue{plan.relu, plan.residual ? v.back() : Variable()};
    return plan.has_affine ? f(v[0], v[1], v[2], epilogue) : f(v[0], Variable(), Variable(), epilogue);
  };
  c.inputs = {r.values(x)};
  const Kind kind = r.kind;
  c.reach = {reach_of(c.inputs[0], kind)};
  r.kind = kind == Kind::Integers ? kind : Kind::Normal;
  std::vector<Shape> others;
  if (plan.has_affine) others = {affine, affine};
  if (plan.residual) others.push_back(x);
  for (const Shape& shape : others) {
    c.inputs.push_back(r.values(shape));
    c.reach.push_back(reach_of(c.inputs.back(), r.kind));
  }
  c.reference = [plan](const std::vector<Numbers>& in) { return norm_of(in, plan); };
  NormPlan without_relu = plan;
  without_relu.relu = false;
  if (plan.relu && near_zero(norm_of(numbers_of(c.inputs), without_relu), 1000)) c.differences = false;
  c.ulps = 32;
  c.gradient_ulps = 128;
  // What cancels in dx, and what the mean's rounding does.
  Real largest = 0, steepest = 0, gamma = 1, fewest = HUGE_VALL;
  const std::vector<Real> all(c.inputs[0].begin(), c.inputs[0].end());
  const Statistics s = statistics(all, plan.set, plan.sets);
  for (const Real v : all) largest = std::max(largest, std::abs(v));
  for (std::size_t k = 0; k < plan.sets; ++k) {
    steepest = std::max(steepest, 1 / std::sqrt((plan.var ? (*plan.var)[k] : s.var[k]) + plan.eps));
    fewest = std::min(fewest, s.n[k]);
  }
  if (plan.has_affine)
    for (const Scalar v : c.inputs[1]) gamma = std::max(gamma, std::abs(real(v)));
  const Real rounding = 1 + steepest * largest;
  c.slack = {constant_of(c.inputs[0], 4 * gamma * steepest * rounding)};
  if (plan.has_affine)
    c.slack.push_back(
        constant_of(c.inputs[1], rounding * static_cast<Real>(count(x)) / static_cast<Real>(count(affine))));
  // Where the deviations are below √eps or cancel, the function bends within less than they are.
  if (kind != Kind::Normal || fewest < 4 || rounding > 10) c.order = 1;
  return c;
}

double draw_eps(Draw& r) { return r.one_of(std::vector<double>{1e-5, 1e-3, 0.1}); }

void choose_norm(Draw& r) { r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large}); }

/// Batch norm's: a set for each channel.
NormPlan plan_of_columns(Draw& r, const Shape& x) {
  NormPlan plan;
  plan.sets = x.back();
  for (std::size_t i = 0; i < count(x); ++i) plan.set.push_back(i % plan.sets);
  plan.affine = plan.set;
  plan.eps = draw_eps(r);
  return plan;
}

Case draw_batch_norm(Draw& r) {
  choose_norm(r);
  Shape x = r.shape(2, 5, false);
  if (count(x) == x.back()) x[0] += 2;
  NormPlan plan = plan_of_columns(r, x);
  return norm(
      r, "batch_norm(x0, {}, {}, {})",
      [eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::batch_norm(in, gamma, beta, eps, std::nullopt, epilogue);
      },
      x, {plan.sets}, plan);
}

Case draw_batch_norm_eval(Draw& r) {
  r.choose({Kind::Integers, Kind::Small, Kind::Large});
  const Shape x = r.shape(2, 5, false);
  NormPlan plan = plan_of_columns(r, x);
  const Tensor mean = random_normal({plan.sets}, r.generator), var = random_uniform({plan.sets}, r.generator, 0.1, 3);
  plan.mean.emplace(mean.begin(), mean.end());
  plan.var.emplace(var.begin(), var.end());
  return norm(
      r, fmt::format("batch_norm_eval(x0, {{}}, {}, {}, {{}}, {{}})", text(mean), text(var)),
      [=, eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::batch_norm_eval(in, gamma, beta, mean, var, eps, epilogue);
      },
      x, {plan.sets}, plan);
}

Case draw_layer_norm(Draw& r) {
  choose_norm(r);
  const Shape x = r.shape(1, 5, false);
  const std::size_t axes = 1 + r.below(x.size());
  const bool last_alone = r.chance(0.5);
  const Shape normalized(x.end() - static_cast<std::ptrdiff_t>(axes), x.end());
  const Shape affine = last_alone ? Shape{x.back()} : normalized;
  NormPlan plan;
  for (std::size_t i = 0; i < count(x); ++i) {
    plan.set.push_back(i / count(normalized));
    plan.affine.push_back(i % count(affine));
  }
  plan.sets = count(x) / count(normalized);
  plan.eps = draw_eps(r);
  return norm(
      r, fmt::format("layer_norm(x0, {{}}, {}, {{}}, {{}})", axes),
      [axes, eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::layer_norm(in, gamma, beta, axes, eps, epilogue);
      },
      x, affine, plan);
}

/// Group norm, and instance norm, which has as many groups as channels.
NormPlan groups_of(const Shape& x, std::size_t groups) {
  NormPlan plan;
  const std::size_t C = x.back(), sample = count(x) / x[0];
  for (std::size_t i = 0; i < count(x); ++i) {
    plan.set.push_back(i / sample * groups + i % C / (C / groups));
    plan.affine.push_back(i % C);
  }
  plan.sets = x[0] * groups;
  return plan;
}

Case draw_instance_norm(Draw& r) {
  choose_norm(r);
  Shape x = r.shape(3, 5, false);
  if (count(x) == x[0] * x.back()) x[1] += 1 + r.below(4);
  NormPlan plan = groups_of(x, x.back());
  plan.eps = draw_eps(r);
  return norm(
      r, "instance_norm(x0, {}, {}, {})",
      [eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::instance_norm(in, gamma, beta, eps, std::nullopt, epilogue);
      },
      x, {x.back()}, plan);
}

Case draw_group_norm(Draw& r) {
  choose_norm(r);
  Shape x = r.shape(2, 5, false);
  const std::size_t groups = 1 + r.below(3);
  if (x.back() % groups != 0) x.back() = groups * (1 + r.below(4));
  NormPlan plan = groups_of(x, groups);
  plan.eps = draw_eps(r);
  return norm(
      r, fmt::format("group_norm(x0, {{}}, {}, {{}}, {{}})", groups),
      [groups, eps = plan.eps](const auto& in, const auto& gamma, const auto& beta, const auto& epilogue) {
        return nn::group_norm(in, gamma, beta, groups, eps, epilogue);
      },
      x, {x.back()}, plan);
}

/// The running mean and variance after a batch, one behind the other.
Case running_statistics(Draw& r, bool instance) {
  r.choose({Kind::Integers, Kind::Offset});
  Shape x = r.shape(3, 5, false);
  if (count(x) == x[0] * x.back()) x[1] += 1 + r.below(4);
  const std::size_t C = x.back();
  const double momentum = r.one_of(std::vector<double>{0.1, 0.5, 1, 0});
  const Tensor mean = random_normal({C}, r.generator), var = random_uniform({C}, r.generator, 0.1, 3);
  Case c;
  c.call = fmt::format("running_statistics_of_{}_norm(x0, {}, {}, {})", instance ? "instance" : "batch", text(mean),
                       text(var), momentum);
  c.function = [=](V v) {
    Tensor new_mean = mean, new_var = var;
    const nn::RunningStatistics running{new_mean, new_var, momentum};
    if (instance)
      nn::instance_norm(v[0], Variable(), Variable(), 1e-5, running);
    else
      nn::batch_norm(v[0], Variable(), Variable(), 1e-5, running);
    return concatenate({Variable(new_mean), Variable(new_var)}, 0);
  };
  c.inputs = {r.values(x)};
  NormPlan plan = groups_of(x, C);
  if (!instance) {
    for (std::size_t& s : plan.set) s %= C;
    plan.sets = C;
  }
  c.reference = [=](const std::vector<Numbers>& in) {
    const Statistics s = statistics(in[0].v, plan.set, plan.sets);
    Answer answer{{2 * C}, std::vector<Real>(2 * C, 0), std::vector<Real>(2 * C, 0)};
    const Real samples = static_cast<Real>(plan.sets / C);
    for (std::size_t k = 0; k < plan.sets; ++k) {
      answer.y[k % C] += momentum * s.mean[k] / samples;
      answer.scale[k % C] += momentum * (std::abs(s.mean[k]) + 4 * std::sqrt(s.var[k])) / samples;
      const Real weight = momentum * s.n[k] / (s.n[k] - 1) / samples, mean = std::abs(s.mean[k]);
      answer.y[C + k % C] += weight * s.var[k];
      // By hand the squares are about a mean that is a Scalar, in the kernel about one that is a double.
      answer.scale[C + k % C] +=
          weight * (3 * s.var[k] + kEpsilon * mean * mean / 16 + mean * std::sqrt(s.var[k]) * (kDouble / kEpsilon));
    }
    for (std::size_t k = 0; k < C; ++k) {
      answer.y[k] += (1 - static_cast<Real>(momentum)) * real(mean.data()[k]);
      answer.y[C + k] += (1 - static_cast<Real>(momentum)) * real(var.data()[k]);
      answer.scale[k] += std::abs(real(mean.data()[k]));
      answer.scale[C + k] += answer.y[C + k];
    }
    return answer;
  };
  c.ulps = 16;
  c.order = 0;
  return c;
}

}  // namespace

std::vector<Operation> norm_operations() {
  std::vector<Operation> rows;
  rows.push_back({"batch_norm", draw_batch_norm});
  rows.push_back({"batch_norm_eval", draw_batch_norm_eval});
  rows.push_back({"layer_norm", draw_layer_norm});
  rows.push_back({"instance_norm", draw_instance_norm});
  rows.push_back({"group_norm", draw_group_norm});
  rows.push_back({"batch_norm running statistics", [](Draw& r) { return running_statistics(r, false); }});
  rows.push_back({"instance_norm running statistics", [](Draw& r) { return running_statistics(r, true); }});
  return rows;
}

}  // namespace xtg::random_cases
