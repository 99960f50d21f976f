#include "autograd/ops/elementwise.hpp"

#include "tests/proofs/table.hpp"

namespace xtg::proofs {
namespace {

using Rows = std::vector<Proof>;

/// Two arguments of one shape, and two that broadcast.
void binary(Rows& rows, const std::string& name, Variable (*f)(const Variable&, const Variable&), Domain a, Domain b,
            int order = 2) {
  rows.push_back({name + " same shape", of(f), {{{3, 4}, a}, {{3, 4}, b}}, order});
  rows.push_back({name + " broadcast", of(f), {{{3, 1}, a}, {{2, 1, 4}, b}}});
}

void unary(Rows& rows, const std::string& name, Variable (*f)(const Variable&), Domain domain = Domain::Normal,
           int order = 2) {
  rows.push_back({name, of(f), {{{3, 4}, domain}}, order});
}

void comparison(Rows& rows, const std::string& name, Mask (*f)(const Variable&, const Variable&)) {
  rows.push_back({name, [f](V v) { return numbers(f(v[0], v[1])); }, {{{3, 4}}, {{2, 1, 4}}}, 0});
}

void arithmetic(Rows& rows) {
  constexpr Domain normal = Domain::Normal, positive = Domain::Positive;
  binary(rows, "add", add, normal, normal);
  rows.push_back({"add a number", [](V v) { return add(v[0], 1.5); }, {{{3, 4}}}});
  binary(rows, "subtract", subtract, normal, normal);
  rows.push_back({"subtract from a number", [](V v) { return 3 - v[0]; }, {{{3, 4}}}});
  binary(rows, "multiply", multiply, normal, normal, 3);
  rows.push_back({"multiply by a number", [](V v) { return multiply(v[0], -0.7); }, {{{3, 4}}}});
  binary(rows, "divide", divide, normal, positive);
  rows.push_back({"divide a number", [](V v) { return 2 / v[0]; }, {{{3, 4}, positive}}});
}

void powers(Rows& rows) {
  constexpr Domain normal = Domain::Normal, positive = Domain::Positive;
  binary(rows, "pow", pow, positive, normal, 3);
  rows.push_back({"pow at 0", of(pow), {{{5}}, {{5}}}, 1, kKink});
  rows.push_back({"pow to 2.5", [](V v) { return pow(v[0], 2.5); }, {{{3, 4}, positive}}, 3});
  rows.push_back({"pow to 3", [](V v) { return pow(v[0], 3); }, {{{3, 4}}}, 3});
  rows.push_back({"pow to -1", [](V v) { return pow(v[0], -1); }, {{{3, 4}, positive}}});
  rows.push_back(
      {"pow to 2, 1 and 0, at 0", [](V v) { return pow(v[0], 2) + pow(v[0], 1) + pow(v[0], 0); }, {{{5}}}, 1, kKink});
}

void functions(Rows& rows) {
  constexpr Domain unit = Domain::Unit, positive = Domain::Positive;
  unary(rows, "negative", negative);
  unary(rows, "exp", exp, Domain::Normal, 3);
  unary(rows, "expm1", expm1);
  rows.push_back({"expm1 near 0", of(expm1), {{{5}}}, 1, kKink});
  unary(rows, "log", log, positive, 3);
  unary(rows, "log1p", log1p, unit);
  rows.push_back({"log1p near 0", of(log1p), {{{5}}}, 1, kKink});
  unary(rows, "sqrt", sqrt, positive);
  unary(rows, "rsqrt", rsqrt, positive);
  unary(rows, "square", square);
  unary(rows, "sin", sin);
  unary(rows, "cos", cos);
  unary(rows, "tanh", tanh, Domain::Normal, 3);
  unary(rows, "erf", erf);
  rows.push_back({"erf of a scalar", of(erf), {{{}}}});
  unary(rows, "erfc", erfc);
}

void bent(Rows& rows) {
  constexpr Domain distinct = Domain::Distinct;
  unary(rows, "abs", abs, distinct);
  rows.push_back({"abs at 0", of(abs), {{{5}}}, 1, kKink});
  // Its gradient is 0: by the product rule, one that is not would show.
  rows.push_back({"sign times x", [](V v) { return sign(v[0]) * v[0]; }, {{{3, 4}, distinct}}});
  rows.push_back({"sign at 0, plus x", [](V v) { return sign(v[0]) + v[0]; }, {{{5}}}, 1, kKink});
  binary(rows, "minimum", minimum, distinct, distinct);
  rows.push_back({"minimum of equals", of(minimum), {{{3, 4}}, {{2, 1, 4}}}, 1, kKink});
  binary(rows, "maximum", maximum, distinct, distinct);
  rows.push_back({"maximum of equals", of(maximum), {{{3, 4}}, {{2, 1, 4}}}, 1, kKink});
  // The bounds are halfway between the values that are drawn.
  rows.push_back({"clamp", [](V v) { return clamp(v[0], -0.85, 1.05); }, {{{3, 4}, distinct}}});
  rows.push_back({"clamp at the bounds", [](V v) { return clamp(v[0], -0.5, 2); }, {{{7}}}, 1, kKink});
  const Mask mask{{3, 1}, {1, 0, 1}};
  rows.push_back({"where same shape", [mask](V v) { return where(mask, v[0], v[1]); }, {{{3, 4}}, {{3, 4}}}});
  rows.push_back({"where broadcast", [mask](V v) { return where(mask, v[0], v[1]); }, {{{2, 1, 4}}, {{}}}});
}

}  // namespace

std::vector<Proof> elementwise_rows() {
  Rows rows;
  arithmetic(rows);
  powers(rows);
  functions(rows);
  bent(rows);
  comparison(rows, "less", less);
  comparison(rows, "less_equal", less_equal);
  comparison(rows, "greater", greater);
  comparison(rows, "greater_equal", greater_equal);
  comparison(rows, "equal", equal);
  comparison(rows, "not_equal", not_equal);
  return rows;
}

}  // namespace xtg::proofs
