// Random cases of every operation against loops over long doubles (case.hpp). A short part runs with all tests:
//
//   tools/test -k 'random operations'                               the same 5,000 cases, in double and in float
//   XTGRAD_RANDOM_CASES=100000 tools/test -k 'random operations'    as many, which takes minutes
//   XTGRAD_RANDOM_SEED=4711 …                                       from this seed on; each seed is one case
//   XTGRAD_RANDOM_OPERATION=conv2d …                                of this operation alone
//   XTGRAD_RANDOM_WRITE=FILE …                                      and writes them for reference/compare_random.py
//
// A failure says which seed it was; with that and XTGRAD_RANDOM_CASES=1 it comes back alone.

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

#include "autograd/operation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/parallel.hpp"
#include "tests/proofs/table.hpp"
#include "tests/random/case.hpp"

using namespace xtg;
using namespace xtg::random_cases;
using xtg::testing::kSanitized;

namespace {

std::uint64_t setting(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::stoull(text);
}

}  // namespace

TEST_CASE("random operations: value, gradients and second derivatives agree with loops over long doubles") {
  const std::uint64_t first = setting("XTGRAD_RANDOM_SEED", 1),
                      cases = setting("XTGRAD_RANDOM_CASES", kSanitized ? 500 : 5000);
  const char* only = std::getenv("XTGRAD_RANDOM_OPERATION");
  const char* write = std::getenv("XTGRAD_RANDOM_WRITE");
  SafeTensors file;
  std::vector<Operation> list;
  for (const Operation& operation : operations())
    if (only == nullptr || operation.name == only) list.push_back(operation);
  REQUIRE(!list.empty());
  const int threads = num_threads();
  Tally tally;
  int failures = 0;
  for (std::uint64_t seed = first; seed < first + cases && failures < 20; ++seed) {
    CAPTURE(seed);
    Draw draw(seed);
    const Operation& operation = list[draw.below(list.size())];
    set_num_threads(draw.large ? threads : 1);  // for small arrays they would do nothing but wait
    const Case c = operation.draw(draw);
    const std::string failure = check(c, seed, tally);
    if (write != nullptr) store(c, seed, file);
    if (failure.empty()) continue;
    ++failures;
    FAIL_CHECK(operation.name << ": " << failure);
  }
  set_num_threads(threads);
  if (write != nullptr) save_safetensors(write, file);
  if (cases >= 1000 && only == nullptr) {  // what is left out as a kink is little
    CHECK(tally.kinks < tally.gradients / 20);
    CHECK(tally.second > cases / 2);
  }
  MESSAGE(tally.cases << " cases; " << tally.values << " values, " << tally.gradients << " slopes (" << tally.kinks
                      << " at kinks left out) and " << tally.second << " second derivatives compared");
}

#ifdef XTGRAD_DOUBLE  // the program that has the table of proofs, which a script holds against the headers
TEST_CASE("random operations: every operation of the table of proofs has cases") {
  std::set<std::string> drawn;
  for (const Operation& operation : operations()) drawn.insert(operation.name);
  for (const proofs::Family& family : proofs::table())
    for (const proofs::Proof& proof : family.rows)
      CHECK_MESSAGE(drawn.count(proof.operation()) == 1, proof.operation() << " is never drawn");
}
#endif

namespace {

/// What is said of y = x³ on (3, 4) numbers, computed by `function`.
std::string failure_of(const Function& function, int order = 2) {
  Case c;
  c.call = "x0 ** 3";
  c.function = function;
  c.inputs = {testing::normal({3, 4}, 1)};
  c.reach = {reach_of(c.inputs[0])};
  c.reference = [](const std::vector<Numbers>& x) {
    Answer answer{x[0].shape, {}};
    for (const Real v : x[0].v) answer.y.push_back(v * v * v);
    return answer;
  };
  c.order = order;
  Tally tally;
  const std::string failure = check(c, 1, tally);
  CHECK(tally.cases == 1);
  if (failure.empty()) CHECK(tally.gradients == (order > 0 ? 12 : 0));
  if (failure.empty()) CHECK(tally.second == (order > 1 ? 1 : 0));
  return failure;
}

/// x³ of two forms, with dx = factor·x²·dy by hand.
Function cube(Scalar factor) {
  return [factor](V v) {
    return operation(
        "cube", v, [](V a) { return pow(a[0], 3); },
        [&] {
          return Computed{xtg::pow(v[0].value(), 3), [factor](const Tensor& dy, const Arguments& a) {
                            return AnalyticGradients{xtg::square(a[0]) * factor * dy};
                          }};
        });
  };
}

/// x³ as a primitive, with another gradient.
Function primitive(const std::function<Variable(const Variable& dy, const Variable& x)>& backward) {
  return [backward](V v) {
    return record("cube", xtg::pow(v[0].value(), 3), {v[0]},
                  [backward, x = v[0]](const Variable& dy, const Context&) { return Variables{backward(dy, x)}; });
  };
}

}  // namespace

