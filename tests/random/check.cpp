#include <algorithm>
#include <limits>
#include <optional>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

constexpr Real kEpsilon = std::numeric_limits<Scalar>::epsilon();
constexpr Real kLargest = std::numeric_limits<Scalar>::max();
constexpr Real kSmallest = std::numeric_limits<Scalar>::denorm_min();
constexpr Real kStep = 1e-6L, kSecondStep = 1e-4L;  // of the reach
// What the reference's own sums may be off by, of their scale; and what a difference of them is, by the curvature.
constexpr Real kReferenceRounding = 16 * std::numeric_limits<Real>::epsilon(), kCurvature = 1e-5L;

constexpr GradientForm kForms[] = {GradientForm::Fused, GradientForm::ByHand, GradientForm::Derived};
const char* name_of(GradientForm form) {
  return form == GradientForm::Fused ? "fused" : form == GradientForm::ByHand ? "by hand" : "derived";
}

Real real_at(const Tensor& x, std::size_t i) { return static_cast<Real>(x.data()[i]); }

/// The distance of Scalar's numbers near x.
Real spacing(Real x) {
  const int exponent = std::max(std::ilogb(x), std::numeric_limits<Scalar>::min_exponent - 1);
  return x == 0 ? kSmallest : std::ldexp(kEpsilon, exponent);
}

/// Whether a number of the library is the expected one, to within `tolerance`.
bool agrees(Real found, Real expected, Real tolerance) {
  if (std::isnan(expected)) return std::isnan(found);
  if (std::isinf(tolerance) || std::abs(found - expected) <= tolerance) return true;
  // It does not fit, or just so.
  return std::abs(expected) + tolerance > kLargest && (found > 0) == (expected > 0) &&
         std::abs(found) + tolerance >= 0.99L * std::min(std::abs(expected), kLargest);
}

// --------------------------------------------------------------------------------------- what the library computes

struct Run {
  Tensor y;
  std::vector<std::optional<Tensor>> d;
};

/// Value and gradients, in one form, of the inputs that are wanted.
Run run(const Case& c, GradientForm form, const Tensor& dy, const std::vector<bool>& wanted) {
  const GradientMode mode(form);
  Variables leaves;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) leaves.emplace_back(c.inputs[k], wanted[k]);
  const Variable y = c.function(leaves);
  Run result{y.value(), std::vector<std::optional<Tensor>>(c.inputs.size())};
  if (!y.requires_grad() || y.shape() != dy.shape()) return result;
  y.backward(dy);
  for (std::size_t k = 0; k < leaves.size(); ++k)
    if (leaves[k].has_grad()) result.d[k] = leaves[k].grad();
  return result;
}

/// Collects what is wrong with a case; only the first few of each kind.
class Report {
 public:
  explicit Report(const Case& c) : case_(c) {}

  void add(const std::string& what) {
    if (++count_ <= 4) text_ += "  " + what + "\n";
  }
  std::string text() const {
    if (count_ == 0) return "";
    std::string inputs;
    for (std::size_t k = 0; k < case_.inputs.size(); ++k)
      inputs += fmt::format("{}x{} {}", k == 0 ? "" : ", ", k, to_string(case_.inputs[k].shape()));
    return fmt::format("{}, {}: {} wrong\n{}", case_.call, inputs, count_, text_);
  }

 private:
  const Case& case_;
  std::size_t count_ = 0;
  std::string text_;
};

void compare_value(const Case& c, const Answer& answer, const Tensor& y, const char* form, Tally& tally,
                   Report& report) {
  if (y.shape() != answer.shape)
    return report.add(fmt::format("{}: shape {}, expected {}", form, to_string(y.shape()), to_string(answer.shape)));
  for (std::size_t i = 0; i < y.size(); ++i) {
    const Real scale = answer.scale.empty() ? std::abs(answer.y[i]) : answer.scale[i];
    const Real tolerance = std::isfinite(scale) ? c.ulps * spacing(scale) : 0;
    ++tally.values;
    if (!agrees(real_at(y, i), answer.y[i], tolerance))
      report.add(fmt::format("{}: y[{}] is {:.17g}, expected {:.17g} ± {:.1e}", form, i, real_at(y, i), answer.y[i],
                             tolerance));
  }
}

