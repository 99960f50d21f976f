#include <algorithm>
#include <set>

#include "autograd/grad_mode.hpp"
#include "autograd/gradcheck.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/parallel.hpp"
#include "tests/proofs/table.hpp"
#include "tests/testing.hpp"

namespace xtg::proofs {
namespace {

constexpr double kSmall = 1e-3;  // a gradient whose largest element is below this shows nothing
constexpr double kTorch = 1e-9;  // tolerance; both sides are float64
constexpr std::uint64_t kSeed = 20;

/// ±0.15, ±0.35, ±0.55, … in random order, each moved by up to 0.04.
std::vector<double> distinct(std::size_t n, Generator& generator) {
  std::vector<double> values;
  for (const std::uint32_t k : generator.permutation(n))
    values.push_back((k % 2 == 0 ? 1 : -1) * (0.15 + 0.2 * (k / 2)) + generator.uniform(-0.04, 0.04));
  return values;
}

std::vector<Tensor> draw(const std::vector<Input>& inputs) {
  Generator generator(kSeed);
  std::size_t n = 0;
  for (const Input& input : inputs) n += input.domain == Domain::Distinct ? count(input.shape) : 0;
  const std::vector<double> values = distinct(n, generator);
  auto next = values.begin();

  std::vector<Tensor> drawn;
  for (const Input& input : inputs) {
    const auto size = static_cast<std::ptrdiff_t>(count(input.shape));
    switch (input.domain) {
      case Domain::Normal:
        drawn.push_back(random_normal(input.shape, generator));
        break;
      case Domain::Unit:
        drawn.push_back(random_uniform(input.shape, generator, -0.9, 0.9));
        break;
      case Domain::Positive:
        drawn.push_back(random_uniform(input.shape, generator, 0.5, 2));
        break;
      case Domain::Distinct:
        drawn.push_back(tensor(std::vector<double>(next, next + size), input.shape));
        next += size;
    }
  }
  return drawn;
}

/// Whether an operation on the way to the result runs in this form when it is asked for.
bool runs(const Function& f, const std::vector<Tensor>& inputs, GradientForm form) {
  const GradientMode mode(form);
  Variables leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input, true);
  const Variable y = f(leaves);
  std::set<const Node*> seen;
  std::vector<const Node*> next = {y.node().get()};
  while (!next.empty()) {
    const Node* node = next.back();
    next.pop_back();
    if (node == nullptr || !seen.insert(node).second) continue;
    if (node->form == form) return true;
    for (const Node::Input& input : node->inputs) next.push_back(input.node.get());
  }
  return false;
}

void raise(std::optional<double>& worst, double error) { worst = std::max(worst.value_or(0), error); }

/// `where` begins every failure, here and below.
void first_order(const Function& f, const std::vector<Tensor>& inputs, const std::string& where, Result& result) {
  const GradientCheck check = check_gradients(f, inputs);
  const bool by_hand = runs(f, inputs, GradientForm::ByHand), fused = runs(f, inputs, GradientForm::Fused);
  bool large = true;
  for (const InputReport& r : check.inputs) {
    if (by_hand) raise(result.by_hand_against_derived, r.by_hand_against_derived);
    if (fused) raise(result.fused_against_derived, r.fused_against_derived);
    raise(result.analytic_against_numeric, r.analytic_against_numeric);
    raise(result.derived_against_numeric, r.derived_against_numeric);
    large = large && r.largest_gradient > kSmall;
  }
  if (!check.ok) result.failure += where + "f:\n" + check.text();
  if (!large) result.failure += where + "f, a gradient too small to show anything:\n" + check.text();
}

void second_order(const Function& f, const std::vector<Tensor>& inputs, const std::string& where, Result& result) {
  GradientCheckOptions options;
  options.order = 2;
  const GradientCheck check = check_gradients(f, inputs, options);
  bool large = true;
  for (const InputReport& r : check.second_order) {
    raise(result.higher_order,
          std::max({r.analytic_against_derived, r.analytic_against_numeric, r.derived_against_numeric}));
    large = large && r.largest_gradient > kSmall;
  }
  if (!check.ok) result.failure += where + ":\n" + check.text();
  if (!large) result.failure += where + ", a second derivative too small to show anything:\n" + check.text();
}

/// f + f^order: not linear where f is, and curved also where f² is not (√x).
Function curved(const Function& f, int order) {
  return [f, order](V v) {
    const Variable y = f(v);
    return y + pow(y, static_cast<Scalar>(order));
  };
}

/// d<w, f>/d(input k) as a function of the same inputs, with a random w. It is recorded, to be differentiated again.
Function derivative(const Function& f, std::size_t k) {
  return [f, k](V v) {
    const NoGrad record(false);  // finite differences evaluate it with recording off and constant inputs
    Variables arguments = v;
    if (!v[k].requires_grad()) arguments[k] = Variable(v[k].value(), true);
    const Variable y = f(arguments);
    Generator generator(kSeed, 1);
    GradOptions options;
    options.create_graph = true;
    return grad({y}, {arguments[k]}, {Variable(random_normal(y.shape(), generator))}, options)[0];
  };
}

void check_orders(const Proof& proof, const std::string& where, Result& result) {
  const std::vector<Tensor> inputs = draw(proof.inputs);
  first_order(proof.function, inputs, where, result);
  if (proof.order == 2) second_order(curved(proof.function, 2), inputs, where + "f + f^2", result);
  if (proof.order == 3)
    for (std::size_t k = 0; k < inputs.size(); ++k)
      second_order(derivative(curved(proof.function, 3), k), inputs,
                   fmt::format("{}derivative of f + f^3 by input {}", where, k), result);
}

/// The function with one Variable in the places of all inputs of one shape, plus its Σ v², since x − x has no gradient;
/// without function if no two inputs have one shape.
Proof repeated(const Proof& proof) {
  Proof one;
  one.order = std::min(proof.order, 2);
  std::vector<std::size_t> place;  // of each input among those that are left
  for (const Input& input : proof.inputs) {
    std::size_t k = 0;
    while (k < one.inputs.size() && one.inputs[k].shape != input.shape) ++k;
    if (k == one.inputs.size()) one.inputs.push_back(input);
    one.inputs[k].domain = std::max(one.inputs[k].domain, input.domain);
    place.push_back(k);
  }
  if (one.inputs.size() == proof.inputs.size()) return one;
  one.function = [f = proof.function, place](V v) {
    Variables arguments;
    for (const std::size_t k : place) arguments.push_back(v[k]);
    Variable y = f(arguments);
    for (const Variable& variable : v) y = y + sum(square(variable));
    return y;
  };
  return one;
}

/// The arrays are so small that threads would do nothing but wait for each other.
struct OneThread {
  OneThread() { set_num_threads(1); }
  ~OneThread() { set_num_threads(before); }
  const int before = num_threads();
};

/// Value and, from order 1 on, gradients against the row's case in the reference.
void compare_with_torch(const Proof& proof, const Reference& reference, Result& result) {
  const Reference::Case at = reference[proof.label];
  std::vector<Tensor> inputs;
  for (std::size_t k = 0; k < proof.inputs.size(); ++k) {
    inputs.push_back(at(fmt::format("x{}", k)));
    require(inputs[k].shape() == proof.inputs[k].shape, "x{} has shape {} in {}, and {} in the table", k,
            to_string(inputs[k].shape()), reference.path, to_string(proof.inputs[k].shape));
  }
  require(!at.has(fmt::format("x{}", inputs.size())), "{} has more inputs than the table", reference.path);
  for (const GradientForm form : {GradientForm::Fused, GradientForm::ByHand, GradientForm::Derived}) {
    const GradientMode mode(form);
    Variables leaves;
    for (const Tensor& input : inputs) leaves.emplace_back(input, true);
    const Variable y = proof.function(leaves);
    raise(result.torch_value, testing::max_error(y.value(), at("y")));
    if (proof.order == 0) {
      if (y.requires_grad()) result.failure += "a gradient is recorded where there is none\n";
      continue;
    }
    y.backward(at("dy"));
    for (std::size_t k = 0; k < leaves.size(); ++k) {
      const Tensor& expected = at(fmt::format("d{}", k));
      const Tensor found = leaves[k].has_grad() ? leaves[k].grad() : zeros_like(leaves[k].value());
      raise(result.torch_gradient, testing::max_error(found, expected));
      if (testing::largest(expected) < kSmall) result.failure += fmt::format("PyTorch's d{} is too small\n", k);
    }
  }
  if (*result.torch_value > kTorch)
    result.failure += fmt::format("the value differs from PyTorch's by {:.1e}\n", *result.torch_value);
  if (result.torch_gradient.value_or(0) > kTorch)
    result.failure += fmt::format("a gradient differs from PyTorch's by {:.1e}\n", *result.torch_gradient);
}

}  // namespace

