// Every row of the table of proofs; that the table and its reference belong together; and that the proof can fail.

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "autograd/grad_mode.hpp"
#include "autograd/operation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/elementwise.hpp"
#include "tests/proofs/table.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::proofs;
using xtg::testing::contains;

namespace {

const Reference& reference() {
  static const Reference file("table.safetensors");
  return file;
}

void prove_all(const std::vector<Proof>& rows) {
  for (const Proof& proof : rows) {
    const std::string failure = prove(proof, reference()).failure;
    CHECK_MESSAGE(failure == "", proof.label << ": " << failure);
  }
}

std::set<std::string> labels_of_table() {
  std::set<std::string> labels;
  for (const Family& family : table())
    for (const Proof& proof : family.rows) {
      CHECK_MESSAGE(labels.insert(proof.label).second, "two rows are labelled '" << proof.label << "'");
    }
  return labels;
}

/// What is said of a row that is wrong on purpose.
std::string failure_of(const char* label, const Function& function, const std::vector<Input>& inputs, int order = 2) {
  return prove({label, function, inputs, order}, reference()).failure;
}

/// y = x³ with an analytic backward dx = factor·x²·dy.
Function cube(Scalar factor) {
  return [factor](V v) {
    const Definition definition = [](V a) { return pow(a[0], 3); };
    return operation("cube", v, definition, [&] {
      return Computed{xtg::pow(v[0].value(), 3), [factor](const Tensor& dy, const Arguments& a) {
                        return AnalyticGradients{xtg::square(a[0]) * factor * dy};
                      }};
    });
  };
}

}  // namespace

TEST_CASE("proofs: elementwise") { prove_all(elementwise_rows()); }
TEST_CASE("proofs: activation") { prove_all(activation_rows()); }
TEST_CASE("proofs: reduce") { prove_all(reduce_rows()); }
TEST_CASE("proofs: shaping") { prove_all(shaping_rows()); }
TEST_CASE("proofs: indexing") { prove_all(indexing_rows()); }
TEST_CASE("proofs: matmul") { prove_all(matmul_rows()); }
TEST_CASE("proofs: conv2d and pooling") { prove_all(conv2d_rows()); }
TEST_CASE("proofs: loss and dropout") { prove_all(loss_rows()); }
TEST_CASE("proofs: norm") { prove_all(norm_rows()); }

TEST_CASE("proofs: labels are unique, and every case of the reference has a row") {
  const std::set<std::string> labels = labels_of_table();
  for (const auto& tensor : reference().contents.tensors) {
    const std::string label = tensor.first.substr(0, tensor.first.rfind('/'));
    CHECK_MESSAGE(labels.count(label) == 1, "no row is labelled '" << label << "'");
  }
}

TEST_CASE("proofs: a wrong factor in an analytic backward is found, by every comparison of gradients") {
  const char* label = "pow to 3";
  CHECK(failure_of(label, cube(3), {{{3, 4}}}) == "");
  const std::string failure = failure_of(label, cube(2), {{{3, 4}}});
  CHECK(testing::starts_with(failure, "f:\ninput 0"));
  CHECK(contains(failure, "the analytic backward is the odd one out"));
  CHECK(contains(failure, "a gradient differs from PyTorch's by 3.3e-01"));
  CHECK(!contains(failure, "the value differs"));
}

TEST_CASE("proofs: a wrong forward whose gradients agree with it is found, by PyTorch alone") {
  const Function shifted = [](V v) { return exp(v[0]) + Scalar{1}; };
  const std::string failure = failure_of("exp", shifted, {{{3, 4}}});
  CHECK(testing::starts_with(failure, "the value differs from PyTorch's by "));
  CHECK(std::count(failure.begin(), failure.end(), '\n') == 1);
  const Function scaled = [](V v) { return exp(v[0]) * Scalar{1.25}; };
  CHECK(failure_of("exp", scaled, {{{3, 4}}}) ==
        "the value differs from PyTorch's by 2.5e-01\na gradient differs from PyTorch's by 2.5e-01\n");
}

TEST_CASE("proofs: a gradient that is right once and wrong the second time is found") {
  const Function constant_inside = [](V v) {
    return record("square", xtg::square(v[0].value()), {v[0]}, [x = v[0].detach()](const Variable& dy, const Context&) {
      return Variables{dy * (Scalar{2} * x)};  // x should be the Variable: 2·x does not change with x here
    });
  };
  const std::string failure = failure_of("square", constant_inside, {{{3, 4}}});
  CHECK(testing::starts_with(failure, "f + f^2:\n"));
  CHECK(!contains(failure, "PyTorch"));
}

TEST_CASE("proofs: an operation that goes wrong only for one Variable in two places is found") {
  const Function careless = [](V v) {
    if (v[0].node() && v[0].node().get() == v[1].node().get()) return v[0] * v[1].detach();
    return v[0] * v[1];
  };
  const std::string failure = failure_of("multiply same shape", careless, {{{3, 4}}, {{3, 4}}}, 1);
  CHECK(testing::starts_with(failure, "one Variable in several places: f:\n"));
  CHECK(!contains(failure, "PyTorch"));
}

TEST_CASE("proofs: a definition that differs from the fused form at a kink is found") {
  const Function relu = [](V v) {
    const bool derived = DerivedGradients::current();
    return where(derived ? less(v[0], Variable(zeros({}))) : less_equal(v[0], Variable(zeros({}))), Variable(zeros({})),
                 v[0]);
  };
  const std::string failure = prove({"relu at 0", relu, {{{5}}}, 1, kKink}, reference()).failure;
  CHECK(testing::starts_with(failure, "a gradient differs from PyTorch's by "));
}

TEST_CASE("proofs: what shows nothing, or has nothing to be compared with, is refused") {
  const Function tiny = [](V v) { return v[0] * Scalar{1e-6}; };
  CHECK(contains(failure_of("multiply by a number", tiny, {{{3, 4}}}), "f, a gradient too small to show anything:\n"));
  const Function unused = [](V v) { return exp(v[0]) + sum(v[1]) * Scalar{0}; };
  CHECK(contains(failure_of("exp", unused, {{{3, 4}}, {{2}}}), "f, a gradient too small to show anything:\n"));
  const Function recorded = [](V v) { return v[0] - v[1]; };
  CHECK(contains(failure_of("less", recorded, {{{3, 4}}, {{2, 1, 4}}}, 0), "a gradient is recorded where there is"));
  CHECK(contains(failure_of("exp unheard of", of(exp), {{{3, 4}}}), "no tensor 'exp unheard of/x0'"));
  CHECK(contains(failure_of("exp", of(exp), {{{4, 3}}}), "x0 has shape (3, 4) in "));
  CHECK(contains(failure_of("add same shape", of(exp), {{{3, 4}}}), "has more inputs than the table"));
}