/// Two gradients that should differ by rounding alone.
void compare_arrays(const std::optional<Tensor>& found, const std::optional<Tensor>& expected,
                    const std::vector<Real>& tolerances, const std::string& what, Report& report) {
  if (found.has_value() != expected.has_value())
    return report.add(fmt::format("{}: there is {} gradient", what, found ? "a" : "no"));
  if (!found) return;
  if (found->shape() != expected->shape())
    return report.add(
        fmt::format("{}: shapes {} and {}", what, to_string(found->shape()), to_string(expected->shape())));
  for (std::size_t j = 0; j < found->size(); ++j) {
    const Real a = real_at(*found, j), b = real_at(*expected, j);
    if (!agrees(a, b, tolerances[j]))
      report.add(fmt::format("{}: [{}] is {:.17g}, expected {:.17g} ± {:.1e}", what, j, a, b, tolerances[j]));
  }
}

// ------------------------------------------------------------------------------------- derivatives of the reference

/// Σ_i dy_i·(how y_i changes along `direction` of input k), by differences to both sides.
struct Slope {
  Real value = 0, scale = 0;  // scale: Σ|…| of the same
  Real noise = 0, bend = 0;   // what the difference may be off by: the reference's rounding, and the curvature
  bool smooth = true;         // the differences to both sides agree
};

Slope slope(const Case& c, const std::vector<Numbers>& x, const Answer& at, std::size_t k,
            const std::vector<Real>& direction, const Tensor& dy) {
  // Unequal steps, so that a jump looks different from both sides.
  constexpr Real forth = kStep, back = 0.6L * kStep;
  std::vector<Numbers> right = x, left = x;
  Slope s;
  Real rounding = 0;  // of the steps themselves
  for (std::size_t j = 0; j < direction.size(); ++j) {
    right[k].v[j] += forth * direction[j];
    left[k].v[j] -= back * direction[j];
    if (direction[j] == 0) continue;
    rounding = std::max(rounding, std::abs((right[k].v[j] - x[k].v[j]) / (forth * direction[j]) - 1));
    rounding = std::max(rounding, std::abs((x[k].v[j] - left[k].v[j]) / (back * direction[j]) - 1));
  }
  if (rounding > 1e-4L) s.smooth = false;  // too small a step beside x
  const Answer plus = c.reference(right), minus = c.reference(left);
  for (std::size_t i = 0; i < at.y.size(); ++i) {
    const Real weight = real_at(dy, i), up = (plus.y[i] - at.y[i]) / forth, down = (at.y[i] - minus.y[i]) / back;
    const Real size = std::max(at.scale.empty() ? 0 : at.scale[i], std::abs(at.y[i]));
    const Real noise = kReferenceRounding * size / back;
    if (!std::isfinite(up) || !std::isfinite(down) ||
        std::abs(up - down) > 1e-3L * (std::abs(up) + std::abs(down)) + 4 * noise)
      s.smooth = false;
    s.value += weight * (back * up + forth * down) / (forth + back);
    s.scale += std::abs(weight) * (std::abs(up) + std::abs(down)) / 2;
    s.noise += std::abs(weight) * noise;
    s.bend += std::abs(weight) * 1e-3L * std::abs(up - down);
  }
  s.bend += s.scale * (rounding + kCurvature);
  return s;
}

