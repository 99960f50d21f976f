#include "autograd/ops/elementwise.hpp"

#include <algorithm>
#include <limits>

#include "autograd/ops/activation.hpp"
#include "tests/proofs/table.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

using proofs::numbers;
using Function1 = std::function<Variable(const Variable&)>;
using Function2 = std::function<Variable(const Variable&, const Variable&)>;
using Real1 = std::function<Real(Real)>;
using Real2 = std::function<Real(Real, Real)>;

const std::vector<Kind> kAll = {Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite};

// ---------------------------------------------------------------------------------------------- one argument

/// What is claimed of a function of one number, but for the numbers it gets.
struct Claim {
  Domain domain = Domain::Any;
  Real reach = HUGE_VALL;  // at most; 1 for a function that bends everywhere
  double ulps = 4, gradient_ulps = 32;
  Real1 condition = [](Real) { return Real{1}; };  // by how much a rounding of x, or within, is multiplied in y
  Real1 slack = [](Real) { return Real{0}; };      // the size of what cancels in the derivative
};

Case unary(Draw& r, const std::string& call, const Function1& f, const Real1& of, const Claim& claim) {
  r.choose(kAll);
  Case c;
  c.call = call;
  c.function = [f](V v) { return f(v[0]); };
  // Now and then outside of the domain, too, where the value is NaN or infinite.
  const bool outside = claim.domain != Domain::Any && r.chance(0.1);
  c.inputs = {r.values(r.shape(0, 5), outside ? Domain::Any : claim.domain)};
  // x times a number that is too small to have all its digits is no better.
  const Real smallest = claim.ulps > 1 ? std::numeric_limits<Scalar>::min() : 0;
  const auto floor_of = [smallest](Real v) { return smallest * std::min<Real>(1 + std::abs(v), 1000); };
  c.reach = {reach_of(c.inputs[0], claim.reach)};
  c.slack = {{}};
  for (const Scalar v : c.inputs[0]) c.slack[0].push_back(claim.slack(real(v)) + floor_of(real(v)));
  c.reference = [of, floor_of, condition = claim.condition](const std::vector<Numbers>& x) {
    Answer answer{x[0].shape, {}};
    for (const Real v : x[0].v) {
      answer.y.push_back(of(v));
      const Real size = std::abs(answer.y.back());
      answer.scale.push_back(std::max(size * condition(v), floor_of(v)));
    }
    return answer;
  };
  c.ulps = claim.ulps;
  c.gradient_ulps = claim.gradient_ulps;
  c.differences = !outside;
  return c;
}

void add_unary(std::vector<Operation>& rows, const std::string& name, Variable (*f)(const Variable&), const Real1& of,
               const Claim& claim = {}) {
  rows.push_back({name, [=](Draw& r) { return unary(r, name + "(x0)", f, of, claim); }});
}

const Real kSqrtHalf = std::sqrt(0.5L);

Real sigmoid_of(Real v) { return 1 / (1 + std::exp(-v)); }
Real softplus_of(Real v) { return v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v)); }
Real times(Real v, Real weight) { return weight == 0 && !std::isnan(v) ? 0 : v * weight; }  // −∞·0 is 0
Real sign_of(Real v) { return v > 0 ? 1 : v < 0 ? -1 : v; }                                 // NaN stays

/// The argument of the sigmoid in gelu's form with tanh.
Real gelu_argument(Real v) { return 2 * std::sqrt(2 / std::acos(-1.0L)) * (v + 0.044715L * v * v * v); }

