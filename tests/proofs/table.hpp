#pragma once

// The table of proofs: every operation on Variables, each way it can be called, and what is claimed of its derivatives.
// One file for each family of operations; prove.cpp proves a row, main.cpp prints the table.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "autograd/functional.hpp"
#include "tests/reference/reference.hpp"

namespace xtg::proofs {

/// Where an input's numbers are drawn from; a narrower domain comes later.
enum class Domain {
  Normal,    // standard normal
  Unit,      // uniform in [−0.9, 0.9)
  Positive,  // uniform in [0.5, 2): away from the poles of logarithms, roots and quotients
  Distinct,  // no two closer than 0.1, in all such inputs of the row together, and |x| ≥ 0.1: away from ties and kinks
};

struct Input {
  Shape shape;  // sizes differ within a row unless they must agree, so that a wrong order of axes shows
  Domain domain = Domain::Normal;
};

using V = const Variables&;

/// A row: one way to call an operation. Its label begins with the operation's C++ name. The case of that label in
/// tests/reference/table.safetensors has inputs x0, x1, …, the value y and, for a cotangent dy, the gradients d0, d1, …
struct Proof {
  std::string label;
  Function function;
  std::vector<Input> inputs;
  int order = 2;  // of derivative that is proven; 0: the value alone, and that no gradient is recorded
  bool kink =
      false;  // no finite differences, for inputs where they fail (ties, ends of a domain): PyTorch is the judge

  std::string operation() const { return label.substr(0, label.find(' ')); }
};
constexpr bool kKink = true;

/// What was found. Errors are max|a − b|/max|b|, the worst of the row; none where there is nothing to compare.
struct Result {
  std::optional<double> by_hand_against_derived, fused_against_derived;  // where the operation has that form
  std::optional<double> analytic_against_numeric, derived_against_numeric;
  std::optional<double> higher_order;  // second and third derivatives, the worst of the same three
  std::optional<double> torch_value, torch_gradient;
  std::string failure;  // all that is wrong; "" if the row is proven
};

/// Draws inputs and checks f's gradient: fused, by hand, by the definitions and by finite differences; then
/// the second derivatives of f + f², since f itself is linear in many rows, and for order 3 those of each derivative of
/// f + f³. Where inputs have one shape, all of that again with one Variable in all their places. Last, value and
/// gradients are compared with PyTorch's, in each of the three forms. A gradient that is nearly
/// zero is a failure: it would show nothing.
Result prove(const Proof& proof, const Reference& reference);

/// Which forms the operation of a row has: "definition, by hand, fused", or "one".
std::string forms_of(const Proof& proof);

struct Family {
  const char* name;
  std::vector<Proof> rows;
};
std::vector<Family> table();

std::vector<Proof> elementwise_rows();
std::vector<Proof> activation_rows();
std::vector<Proof> reduce_rows();
std::vector<Proof> shaping_rows();
std::vector<Proof> indexing_rows();
std::vector<Proof> matmul_rows();
std::vector<Proof> conv2d_rows();  // and pooling
std::vector<Proof> loss_rows();    // and dropout
std::vector<Proof> norm_rows();

// For writing rows.

inline Function of(Variable (*f)(const Variable&)) {
  return [f](V v) { return f(v[0]); };
}
inline Function of(Variable (*f)(const Variable&, const Variable&)) {
  return [f](V v) { return f(v[0], v[1]); };
}

/// Truth values (1 or 0) and positions as numbers; constants.
inline Variable numbers(const Mask& mask) {
  Tensor y(mask.shape);
  std::copy(mask.values.begin(), mask.values.end(), y.data());
  return Variable(std::move(y));
}
inline Variable numbers(const Indices& indices) {
  Tensor y(indices.shape());
  std::transform(indices.begin(), indices.end(), y.data(), [](std::int64_t i) { return static_cast<Scalar>(i); });
  return Variable(std::move(y));
}

}  // namespace xtg::proofs