/// Gradients against differences of the reference: element by element where that is quick, else along three random
/// directions. Returns, for each element, what two gradients may differ by through rounding; `smooth` becomes false if
/// there was a kink.
std::vector<Real> compare_slopes(const Case& c, const std::vector<Numbers>& x, const Answer& at, std::size_t k,
                                 const Tensor& dy, const std::vector<Run>& runs, Generator& generator, Tally& tally,
                                 Report& report, bool& smooth) {
  const std::size_t n = x[k].v.size();
  const auto slack = [&](std::size_t j) { return k < c.slack.size() ? c.slack[k][j] : 0; };
  Real largest = 0;
  if (runs[2].d[k])
    for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::abs(real_at(*runs[2].d[k], j)));
  const Real rounding = c.gradient_ulps * kEpsilon;
  std::vector<Real> tolerances(n);
  for (std::size_t j = 0; j < n; ++j) tolerances[j] = rounding * (largest + slack(j)) + kSmallest;
  const bool elements = n <= 60;
  for (std::size_t t = 0; t < (elements ? n : 3); ++t) {
    std::vector<Real> direction(n, 0);
    Real reach = 0, slack_along = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (elements && j != t) continue;
      direction[j] = elements ? c.reach[k][j] : c.reach[k][j] * static_cast<Real>(generator.normal());
      reach += std::abs(direction[j]);
      slack_along += slack(j) * std::abs(direction[j]);
    }
    const Slope s = slope(c, x, at, k, direction, dy);
    if (!s.smooth) {
      ++tally.kinks;
      smooth = false;
      continue;
    }
    const Real unit = elements ? reach : 1;  // in gradients, which may be too large or too small for the type
    if (!(s.scale / unit < kLargest)) {      // ∞, or ∞ − ∞
      std::fill(tolerances.begin() + static_cast<std::ptrdiff_t>(elements ? t : 0),
                elements ? tolerances.begin() + static_cast<std::ptrdiff_t>(t) + 1 : tolerances.end(), HUGE_VALL);
      continue;
    }
    ++tally.gradients;
    if (elements) {
      const Real size = runs[2].d[k] ? std::abs(real_at(*runs[2].d[k], t)) : 0;
      tolerances[t] = rounding * (std::max(s.scale / reach, size) + slack(t)) + s.noise / reach + kSmallest;
    }
    for (std::size_t f = 0; f < std::size(kForms); ++f) {
      Real found = 0, scale = s.scale + slack_along;
      for (std::size_t j = 0; j < n && runs[f].d[k]; ++j) {
        if (direction[j] == 0) continue;
        found += real_at(*runs[f].d[k], j) * direction[j];
        if (!elements) scale += std::abs(real_at(*runs[f].d[k], j) * direction[j]);
      }
      const Real tolerance = (rounding * scale + s.noise + s.bend) / unit + 4 * kSmallest;
      if (!agrees(found / unit, s.value / unit, tolerance))
        report.add(fmt::format("{}: d{} {} {} is {:.17g}, expected {:.17g} ± {:.1e}", name_of(kForms[f]), k,
                               elements ? "at" : "along direction", t, found / unit, s.value / unit, tolerance));
    }
  }
  return tolerances;
}

// ------------------------------------------------------------------------------------------------ second derivatives

/// Σ w_i·(y_i + y_i²/2): curved also where y is linear in x.
/// `size` becomes that of its terms, of numbers of at least `smallest`.
Real curved_loss(const Answer& answer, const Tensor& w, Real smallest, Real& size) {
  Real total = 0;
  size = 0;
  for (std::size_t i = 0; i < answer.y.size(); ++i) {
    const Real y = answer.y[i], weight = real_at(w, i);
    total += weight * (y + y * y / 2);
    const Real scale = std::max({answer.scale.empty() ? 0 : answer.scale[i], std::abs(y), smallest});
    size += std::abs(weight) * scale * (1 + scale);
  }
  return total;
}

std::vector<Numbers> shifted(std::vector<Numbers> x, const std::vector<Tensor>& u, Real a, const std::vector<Tensor>& v,
                             Real b) {
  for (std::size_t k = 0; k < x.size(); ++k)
    for (std::size_t j = 0; j < x[k].v.size(); ++j) x[k].v[j] += a * real_at(u[k], j) + b * real_at(v[k], j);
  return x;
}

/// uᵀHv of the loss above, by four values of the reference.
Real mixed_difference(const Case& c, const std::vector<Numbers>& x, const std::vector<Tensor>& u,
                      const std::vector<Tensor>& v, const Tensor& w, Real h, Real& noise) {
  Real total = 0, largest = 0;  // x, where it is moved, is rounded, too
  for (const Numbers& input : x)
    for (const Real at : input.v) largest = std::max(largest, std::abs(at));
  noise = 0;
  for (const int a : {1, -1})
    for (const int b : {1, -1}) {
      Real size = 0;
      total += static_cast<Real>(a * b) * curved_loss(c.reference(shifted(x, u, a * h, v, b * h)), w, largest, size);
      noise += kReferenceRounding * size;
    }
  noise *= 2 / (h * h);  // of four values over 4h², and of the places where they are taken
  return total / (4 * h * h);
}