void functions(std::vector<Operation>& rows) {
  const Claim exact{Domain::Any, HUGE_VALL, 0.501};
  const Claim bends{Domain::Any, 1};
  const Claim positive{Domain::Positive};
  add_unary(
      rows, "negative", negative, [](Real v) { return -v; }, exact);
  add_unary(
      rows, "exp", exp, [](Real v) { return std::exp(v); }, bends);
  add_unary(
      rows, "expm1", expm1, [](Real v) { return std::expm1(v); }, bends);
  add_unary(
      rows, "log", log, [](Real v) { return std::log(v); }, positive);
  add_unary(rows, "log1p", log1p, [](Real v) { return std::log1p(v); }, {Domain::AboveMinusOne, 0.005L});
  add_unary(rows, "sqrt", sqrt, [](Real v) { return std::sqrt(v); }, {Domain::Positive, HUGE_VALL, 0.501});
  add_unary(
      rows, "rsqrt", rsqrt, [](Real v) { return 1 / std::sqrt(v); }, positive);
  add_unary(
      rows, "square", square, [](Real v) { return v * v; }, exact);
  add_unary(
      rows, "sin", sin, [](Real v) { return std::sin(v); }, bends);
  add_unary(
      rows, "cos", cos, [](Real v) { return std::cos(v); }, bends);
  add_unary(
      rows, "tanh", tanh, [](Real v) { return std::tanh(v); }, bends);
  add_unary(
      rows, "erf", erf, [](Real v) { return std::erf(v); }, bends);
  const Real1 squared = [](Real v) { return 1 + v * v; };
  add_unary(rows, "erfc", erfc, [](Real v) { return std::erfc(v); }, {Domain::Any, 1, 4, 256});
  add_unary(
      rows, "abs", abs, [](Real v) { return std::abs(v); }, exact);
  add_unary(rows, "sign", sign, sign_of, exact);
  add_unary(
      rows, "relu", relu, [](Real v) { return v <= 0 ? 0 : v; }, exact);
  const Claim composed{Domain::Any, 1, 8, 64};
  add_unary(rows, "sigmoid", sigmoid, sigmoid_of, composed);
  add_unary(rows, "softplus", softplus, softplus_of, composed);
  add_unary(
      rows, "silu", silu, [](Real v) { return times(v, sigmoid_of(v)); },
      {Domain::Any, 1, 8, 64, [](Real) { return Real{1}; }, [](Real v) { return (1 + std::abs(v)) * sigmoid_of(v); }});
  rows.push_back(
      {"gelu", [squared](Draw& r) {
         const bool erf_form = r.chance(0.5);
         Claim claim{Domain::Any, 1, 8, 512, squared};
         // Φ(x) + x·φ(x), in which φ is about |x|·Φ far out.
         claim.slack = [](Real v) { return (1 + v * v) * std::erfc(-v * kSqrtHalf); };
         if (!erf_form) claim.condition = [](Real v) { return 1 + std::abs(gelu_argument(v)); };
         return unary(
             r, erf_form ? "gelu(x0)" : "gelu(x0, approximate='tanh')",
             [=](const Variable& x) { return gelu(x, erf_form ? Gelu::Erf : Gelu::Tanh); },
             [=](Real v) { return times(v, erf_form ? std::erfc(-v * kSqrtHalf) / 2 : sigmoid_of(gelu_argument(v))); },
             claim);
       }});
}

void functions_with_a_number(std::vector<Operation>& rows) {
  rows.push_back({"leaky_relu", [](Draw& r) {
                    const auto slope = static_cast<Scalar>(r.one_of(std::vector<double>{0.01, 0.2, 0, -0.5, 1}));
                    return unary(
                        r, fmt::format("leaky_relu(x0, {})", exact(slope)),
                        [=](const Variable& x) { return leaky_relu(x, slope); },
                        [=](Real v) { return v > 0 ? v : times(v, real(slope)); }, {Domain::Any, HUGE_VALL, 0.501});
                  }});
  rows.push_back({"elu", [](Draw& r) {
                    const auto alpha = static_cast<Scalar>(r.one_of(std::vector<double>{1, 0.7, 2.5}));
                    Case c = unary(
                        r, fmt::format("elu(x0, {})", exact(alpha)), [=](const Variable& x) { return elu(x, alpha); },
                        [=](Real v) { return v > 0 ? v : real(alpha) * std::expm1(v); }, {Domain::Any, 1});
                    if (r.kind != Kind::Normal) c.order = 1;  // at 0 the second derivative jumps
                    return c;
                  }});
  rows.push_back({"clamp", [](Draw& r) {
                    const auto low = static_cast<Scalar>(r.one_of(std::vector<double>{-1, -0.3, 0, 0.4}));
                    const auto high = static_cast<Scalar>(exact(low) + r.one_of(std::vector<double>{0.5, 1, 1e4}));
                    return unary(
                        r, fmt::format("clamp(x0, {}, {})", exact(low), exact(high)),
                        [=](const Variable& x) { return clamp(x, low, high); },
                        [=](Real v) { return v < real(low)    ? real(low)
                                             : v > real(high) ? real(high)
                                                              : v; },
                        {Domain::Any, HUGE_VALL, 0.501});
                  }});
}

// --------------------------------------------------------------------------------------------- two arguments

