#include "autograd/gradcheck.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
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

Variables constants(const std::vector<Tensor>& inputs) {
  Variables result;
  for (const Tensor& input : inputs) result.emplace_back(input);
  return result;
}

/// Gradients of <w, function(inputs)> by backward(); zeros for an input that the result does not depend on.
std::vector<Tensor> by_backward(const Function& function, const std::vector<Tensor>& inputs, const Tensor& w,
                                GradientForm form) {
  const GradientMode mode(form);
  Variables leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input, true);
  const Variable output = function(leaves);
  if (output.requires_grad()) output.backward(w);  // else it depends on no input
  std::vector<Tensor> gradients;
  for (const Variable& leaf : leaves) gradients.push_back(leaf.has_grad() ? leaf.grad() : zeros_like(leaf.value()));
  return gradients;
}

/// (L(x + h·v) − L(x − h·v))/(2h) for input k, where the moved elements are set exactly to what is divided by.
double difference(const Function& function, const std::vector<Tensor>& inputs, std::size_t k, const Tensor& w,
                  const std::function<void(Tensor&, double sign)>& move, double width) {
  const NoGrad no_grad;
  double loss[2];
  for (const int side : {0, 1}) {
    Variables moved;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Tensor x = inputs[i];
      if (i == k) move(x, side == 0 ? 1 : -1);
      moved.emplace_back(std::move(x));
    }
    loss[side] = dot(w, function(moved).value());
  }
  return (loss[0] - loss[1]) / width;
}

/// The gradient of one input by backward(), in each form.
struct Gradients {
  Tensor fused, by_hand, derived;
};

/// Their elements, or their products with random directions, and those of the finite difference.
struct Compared {
  std::vector<double> fused, by_hand, derived, numeric;

  template <class Number>
  void add(const Gradients& g, const Number& number, double difference) {
    fused.push_back(number(g.fused));
    by_hand.push_back(number(g.by_hand));
    derived.push_back(number(g.derived));
    numeric.push_back(difference);
  }
};

Compared element_by_element(const Function& function, const std::vector<Tensor>& inputs, std::size_t k, const Tensor& w,
                            double step, const Gradients& gradients) {
  Compared c;
  for (std::size_t e = 0; e < inputs[k].size(); ++e) {
    const Scalar x = inputs[k].data()[e];
    const Scalar h = static_cast<Scalar>(step * std::max(1.0, std::abs(static_cast<double>(x))));
    const double width = static_cast<double>(x + h) - static_cast<double>(x - h);  // after rounding
    const auto move = [&](Tensor& t, double sign) { t.data()[e] = sign > 0 ? x + h : x - h; };
    c.add(
        gradients, [e](const Tensor& g) { return static_cast<double>(g.data()[e]); },
        difference(function, inputs, k, w, move, width));
  }
  return c;
}

Compared along_directions(const Function& function, const std::vector<Tensor>& inputs, std::size_t k, const Tensor& w,
                          double step, const Gradients& gradients, std::size_t directions, Generator& generator) {
  Compared c;
  for (std::size_t d = 0; d < directions; ++d) {
    const Tensor v = random_normal(inputs[k].shape(), generator);
    const auto move = [&](Tensor& t, double sign) {
      for (std::size_t i = 0; i < t.size(); ++i) t.data()[i] += static_cast<Scalar>(sign * step) * v.data()[i];
    };
    c.add(
        gradients, [&v](const Tensor& g) { return dot(g, v); }, difference(function, inputs, k, w, move, 2 * step));
  }
  return c;
}

/// max|a − b|/max|b|, or of `floor` if that is larger; infinite if anything is not finite.
double relative_error(const std::vector<double>& a, const std::vector<double>& b, double floor, std::size_t* worst) {
  double largest = floor, error = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(b[i]));
    if (std::abs(a[i] - b[i]) <= error) continue;
    error = std::abs(a[i] - b[i]);
    *worst = i;
  }
  return error == 0 ? 0 : largest == 0 ? std::numeric_limits<double>::infinity() : error / largest;
}

/// Which of them are equal to tolerance: f, h, d and n stand for fused, by hand, derived and numeric.
struct Agreement {
  bool fd, hd, fn, hn, dn;

  const char* verdict() const {
    if (fd && hd && fn && hn && dn) return "ok";
    if (dn && !fn && !hn) return "the analytic backward is the odd one out";
    if (dn && !(fd && fn) && hd && hn) return "the fused backward is the odd one out";
    if (dn && !(hd && hn) && fd && fn) return "the backward by hand is the odd one out";
    if (fn && hn && !dn) return "the definition's gradient is the odd one out";
    if (fd && hd && !fn && !hn)
      return "the finite difference is the odd one out (a kink, a random function, or a wrong step?)";
    return "no two of the three agree to tolerance";
  }
};

