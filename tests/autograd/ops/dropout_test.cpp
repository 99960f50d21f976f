#include "autograd/ops/dropout.hpp"

#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tests/autograd/second_order.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

/// The mask that a generator of this state gives.
Tensor expected_mask(const Shape& shape, double p, Generator generator) {
  Tensor mask(shape);
  for (std::size_t i = 0; i < mask.size(); ++i)
    mask.data()[i] = generator.uniform() < p ? Scalar{0} : static_cast<Scalar>(1 / (1 - p));
  return mask;
}

}  // namespace

TEST_CASE("dropout: a share p of the elements is 0, and the mean stays") {
  const std::size_t n = 100000;
  for (const double p : {0.1, 0.5, 0.9}) {
    CAPTURE(p);
    Generator generator(1);
    const Tensor y = dropout(Variable(full({n}, 3)), p, generator).value();
    const Scalar kept = static_cast<Scalar>(1 / (1 - p)) * 3;
    std::size_t dropped = 0, wrong = 0;
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      dropped += y.data()[i] == 0;
      wrong += y.data()[i] != 0 && y.data()[i] != kept;
      total += static_cast<double>(y.data()[i]);
    }
    CHECK(wrong == 0);
    const double count = static_cast<double>(n), deviation = std::sqrt(p * (1 - p) / count);
    CHECK(std::abs(static_cast<double>(dropped) / count - p) < 4 * deviation);
    CHECK(std::abs(total / count - 3) < 4 * deviation * 3 / (1 - p));
  }
}

TEST_CASE("dropout: the mask is drawn in the elements' order, is the gradient, and the same in every mode") {
  const Shape shape = {3, 4, 5};
  const Tensor x0 = normal(shape, 1), dy = normal(shape, 2);
  const Tensor mask = expected_mask(shape, 0.3, Generator(7));
  const Tensor y0 = naive_zip(shape, x0, mask, [](Scalar a, Scalar b) { return a * b; });
  const Tensor dx = naive_zip(shape, dy, mask, [](Scalar a, Scalar b) { return a * b; });
  for (const bool derived : {false, true}) {
    const DerivedGradients mode(derived);
    Generator generator(7);
    Variable x(x0, true);
    const Variable y = dropout(x, 0.3, generator);
    CHECK(identical(y.value(), y0));
    y.backward(dy, true);
    CHECK(identical(x.grad(), dx));
    x.zero_grad();
    y.backward(dy);  // nothing is drawn again
    CHECK(identical(x.grad(), dx));
    const Tensor next = dropout(x, 0.3, generator).value();
    CHECK_FALSE(identical(next, y0));
  }
  const NoGrad off;
  Generator generator(7);
  const Variable y = dropout(Variable(x0, true), 0.3, generator);
  CHECK(identical(y.value(), y0));
  CHECK_FALSE(y.requires_grad());
}

TEST_CASE("dropout: what is drawn afterwards does not depend on p, and p = 0 changes nothing") {
  const Variable x(normal({4, 3}, 1), true);
  Generator reference(5);
  for (std::size_t i = 0; i < x.size(); ++i) reference.next();
  for (const double p : {0.0, 0.2, 0.8}) {
    Generator generator(5);
    const Variable y = dropout(x, p, generator);
    CHECK(generator.state() == reference.state());
    CHECK(identical(y.value(), x.value()) == (p == 0));
  }
}

TEST_CASE("dropout: scalars and empty arrays") {
  Generator generator(3);
  CHECK(dropout(Variable(scalar(2)), 0.5, generator).shape() == Shape{});
  const std::uint64_t state = generator.state();
  CHECK(dropout(Variable(zeros({0, 3})), 0.5, generator).shape() == Shape{0, 3});
  CHECK(generator.state() == state);
}

TEST_CASE("dropout: gradients to second order") {
  const auto f = [](const Variables& v) {
    Generator generator(11);  // the same mask in each evaluation
    return square(dropout(v[0], 0.4, generator));
  };
  CHECK(check_two_orders(f, {normal({3, 5}, 1)}) == "");
}

TEST_CASE("dropout: bad probabilities are refused before anything is drawn") {
  Generator generator(1);
  const std::uint64_t state = generator.state();
  const Variable x(ones({3}));
  CHECK(error_of([&] { dropout(x, 1, generator); }) ==
        "ValueError: dropout: expected a probability within [0, 1), got 1");
  CHECK(error_of([&] { dropout(x, -0.25, generator); }) ==
        "ValueError: dropout: expected a probability within [0, 1), got -0.25");
  CHECK(starts_with(error_of([&] { dropout(x, std::nan(""), generator); }), "ValueError: dropout: "));
  CHECK(generator.state() == state);
}