/// NumPy's rule, again.
Shape broadcast_both(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() < b.size() ? b : a;
  const Shape& shorter = a.size() < b.size() ? a : b;
  Shape y = longer;
  for (std::size_t k = 0; k < shorter.size(); ++k) {
    std::size_t& n = y[longer.size() - shorter.size() + k];
    if (n == 1) n = shorter[k];
  }
  return y;
}

std::vector<std::size_t> offsets(const Shape& to, const Shape& from) {
  std::vector<std::size_t> list(count(to));
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = testing::broadcast_offset(i, to, from);
  return list;
}

Case binary(Draw& r, const std::string& call, const Function2& f, const Real2& of, double ulps, Domain first = {},
            Domain second = {}, bool broadcasts = true) {
  Case c;
  c.call = call;
  c.function = [f](V v) { return f(v[0], v[1]); };
  const Shape shape = r.shape(0, 5);
  c.inputs = {r.values(broadcasts ? r.broadcast_from(shape) : shape, first),
              r.values(broadcasts ? r.broadcast_from(shape) : shape, second)};
  c.reach = {reach_of(c.inputs[0]), reach_of(c.inputs[1])};
  const Shape out = broadcast_both(c.inputs[0].shape(), c.inputs[1].shape());
  const auto a = offsets(out, c.inputs[0].shape()), b = offsets(out, c.inputs[1].shape());
  c.reference = [=](const std::vector<Numbers>& x) {
    Answer answer{out, {}};
    for (std::size_t i = 0; i < a.size(); ++i) answer.y.push_back(of(x[0].v[a[i]], x[1].v[b[i]]));
    return answer;
  };
  c.ulps = ulps;
  return c;
}

/// x op y in one of its forms: of two Variables, or of one and a number on either side.
void arithmetic(std::vector<Operation>& rows, const std::string& name, char sign, const Function2& f,
                const std::function<Variable(const Variable&, Scalar)>& right,
                const std::function<Variable(Scalar, const Variable&)>& left, const Real2& of) {
  rows.push_back({name, [=](Draw& r) {
                    const std::size_t form = r.below(4);
                    if (form > 1) {
                      r.choose(kAll);
                      const Domain nonzero = sign == '/' ? Domain::Positive : Domain::Any;
                      return binary(r, fmt::format("x0 {} x1", sign), f, of, 0.501, Domain::Any, nonzero);
                    }
                    auto n = static_cast<Scalar>(
                        r.one_of(std::vector<double>{r.number(), 13, 3, 1e-18, 1e18, -1, 1, -0.1, 1e-40}));
                    if (form == 1 && std::abs(n) < 1e-30) n = 1;  // 1e-40/x has too few digits for its own derivative
                    const Claim once{Domain::Any, HUGE_VALL, 0.501};
                    if (form == 0)
                      return unary(
                          r, fmt::format("x0 {} {}", sign, exact(n)), [=](const Variable& x) { return right(x, n); },
                          [=](Real v) { return of(v, real(n)); }, once);
                    return unary(
                        r, fmt::format("{} {} x0", exact(n), sign), [=](const Variable& x) { return left(n, x); },
                        [=](Real v) { return of(real(n), v); }, once);
                  }});
}

void arithmetics(std::vector<Operation>& rows) {
  arithmetic(
      rows, "add", '+', [](const Variable& a, const Variable& b) { return add(a, b); },
      [](const Variable& a, Scalar b) { return add(a, b); }, [](Scalar a, const Variable& b) { return a + b; },
      [](Real a, Real b) { return a + b; });
  arithmetic(
      rows, "subtract", '-', [](const Variable& a, const Variable& b) { return subtract(a, b); },
      [](const Variable& a, Scalar b) { return subtract(a, b); },
      [](Scalar a, const Variable& b) { return subtract(a, b); }, [](Real a, Real b) { return a - b; });
  arithmetic(
      rows, "multiply", '*', [](const Variable& a, const Variable& b) { return multiply(a, b); },
      [](const Variable& a, Scalar b) { return multiply(a, b); }, [](Scalar a, const Variable& b) { return a * b; },
      [](Real a, Real b) { return a * b; });
  arithmetic(
      rows, "divide", '/', [](const Variable& a, const Variable& b) { return divide(a, b); },
      [](const Variable& a, Scalar b) { return divide(a, b); },
      [](Scalar a, const Variable& b) { return divide(a, b); }, [](Real a, Real b) { return a / b; });
}