Result prove(const Proof& proof, const Reference& reference) {
  Result result;
  const OneThread one_thread;
  try {
    if (proof.order > 0 && !proof.kink) {
      check_orders(proof, "", result);
      if (const Proof one = repeated(proof); one.function)
        check_orders(one, "one Variable in several places: ", result);
    }
    compare_with_torch(proof, reference, result);
  } catch (const std::exception& error) {
    result.failure += fmt::format("{}\n", error.what());
  }
  return result;
}

std::string forms_of(const Proof& proof) {
  const std::vector<Tensor> inputs = draw(proof.inputs);
  const bool by_hand = runs(proof.function, inputs, GradientForm::ByHand),
             fused = runs(proof.function, inputs, GradientForm::Fused);
  if (!by_hand && !fused) return "one";
  return std::string("definition") + (by_hand ? ", by hand" : "") + (fused ? ", fused" : "");
}

std::vector<Family> table() {
  return {{"elementwise", elementwise_rows()},
          {"activation", activation_rows()},
          {"reduce", reduce_rows()},
          {"shaping", shaping_rows()},
          {"indexing", indexing_rows()},
          {"matmul", matmul_rows()},
          {"conv2d", conv2d_rows()},
          {"loss", loss_rows()},
          {"norm", norm_rows()}};
}

}  // namespace xtg::proofs
