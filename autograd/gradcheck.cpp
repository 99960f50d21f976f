#include "autograd/gradcheck.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

double dot(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    total += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
  return total;
}

double sum_of_magnitudes(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    total += std::abs(static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]));
  return total;
}

/// What is checked: a function at a point, whose numbers can be moved.
struct Subject {
  struct Evaluated {
    Variables inputs;  // that require gradients
    Variable result;
  };
  std::function<Evaluated()> evaluate;           // at the inputs' present numbers
  std::function<Tensor&(std::size_t k)> number;  // those of input k
  std::size_t inputs;
};

/// Gives input k other numbers while it lives.
class Moved {
 public:
  Moved(const Subject& subject, std::size_t k, Tensor numbers) : subject_(subject), k_(k), other_(std::move(numbers)) {
    std::swap(subject_.number(k_), other_);
  }
  ~Moved() { std::swap(subject_.number(k_), other_); }
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;

 private:
  const Subject& subject_;
  const std::size_t k_;
  Tensor other_;
};

/// Gradients of <w, result> by the tape; zeros for an input that the result does not depend on.
std::vector<Tensor> by_backward(const Subject& subject, const Tensor& w, GradientForm form) {
  const GradientMode mode(form);
  const Subject::Evaluated at = subject.evaluate();
  GradOptions options;
  options.allow_unused = true;
  const Variables found = grad({at.result}, at.inputs, {Variable(w)}, options);  // touches no leaf's grad()
  std::vector<Tensor> gradients;
  for (std::size_t k = 0; k < found.size(); ++k)
    gradients.push_back(found[k].defined() ? found[k].value() : zeros_like(at.inputs[k].value()));
  return gradients;
}

/// L = <w, result> along a line through the point: input k moved by t steps, in one element or in a direction v.
class Line {
 public:
  Line(const Subject& subject, const Tensor& w, std::size_t k, double step, std::size_t element)
      : subject_(subject), w_(w), k_(k), element_(element) {
    step_ = step * std::max(1.0, std::abs(static_cast<double>(subject.number(k).data()[element])));
  }
  Line(const Subject& subject, const Tensor& w, std::size_t k, double step, Tensor v)
      : subject_(subject), w_(w), k_(k), v_(std::move(v)), step_(step) {}

  /// (L(a) − L(b)) over the distance; that which the element really moved, after rounding.
  double slope(double a, double b) const {
    const Tensor x_a = at(a), x_b = at(b);
    const double distance =
        v_ ? (a - b) * step_ : static_cast<double>(x_a.data()[element_]) - static_cast<double>(x_b.data()[element_]);
    return (loss(x_a) - loss(x_b)) / distance;
  }

  /// How much of a difference quotient may be due to a kink within the step, or to a step that is too long: what
  /// changes if the step is halved, of the slope, and of the jump from the left slope to the right one. The jump of a
  /// smooth function is halved; at a kink it stays.
  double doubt() const {
    const double jump = slope(1, 0) - slope(0, -1), half_jump = slope(0.5, 0) - slope(0, -0.5);
    return std::abs(slope(1, -1) - slope(0.5, -0.5)) + std::abs(2 * half_jump - jump);
  }

  /// Of a gradient, along this line.
  double operator()(const Tensor& gradient) const {
    return v_ ? dot(gradient, *v_) : static_cast<double>(gradient.data()[element_]);
  }

 private:
  Tensor at(double t) const {
    Tensor x = subject_.number(k_);
    const auto h = static_cast<Scalar>(t * step_);
    if (v_)
      add_in_place(x, h, *v_);
    else
      x.data()[element_] += h;
    return x;
  }

  double loss(const Tensor& x) const {
    const Moved moved(subject_, k_, x);
    const Tensor y = subject_.evaluate().result.value();
    require<ShapeError>(y.shape() == w_.shape(),
                        "check_gradients: expected results of one shape, got {} and, with input {} moved, {}",
                        to_string(w_.shape()), k_, to_string(y.shape()));
    return dot(w_, y);
  }

  const Subject& subject_;
  const Tensor& w_;
  const std::size_t k_;
  std::size_t element_ = 0;
  std::optional<Tensor> v_;  // a direction; else it is the element that moves
  double step_;
};