TEST_CASE("random operations: the comparison finds what is wrong on purpose, by its name") {
  using testing::contains;
  CHECK(failure_of(cube(3)) == "");
  CHECK(failure_of([](V v) { return pow(v[0], 3); }) == "");

  // A value: by one part in 100,000, in one form, at one place, of another shape.
  CHECK(contains(failure_of([](V v) { return pow(v[0], 3) * Scalar(1.00001); }), "fused: y[0] is"));
  CHECK(contains(failure_of([](V v) { return pow(v[0], 3) * Scalar(DerivedGradients::current() ? 1.00001 : 1); }),
                 "12 wrong\n  derived: y[0] is"));
  CHECK(contains(failure_of(
                     [](V v) {
                       Tensor y = xtg::pow(v[0].value(), 3);
                       y.data()[11] = std::nextafter(y.data()[11] * Scalar(1.0001), Scalar(0));
                       return Variable(y);
                     },
                     0),
                 "3 wrong\n  fused: y[11] is"));
  CHECK(contains(failure_of([](V v) {
                   return reshape(pow(v[0], 3), {4, 3});
                 }),
                 "fused: shape (4, 3), expected (3, 4)"));
  CHECK(contains(failure_of([](V v) { return recording() ? pow(v[0], 3) : v[0] * v[0] * v[0] * Scalar(1.5); }),
                 "another value unrecorded"));

  // A gradient: its factor, one element of it, missing altogether, thrown.
  const std::string factor = failure_of(cube(Scalar(3.0001)));
  CHECK(contains(factor, "fused: d0 at 0 is"));
  CHECK(contains(factor, "by hand: d0 at 0 is"));
  CHECK(!contains(factor, "derived: d0"));
  CHECK(contains(failure_of(primitive([](const Variable& dy, const Variable& x) {
                   Tensor last = ones(x.shape());
                   last.data()[11] = 0;
                   return dy * Scalar(3) * square(x) * Variable(last);
                 })),
                 "fused: d0 at 11 is 0, expected"));
  CHECK(contains(failure_of([](V v) { return pow(v[0].detach(), 3); }), "fused: d0 at 0 is 0, expected"));
  CHECK(contains(failure_of([](V) -> Variable { throw ValueError("cube: no"); }), "1 wrong\n  cube: no"));

  // A second derivative: the gradient is right, but a constant.
  CHECK(contains(
      failure_of(primitive([](const Variable& dy, const Variable& x) { return dy * Scalar(3) * square(x).detach(); })),
      "3 wrong\n  fused: second derivative is"));
}

TEST_CASE("random operations: a quotient that is rounded twice is found, and a sum along another axis") {
  Case c;
  c.call = "x0 / 13";
  c.inputs = {arange(200)};
  c.reach = {reach_of(c.inputs[0])};
  c.reference = [](const std::vector<Numbers>& x) {
    Answer answer{x[0].shape, {}};
    for (const Real v : x[0].v) answer.y.push_back(v / 13);
    return answer;
  };
  c.ulps = 0.501;
  Tally tally;
  c.function = [](V v) { return v[0] / Scalar(13); };
  CHECK(check(c, 1, tally) == "");
  c.function = [](V v) { return v[0] * (Scalar(1) / Scalar(13)); };
  CHECK(testing::contains(check(c, 1, tally), "fused: y["));

  c.inputs = {testing::normal({3, 3}, 2)};
  c.reach = {reach_of(c.inputs[0])};
  c.ulps = 4;
  c.reference = added({3}, {0, 1, 2, 0, 1, 2, 0, 1, 2});
  c.function = [](V v) { return sum(v[0], {0}); };
  CHECK(check(c, 1, tally) == "");
  c.function = [](V v) { return sum(v[0], {1}); };
  CHECK(testing::contains(check(c, 1, tally), "9 wrong\n  fused: y[0] is"));
}

TEST_CASE("random operations: a seed is always the same case, and there are cases of every kind") {
  std::set<Kind> kinds;
  std::size_t large = 0, empty = 0, ranks = 0;
  const std::vector<Operation> list = operations();
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Draw a(seed), b(seed);
    const Operation& operation = list[a.below(list.size())];
    b.below(list.size());
    const Case first = operation.draw(a), second = operation.draw(b);
    CHECK(first.call == second.call);
    CHECK(first.inputs.size() == second.inputs.size());
    for (std::size_t k = 0; k < first.inputs.size(); ++k) {
      CHECK(testing::identical(first.inputs[k], second.inputs[k]));
      if (first.inputs[k].size() == 0) ++empty;
      ranks |= std::size_t{1} << first.inputs[k].dimension();
    }
    kinds.insert(a.kind);
    if (a.large) ++large;
  }
  CHECK(kinds.size() == 7);
  CHECK(large > 3);
  CHECK(empty > 3);
  CHECK(ranks == 0b111111);
}