/// `noise`: what rounding may add to a finite difference.
InputReport judge(const Compared& c, double tolerance, double numeric_tolerance, double noise) {
  InputReport r;
  for (const double g : c.numeric) r.largest_gradient = std::max(r.largest_gradient, std::abs(g));
  const double floor = noise / numeric_tolerance;
  r.derived_against_numeric = relative_error(c.derived, c.numeric, floor, &r.worst_element);
  r.by_hand_against_derived = relative_error(c.by_hand, c.derived, 0, &r.worst_element);
  r.fused_against_derived = relative_error(c.fused, c.derived, 0, &r.worst_element);
  r.analytic_against_derived = std::max(r.by_hand_against_derived, r.fused_against_derived);
  const double by_hand = relative_error(c.by_hand, c.numeric, floor, &r.worst_element),
               fused = relative_error(c.fused, c.numeric, floor, &r.worst_element);
  r.analytic_against_numeric = std::max(by_hand, fused);
  r.verdict = Agreement{r.fused_against_derived <= tolerance, r.by_hand_against_derived <= tolerance,
                        fused <= numeric_tolerance, by_hand <= numeric_tolerance,
                        r.derived_against_numeric <= numeric_tolerance}
                  .verdict();
  return r;
}

/// The reports for each input, for the cotangent w.
std::vector<InputReport> compare(const Function& function, const std::vector<Tensor>& inputs, const Tensor& w,
                                 const GradientCheckOptions& options, Generator& generator) {
  const auto epsilon = static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  constexpr bool kDouble = sizeof(Scalar) == 8;
  const double step = options.step > 0 ? options.step : std::cbrt(epsilon);
  const double tolerance = options.tolerance > 0 ? options.tolerance : kDouble ? 1e-10 : 1e-4;
  const double numeric_tolerance = options.numeric_tolerance > 0 ? options.numeric_tolerance : kDouble ? 1e-6 : 2e-2;

  const std::vector<Tensor> fused = by_backward(function, inputs, w, GradientForm::Fused),
                            by_hand = by_backward(function, inputs, w, GradientForm::ByHand),
                            derived = by_backward(function, inputs, w, GradientForm::Derived);
  const double noise = 4 * epsilon * sum_of_magnitudes(w, function(constants(inputs)).value()) / step;
  std::vector<InputReport> reports;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Gradients gradients{fused[k], by_hand[k], derived[k]};
    const Compared compared =
        inputs[k].size() <= options.largest_jacobian
            ? element_by_element(function, inputs, k, w, step, gradients)
            : along_directions(function, inputs, k, w, step, gradients, options.directions, generator);
    reports.push_back(judge(compared, tolerance, numeric_tolerance, noise));
  }
  return reports;
}

/// Σ_i <v_i, dL/dx_i> as a function of the inputs, with L = <w, function>.
Function slope(const Function& function, const std::vector<Tensor>& v, const Tensor& w) {
  return [function, v, w](const Variables& inputs) {
    const NoGrad record(false);  // finite differences evaluate with recording off and constant inputs
    Variables x = inputs;
    for (Variable& input : x)
      if (!input.requires_grad()) input = Variable(input.value(), true);
    GradOptions options;
    options.create_graph = options.allow_unused = true;
    const Variables gradients = grad({function(x)}, x, {Variable(w)}, options);
    Variable total(zeros({}));
    for (std::size_t i = 0; i < v.size(); ++i)
      if (gradients[i].defined()) total = total + sum(gradients[i] * Variable(v[i]));
    return total;
  };
}

bool is_ok(const InputReport& report) { return report.verdict == "ok"; }

}  // namespace

GradientCheck check_gradients(const Function& function, const std::vector<Tensor>& inputs,
                              const GradientCheckOptions& options) {
  require(options.order == 1 || options.order == 2, "check_gradients: expected order 1 or 2, got {}", options.order);
  // A stream of its own: with the caller's numbers, w could equal x, and a norm's gradient for w = x is nearly zero.
  Generator generator(options.seed, 0x67726164);
  const Tensor w = random_normal(function(constants(inputs)).shape(), generator);
  GradientCheck check;
  check.inputs = compare(function, inputs, w, options, generator);
  if (options.order == 2) {
    std::vector<Tensor> v;
    for (const Tensor& x : inputs) v.push_back(random_normal(x.shape(), generator));
    check.second_order = compare(slope(function, v, w), inputs, ones({}), options, generator);
  }
  check.ok = std::all_of(check.inputs.begin(), check.inputs.end(), is_ok) &&
             std::all_of(check.second_order.begin(), check.second_order.end(), is_ok);
  return check;
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