/// One line for each element, or some in random directions if there are many elements.
std::vector<Line> lines_through(const Subject& subject, const Tensor& w, std::size_t k, double step,
                                const GradientCheckOptions& options, Generator& generator) {
  const Shape shape = subject.number(k).shape();
  std::vector<Line> lines;
  if (count(shape) <= options.largest_jacobian)
    for (std::size_t e = 0; e < count(shape); ++e) lines.emplace_back(subject, w, k, step, e);
  else
    for (std::size_t d = 0; d < options.directions; ++d)
      lines.emplace_back(subject, w, k, step, random_normal(shape, generator));
  return lines;
}

double largest(const std::vector<double>& a) {
  double result = 0;
  for (const double v : a) result = std::max(result, std::abs(v));
  return result;
}

/// max|a − b|/max|b|, or of `floor` if that is larger; infinite if anything is not finite.
double relative_error(const std::vector<double>& a, const std::vector<double>& b, double floor, std::size_t* worst) {
  double error = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return std::numeric_limits<double>::infinity();
    if (std::abs(a[i] - b[i]) <= error) continue;
    error = std::abs(a[i] - b[i]);
    *worst = i;
  }
  const double scale = std::max(floor, largest(b));
  return error == 0 ? 0 : scale == 0 ? std::numeric_limits<double>::infinity() : error / scale;
}

/// Which of them are equal to tolerance: f, h, d and n stand for fused, by hand, derived and numeric.
struct Agreement {
  bool fd, hd, fn, hn, dn;

  bool numeric_alone() const { return fd && hd && !fn && !hn; }

  const char* verdict() const {
    if (fd && hd && fn && hn && dn) return "ok";
    if (dn && !fn && !hn) return "the analytic backward is the odd one out";
    if (dn && !(fd && fn) && hd && hn) return "the fused backward is the odd one out";
    if (dn && !(hd && hn) && fd && fn) return "the backward by hand is the odd one out";
    if (fn && hn && !dn) return "the definition's gradient is the odd one out";
    return "no two of the three agree to tolerance";
  }
};

/// The gradients of one input by the tape, in each form.
struct Gradients {
  const Tensor &fused, &by_hand, &derived;
};

/// What is equal, and what is zero, but for rounding.
struct Limits {
  double tolerance, numeric_tolerance;
  double rounding;  // of L
  double noise;     // of a finite difference of L
};

struct Judgement {
  InputReport report;
  Agreement agreement;
  bool zero;  // all gradients are
};

bool is_ok(const InputReport& report) { return report.verdict == "ok"; }

/// All forms agree on the gradient, and the differences do not. The gradient is wrong if one of the differences that
/// are off by more than `limit` cannot be doubted.
const char* verdict_on_numeric(const std::vector<Line>& lines, const std::vector<double>& gradient,
                               const std::vector<double>& numeric, double limit) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double error = std::abs(gradient[i] - numeric[i]);
    if (!(error > limit && lines[i].doubt() < error / 2)) continue;
    return largest(gradient) > 0 ? "the backward is the odd one out"
                                 : "the backward is the odd one out: no gradient arrives (detach, NoGrad, or a grad "
                                   "without create_graph?)";
  }
  return "the finite difference is the odd one out (a kink, or a wrong step?)";
}

/// Compares the gradients along the lines, and the finite differences.
Judgement judge(const std::vector<Line>& lines, const Gradients& g, const Limits& limits) {
  std::vector<double> fused, by_hand, derived, numeric;
  for (const Line& line : lines) {
    fused.push_back(line(g.fused));
    by_hand.push_back(line(g.by_hand));
    derived.push_back(line(g.derived));
    numeric.push_back(line.slope(1, -1));
  }
  InputReport r;
  r.largest_gradient = largest(numeric);
  const double floor = limits.rounding / limits.tolerance, numeric_floor = limits.noise / limits.numeric_tolerance;
  r.derived_against_numeric = relative_error(derived, numeric, numeric_floor, &r.worst_element);
  r.by_hand_against_derived = relative_error(by_hand, derived, floor, &r.worst_element);
  r.fused_against_derived = relative_error(fused, derived, floor, &r.worst_element);
  r.analytic_against_derived = std::max(r.by_hand_against_derived, r.fused_against_derived);
  const double by_hand_against_numeric = relative_error(by_hand, numeric, numeric_floor, &r.worst_element),
               fused_against_numeric = relative_error(fused, numeric, numeric_floor, &r.worst_element);
  r.analytic_against_numeric = std::max(by_hand_against_numeric, fused_against_numeric);

  Agreement agreement{r.fused_against_derived <= limits.tolerance, r.by_hand_against_derived <= limits.tolerance,
                      fused_against_numeric <= limits.numeric_tolerance,
                      by_hand_against_numeric <= limits.numeric_tolerance,
                      r.derived_against_numeric <= limits.numeric_tolerance};
  const double by_tape = std::max({largest(fused), largest(by_hand), largest(derived)});
  const bool zero = by_tape <= limits.rounding && r.largest_gradient <= limits.noise;
  r.verdict = lines.empty() ? "nothing was compared: the input has no elements"
              : agreement.numeric_alone()
                  ? verdict_on_numeric(lines, derived, numeric,
                                       limits.numeric_tolerance * std::max(numeric_floor, r.largest_gradient))
                  : agreement.verdict();
  if (is_ok(r) && !zero && by_tape < 2 * limits.noise) {
    r.verdict = "nothing was compared: the differences are lost in the rounding of the result";
    agreement.fn = agreement.hn = agreement.dn = false;
  }
  return {r, agreement, zero};
}