void compare_second(const Case& c, const std::vector<Numbers>& x, const Tensor& w, Generator& generator, Tally& tally,
                    Report& report) {
  std::vector<Tensor> u, v;
  for (std::size_t k = 0; k < c.inputs.size(); ++k)
    for (std::vector<Tensor>* list : {&u, &v}) {
      list->push_back(random_normal(c.inputs[k].shape(), generator));
      for (std::size_t j = 0; j < list->back().size(); ++j)
        list->back().data()[j] *= static_cast<Scalar>(std::min<Real>(c.reach[k][j], 1));
    }
  Real coarse_noise = 0, noise = 0;
  const Real coarse = mixed_difference(c, x, u, v, w, 2 * kSecondStep, coarse_noise);
  const Real fine = mixed_difference(c, x, u, v, w, kSecondStep, noise);
  const Real expected = (4 * fine - coarse) / 3, doubt = std::abs(fine - coarse);
  if (!std::isfinite(expected) || doubt > 1e-3L * std::abs(fine) + 4 * noise) return;  // a kink, or too curved
  ++tally.second;
  for (const GradientForm form : kForms) {
    const GradientMode mode(form);
    Variables leaves;
    for (const Tensor& input : c.inputs) leaves.emplace_back(input, true);
    const Variable y = c.function(leaves);
    GradOptions options;
    options.create_graph = options.allow_unused = true;
    const Variable loss = sum((y + square(y) * Scalar(0.5)) * Variable(w));
    const Variables g = grad({loss}, leaves, {}, options);
    Variable along(scalar(0));
    for (std::size_t k = 0; k < g.size(); ++k)
      if (g[k].defined()) along = along + sum(g[k] * Variable(u[k]));
    Real found = 0, scale = 0;
    if (along.requires_grad()) {
      const Variables h = grad({along}, leaves, {}, options);
      for (std::size_t k = 0; k < h.size(); ++k)
        for (std::size_t j = 0; h[k].defined() && j < h[k].size(); ++j) {
          found += real_at(h[k].value(), j) * real_at(v[k], j);
          scale += std::abs(real_at(h[k].value(), j) * real_at(v[k], j));
        }
    }
    const Real tolerance = 64 * c.gradient_ulps * kEpsilon * scale + doubt + noise + 1000 * kSmallest;
    if (!agrees(found, expected, tolerance))
      report.add(fmt::format("{}: second derivative is {:.17g}, expected {:.17g} ± {:.1e}", name_of(form), found,
                             expected, tolerance));
  }
}

// ---------------------------------------------------------------------- what must not change what the library computes

/// With recording off, and for inputs of which some are constants, the numbers are the same; one Variable in two places
/// gets the sum of both gradients; the Jacobian times dy is the gradient.
void compare_ways(const Case& c, GradientForm form, const Run& whole, const Tensor& dy,
                  const std::vector<std::vector<Real>>& tolerances, bool moderate, Generator& generator,
                  Report& report) {
  const GradientMode mode(form);
  {
    const NoGrad off;
    Variables leaves;
    for (const Tensor& input : c.inputs) leaves.emplace_back(input, true);
    const Variable y = c.function(leaves);
    if (y.requires_grad()) report.add("recorded, although recording is off");
    if (!testing::identical(y.value(), whole.y)) report.add(fmt::format("{}: another value unrecorded", name_of(form)));
  }
  if (c.order == 0) return;
  std::vector<bool> wanted;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) wanted.push_back(generator.below(2) == 0);
  const Run part = run(c, form, dy, wanted);
  for (std::size_t k = 0; k < c.inputs.size(); ++k)
    compare_arrays(part.d[k], wanted[k] ? whole.d[k] : std::nullopt, tolerances[k],
                   fmt::format("{}: d{} of some inputs", name_of(form), k), report);

  if (c.inputs.size() > 1 && c.inputs[0] == c.inputs[1]) {
    Variables leaves;
    for (const Tensor& input : c.inputs) leaves.emplace_back(input, true);
    leaves[1] = leaves[0];
    c.function(leaves).backward(dy);
    Tensor sum = *whole.d[0];
    std::vector<Real> allowed = tolerances[0];
    for (std::size_t j = 0; j < sum.size(); ++j) {
      sum.data()[j] += whole.d[1]->data()[j];
      allowed[j] +=
          tolerances[1][j] + 2 * kEpsilon * (std::abs(real_at(*whole.d[0], j)) + std::abs(real_at(*whole.d[1], j)));
    }
    compare_arrays(leaves[0].grad(), sum, allowed, fmt::format("{}: one Variable in two places", name_of(form)),
                   report);
  }

  if (!moderate || whole.y.size() * c.inputs[0].size() > 64 || whole.y.size() == 0) return;
  const std::vector<Tensor> jacobians = jacobian(c.function, c.inputs);
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    const std::size_t n = c.inputs[k].size();
    Tensor d = zeros(c.inputs[k].shape());
    std::vector<Real> allowed = tolerances[k];
    for (std::size_t j = 0; j < n; ++j) {
      Real total = 0;
      for (std::size_t i = 0; i < dy.size(); ++i) {
        total += real_at(jacobians[k], i * n + j) * real_at(dy, i);
        allowed[j] += c.gradient_ulps * kEpsilon * std::abs(real_at(jacobians[k], i * n + j) * real_at(dy, i));
      }
      d.data()[j] = static_cast<Scalar>(total);
    }
    compare_arrays(d, whole.d[k] ? *whole.d[k] : zeros(c.inputs[k].shape()), allowed,
                   fmt::format("{}: the Jacobian of x{}", name_of(form), k), report);
  }
}

