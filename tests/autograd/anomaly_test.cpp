#include "autograd/anomaly.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

TEST_CASE("anomaly: a value that is not finite names operation, number, scope and element") {
  const DetectAnomaly detect;
  const Variable x(tensor({1, 2, 3, 4, -1, 5}, {2, 3}), true);
  const Scope outer("layer1"), unnamed(""), inner("conv2");
  CHECK(Scope::path() == "layer1.conv2");
  const Variable y = x * x;  // finite: nothing is said
  CHECK(error_of([&] { log(x); }) == fmt::format("ValueError: DetectAnomaly: the value of log (operation {}, in "
                                                 "layer1.conv2) is nan at (1, 1) of shape (2, 3)",
                                                 y.node()->serial + 1));
}

TEST_CASE("anomaly: an operation that is not recorded is named, too, and inputs that were bad before") {
  const DetectAnomaly detect;
  const NoGrad off;
  CHECK(error_of([] { exp(Variable(full({2}, 1e6))); }) ==
        "ValueError: DetectAnomaly: the value of exp (not recorded) is inf at (0) of shape (2)");
  const Scope scope("stem");
  const Variable bad(full({}, std::numeric_limits<Scalar>::infinity())), good(ones({}));
  CHECK(
      error_of([&] { multiply(good, bad); }) ==
      "ValueError: DetectAnomaly: the value of multiply (not recorded, in stem) is inf at () of shape (); its input 1 "
      "was not finite before");
}

TEST_CASE("anomaly: a gradient that is not finite names the operation whose backward gave it") {
  const Variable x(tensor({4, 0, 1}, {3}), true);
  const auto root_in = [&](const char* name) {
    const Scope scope(name);
    return sqrt(x);
  };
  const DetectAnomaly detect;
  const Variable y = root_in("head");
  const std::string expected = fmt::format(
      "ValueError: DetectAnomaly: the gradient of input 0 of sqrt (operation {}, in head) is ", y.node()->serial);
  // 1/(2y) at 0; and 2y·1/(2y) is 0/0, whatever a graph of the gradient is wanted for.
  CHECK(error_of([&] { sum(y).backward(true); }) == expected + "inf at (1) of shape (3)");
  GradOptions options;
  options.create_graph = true;
  CHECK(error_of([&] { grad({sum(y * y)}, {x}, {}, options); }) == expected + "nan at (1) of shape (3)");
  CHECK(!x.has_grad());
}

TEST_CASE("anomaly: a graph recorded without the guard has no module to name") {
  const Variable x(zeros({1}), true);
  const Scope scope("head");
  const Variable y = sqrt(x);
  const DetectAnomaly detect;
  CHECK(error_of([&] { y.backward(); }) ==
        fmt::format(
            "ValueError: DetectAnomaly: the gradient of input 0 of sqrt (operation {}) is inf at (0) of shape (1)",
            y.node()->serial));
}

TEST_CASE("anomaly: the gradient given to backward is looked at") {
  const Variable x(ones({2}), true);
  const DetectAnomaly detect;
  CHECK(error_of([&] { (x * x).backward(full({2}, -std::numeric_limits<Scalar>::infinity())); }) ==
        "ValueError: DetectAnomaly: the gradient given for the output is -inf at (0) of shape (2)");
}

TEST_CASE("anomaly: off by default, and again when the guard is gone") {
  const Variable x(zeros({2}), true);
  { const DetectAnomaly detect; }
  CHECK(error_of([&] { sum(sqrt(x)).backward(); }) == "");
  CHECK(!std::isfinite(x.grad().data()[0]));
}