/// The judgements on each input, for the cotangent w; y is the result.
std::vector<Judgement> compare(const Subject& subject, const Tensor& w, const Tensor& y,
                               const GradientCheckOptions& options, Generator& generator) {
  const auto epsilon = static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  constexpr bool kDouble = sizeof(Scalar) == 8;
  const double step = options.step > 0 ? options.step : std::cbrt(epsilon);
  const double rounding = 4 * epsilon * sum_of_magnitudes(w, y);
  const Limits limits{options.tolerance > 0 ? options.tolerance
                      : kDouble             ? 1e-10
                                            : 1e-4,
                      options.numeric_tolerance > 0 ? options.numeric_tolerance
                      : kDouble                     ? 1e-6
                                                    : 2e-2,
                      rounding, rounding / step};
  const std::vector<Tensor> fused = by_backward(subject, w, GradientForm::Fused),
                            by_hand = by_backward(subject, w, GradientForm::ByHand),
                            derived = by_backward(subject, w, GradientForm::Derived);
  std::vector<Judgement> judgements;
  for (std::size_t k = 0; k < subject.inputs; ++k)
    judgements.push_back(
        judge(lines_through(subject, w, k, step, options, generator), {fused[k], by_hand[k], derived[k]}, limits));
  return judgements;
}

/// Σ_i <v_i, dL/dx_i> as a function of the inputs, with L = <w, result>.
Subject slope(const Subject& subject, const std::vector<Tensor>& v, const Tensor& w) {
  Subject result = subject;
  result.evaluate = [subject, v, w] {
    const Subject::Evaluated at = subject.evaluate();
    GradOptions options;
    options.create_graph = options.allow_unused = true;
    const Variables gradients = grad({at.result}, at.inputs, {Variable(w)}, options);
    Variable total(zeros({}));
    for (std::size_t i = 0; i < v.size(); ++i)
      if (gradients[i].defined()) total = total + sum(gradients[i] * Variable(v[i]));
    return Subject::Evaluated{at.inputs, total};
  };
  return result;
}

/// Equal in shape and numbers; NaN equals NaN.
bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin(), [](Scalar u, Scalar v) {
           return u == v || (std::isnan(u) && std::isnan(v));
         });
}

template <class Condition>
bool all(const std::vector<Judgement>& judgements, const Condition& condition) {
  return std::all_of(judgements.begin(), judgements.end(), condition);
}

/// A form in which the first derivatives are right, for the differences that the second ones are compared with.
std::optional<GradientForm> right_form(const std::vector<Judgement>& first) {
  if (all(first, [](const Judgement& j) { return j.agreement.fn; })) return GradientForm::Fused;
  if (all(first, [](const Judgement& j) { return j.agreement.hn; })) return GradientForm::ByHand;
  if (all(first, [](const Judgement& j) { return j.agreement.dn; })) return GradientForm::Derived;
  return std::nullopt;
}