/// Neither squares nor exponentials of these come near the end of the type.
bool moderate(const std::vector<Real>& v) {
  return std::all_of(v.begin(), v.end(), [](Real x) { return std::abs(x) < 1e5L; });
}

bool finite(const std::vector<Real>& v) {
  return std::all_of(v.begin(), v.end(), [](Real x) { return std::isfinite(x); });
}

}  // namespace

void store(const Case& c, std::uint64_t seed, SafeTensors& file) {
  const Answer answer = c.reference(numbers_of(c.inputs));
  Generator generator(seed, 32);
  const Tensor dy = random_normal(answer.shape, generator);
  const Run fused = run(c, GradientForm::Fused, dy, std::vector<bool>(c.inputs.size(), c.order > 0));
  file.metadata[std::to_string(seed)] = c.call;
  file.tensors[fmt::format("{}/y", seed)] = fused.y;
  file.tensors[fmt::format("{}/dy", seed)] = dy;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    file.tensors[fmt::format("{}/x{}", seed, k)] = c.inputs[k];
    if (fused.d[k]) file.tensors[fmt::format("{}/dx{}", seed, k)] = *fused.d[k];
  }
}

std::string check(const Case& c, std::uint64_t seed, Tally& tally) {
  Report report(c);
  ++tally.cases;
  try {
    Generator generator(seed, 32);
    const std::vector<Numbers> x = numbers_of(c.inputs);
    const Answer answer = c.reference(x);
    const Tensor dy = random_normal(answer.shape, generator);

    std::vector<Run> runs;
    for (const GradientForm form : kForms) {
      runs.push_back(run(c, form, dy, std::vector<bool>(c.inputs.size(), c.order > 0)));
      compare_value(c, answer, runs.back().y, name_of(form), tally, report);
    }
    if (!report.text().empty()) return report.text();

    bool finite_inputs = true, all_moderate = moderate(answer.y);
    for (const Numbers& input : x) {
      finite_inputs = finite_inputs && finite(input.v);
      all_moderate = all_moderate && moderate(input.v);
    }
    const bool differences = c.order > 0 && c.differences && finite_inputs && finite(answer.y);
    bool smooth = true;
    std::vector<std::vector<Real>> tolerances(c.inputs.size());
    for (std::size_t k = 0; differences && k < c.inputs.size(); ++k) {
      tolerances[k] = compare_slopes(c, x, answer, k, dy, runs, generator, tally, report, smooth);
      for (std::size_t f = 0; f < 2; ++f)
        compare_arrays(runs[f].d[k], runs[2].d[k], tolerances[k],
                       fmt::format("{} against derived: d{}", name_of(kForms[f]), k), report);
    }
    if (differences || c.order == 0)
      for (std::size_t f = 0; f < std::size(kForms); ++f)
        compare_ways(c, kForms[f], runs[f], dy, tolerances, all_moderate, generator, report);
    if (differences && smooth && all_moderate && c.order > 1 && report.text().empty())
      compare_second(c, x, dy, generator, tally, report);
  } catch (const std::exception& error) {
    report.add(error.what());
  }
  return report.text();
}

}  // namespace xtg::random_cases