void powers(std::vector<Operation>& rows) {
  rows.push_back(
      {"pow", [](Draw& r) {
         const Real2 of = [](Real a, Real b) { return std::pow(a, b); };
         if (r.chance(0.5)) {
           r.choose({Kind::Integers});
           return binary(
               r, "x0 ** x1", [](const Variable& a, const Variable& b) { return pow(a, b); }, of, 4, Domain::Positive);
         }
         const auto p =
             static_cast<Scalar>(r.one_of(std::vector<double>{0, 1, 2, 3, 4, -1, -2, 0.5, -0.5, 1.5, 2.5, r.number()}));
         const bool whole = p == std::floor(p);
         return unary(
             r, fmt::format("x0 ** {}", exact(p)), [=](const Variable& x) { return pow(x, p); },
             [=](Real v) { return of(v, real(p)); }, {whole ? Domain::Any : Domain::Positive, HUGE_VALL, 4, 512});
       }});
}

void choices(std::vector<Operation>& rows) {
  const auto add_binary = [&](const std::string& name, Variable (*f)(const Variable&, const Variable&), const Real2& of,
                              double ulps, bool broadcasts) {
    rows.push_back({name, [=](Draw& r) {
                      r.choose(kAll);
                      return binary(r, name + "(x0, x1)", f, of, ulps, {}, {}, broadcasts);
                    }});
  };
  add_binary(
      "minimum", minimum, [](Real a, Real b) { return std::isnan(a) || a < b ? a : b; }, 0, true);
  add_binary(
      "maximum", maximum, [](Real a, Real b) { return std::isnan(a) || a > b ? a : b; }, 0, true);
  add_binary(
      "add_relu", add_relu, [](Real a, Real b) { return a + b <= 0 ? 0 : a + b; }, 0.501, false);

  const auto add_comparison = [&](const std::string& name, Mask (*f)(const Variable&, const Variable&),
                                  const Real2& of) {
    rows.push_back({name, [=](Draw& r) {
                      r.choose(kAll);
                      Case c = binary(
                          r, name + "(x0, x1)", [f](const Variable& a, const Variable& b) { return numbers(f(a, b)); },
                          of, 0);
                      c.order = 0;
                      return c;
                    }});
  };
  add_comparison("less", less, [](Real a, Real b) { return a < b; });
  add_comparison("less_equal", less_equal, [](Real a, Real b) { return a <= b; });
  add_comparison("greater", greater, [](Real a, Real b) { return a > b; });
  add_comparison("greater_equal", greater_equal, [](Real a, Real b) { return a >= b; });
  add_comparison("equal", equal, [](Real a, Real b) { return a == b; });
  add_comparison("not_equal", not_equal, [](Real a, Real b) { return a != b; });

  rows.push_back({"where", [](Draw& r) {
                    r.choose(kAll);
                    const Shape shape = r.shape(0, 5);
                    Case c;
                    Mask mask{r.broadcast_from(shape), {}};
                    for (std::size_t i = count(mask.shape); i > 0; --i) mask.values.push_back(r.chance(0.5) ? 1 : 0);
                    c.call =
                        fmt::format("where(mask([{}], {}), x0, x1)", fmt::join(mask.values, ", "), text(mask.shape));
                    c.function = [mask](V v) { return where(mask, v[0], v[1]); };
                    c.inputs = {r.values(r.broadcast_from(shape)), r.values(r.broadcast_from(shape))};
                    for (const Tensor& x : c.inputs) c.reach.push_back(reach_of(x));
                    const Shape out =
                        broadcast_both(mask.shape, broadcast_both(c.inputs[0].shape(), c.inputs[1].shape()));
                    std::vector<Place> places;
                    for (std::size_t i = 0; i < count(out); ++i) {
                      const std::size_t k = mask.values[testing::broadcast_offset(i, out, mask.shape)] != 0 ? 0 : 1;
                      places.push_back({k, testing::broadcast_offset(i, out, c.inputs[k].shape())});
                    }
                    c.reference = moved(out, places);
                    c.ulps = 0;
                    return c;
                  }});
}

}  // namespace

std::vector<Operation> elementwise_operations() {
  std::vector<Operation> rows;
  functions(rows);
  functions_with_a_number(rows);
  arithmetics(rows);
  powers(rows);
  choices(rows);
  return rows;
}

}  // namespace xtg::random_cases