GradientCheck check(const Subject& subject, const GradientCheckOptions& options) {
  require(options.order == 1 || options.order == 2, "check_gradients: expected order 1 or 2, got {}", options.order);
  require(subject.inputs > 0, "check_gradients: expected at least one input");
  require(options.directions > 0, "check_gradients: expected at least one direction");
  for (const double option : {options.step, options.tolerance, options.numeric_tolerance})
    require(std::isfinite(option) && option >= 0,
            "check_gradients: step and tolerances must be finite and at least 0, got {}", option);
  const NoGrad record(false);
  const GradientMode mode(GradientForm::Fused);
  // A stream of its own: with the caller's numbers, w could equal x, and a norm's gradient for w = x is nearly zero.
  Generator generator(options.seed, 0x67726164);
  const Tensor y = subject.evaluate().result.value(), w = random_normal(y.shape(), generator);

  GradientCheck check;
  const auto judge_all_alike = [&](const char* verdict) {
    for (auto* reports : {&check.inputs, &check.second_order})
      for (InputReport& report : *reports) report.verdict = verdict;
    check.ok = false;
    return check;
  };
  check.inputs.resize(subject.inputs);
  if (options.order == 2) check.second_order.resize(subject.inputs);
  if (!same(y, subject.evaluate().result.value()))
    return judge_all_alike("the function gives another result each time");
  if (y.size() == 0) return judge_all_alike("nothing was compared: the result has no elements");

  const auto report_of = [](const Judgement& judgement) { return judgement.report; };
  const std::vector<Judgement> first = compare(subject, w, y, options, generator);
  std::transform(first.begin(), first.end(), check.inputs.begin(), report_of);
  if (options.order == 2) {
    std::vector<Tensor> v;
    for (std::size_t k = 0; k < subject.inputs; ++k) v.push_back(random_normal(subject.number(k).shape(), generator));
    const auto right = right_form(first);
    const GradientMode reference(right.value_or(GradientForm::Fused));
    const Subject derivative = slope(subject, v, w);
    const std::vector<Judgement> second =
        compare(derivative, ones({}), derivative.evaluate().result.value(), options, generator);
    std::transform(second.begin(), second.end(), check.second_order.begin(), report_of);
    if (!right)
      for (InputReport& report : check.second_order)
        report.verdict = "not judged: the first derivative is not known to be right";
  }
  if (all(first, [](const Judgement& j) { return j.zero && is_ok(j.report); }))
    return judge_all_alike("nothing was compared: all gradients are zero");
  check.ok = std::all_of(check.inputs.begin(), check.inputs.end(), is_ok) &&
             std::all_of(check.second_order.begin(), check.second_order.end(), is_ok);
  return check;
}

}  // namespace

GradientCheck check_gradients(const Function& function, const std::vector<Tensor>& inputs,
                              const GradientCheckOptions& options) {
  std::vector<Tensor> numbers = inputs;
  const auto evaluate = [&] {
    Variables leaves;
    for (const Tensor& x : numbers) leaves.emplace_back(x, true);
    return Subject::Evaluated{leaves, function(leaves)};
  };
  return check({evaluate, [&](std::size_t k) -> Tensor& { return numbers[k]; }, numbers.size()}, options);
}

GradientCheck check_gradients(const Closure& function, const Variables& inputs, const GradientCheckOptions& options) {
  Variables leaves = inputs;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    require(leaves[i].is_leaf() && leaves[i].requires_grad(),
            "check_gradients: expected leaves that require a gradient; input {} is not one", i);
    for (std::size_t k = 0; k < i; ++k)
      require(leaves[i].storage() != leaves[k].storage(), "check_gradients: inputs {} and {} are one", k, i);
  }
  const auto evaluate = [&] { return Subject::Evaluated{leaves, function()}; };
  return check({evaluate, [&](std::size_t k) -> Tensor& { return leaves[k].mutable_value(); }, leaves.size()}, options);
}

std::string GradientCheck::text() const {
  std::string result;
  const auto add = [&result](const char* what, const std::vector<InputReport>& reports) {
    for (std::size_t i = 0; i < reports.size(); ++i) {
      const InputReport& r = reports[i];
      result += fmt::format(
          "{}input {}: analytic/derived {:.1e}, analytic/numeric {:.1e}, derived/numeric {:.1e}, largest gradient "
          "{:.2g}, worst at {}: {}\n",
          what, i, r.analytic_against_derived, r.analytic_against_numeric, r.derived_against_numeric,
          r.largest_gradient, r.worst_element, r.verdict);
    }
  };
  add("", inputs);
  add("second order, ", second_order);
  return result;
}

}  // namespace xtg
