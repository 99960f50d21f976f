#include "nn/optim/clip.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autograd/ops/elementwise.hpp"
#include "tests/nn/optim/steps.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

Variable with_grad(const Tensor& gradient) {
  Variable parameter(zeros(gradient.shape()), true);
  set_grad(parameter, gradient);
  return parameter;
}

}  // namespace

TEST_CASE("clip: the norm and the clipped gradients are PyTorch's, above the largest norm and below") {
  const double tolerance = sizeof(Scalar) == 8 ? 1e-12 : 1e-6;
  const Reference reference("optim.safetensors");
  for (const char* name : {"clip_above", "clip_below"}) {
    CAPTURE(name);
    const Reference::Case at = reference[name];
    const Variables parameters{with_grad(at("a")), with_grad(at("b")), with_grad(at("c"))};
    const double max_norm = at.number("max_norm"), norm = at.number("norm");
    REQUIRE((norm > max_norm) == contains(name, "above"));
    CHECK(grad_norm(parameters) == doctest::Approx(norm).epsilon(tolerance));
    CHECK(clip_grad_norm(parameters, max_norm) == doctest::Approx(norm).epsilon(tolerance));
    CHECK(relative_error(parameters[0].grad(), at("a_after")) < tolerance);
    CHECK(relative_error(parameters[1].grad(), at("b_after")) < tolerance);
    CHECK(relative_error(parameters[2].grad(), at("c_after")) < tolerance);
    if (norm < max_norm) CHECK(identical(parameters[0].grad(), at("a")));
    CHECK(grad_norm(parameters) <= std::min(norm, max_norm) * (1 + tolerance));
  }
}

TEST_CASE("clip: the sum is in double, and neither many small squares nor large ones spoil it") {
  const std::size_t n = 1 << 20;
  CHECK(grad_norm({with_grad(full({n}, Scalar(0.1)))}) == doctest::Approx(1024 * 0.1).epsilon(1e-7));
  CHECK(grad_norm({with_grad(full({4}, Scalar(1e30)))}) == doctest::Approx(2e30).epsilon(1e-6));
}

TEST_CASE("clip: norms out of the range in which their squares, or the factor, are numbers") {
  const double huge = static_cast<double>(std::numeric_limits<Scalar>::max()) / 2,
               tiny = static_cast<double>(std::numeric_limits<Scalar>::min()) * 4;
  for (const double size : {huge, huge / 1e7, 1e30, 1e-30, tiny}) {
    CAPTURE(size);
    const Variable a = with_grad(tensor({size / 8 * 3, -size / 2}, {2})), b = with_grad(full({1, 1}, Scalar(0)));
    const auto norm = static_cast<double>(static_cast<Scalar>(size)) * 0.625;
    CHECK(grad_norm({a, b}) / norm == doctest::Approx(1).epsilon(1e-6));
    const Tensor before = a.grad();
    CHECK(clip_grad_norm({b, a}, 2) / norm == doctest::Approx(1).epsilon(1e-6));
    if (norm > 2)
      CHECK(max_error(a.grad(), tensor({1.2, -1.6}, {2})) < kRounding);
    else
      CHECK(identical(a.grad(), before));
  }
}

TEST_CASE("clip: parameters without a gradient count as 0") {
  const Variable without(ones({3}), true), empty_one = with_grad(zeros({0, 2}));
  CHECK(grad_norm({}) == 0);
  CHECK(clip_grad_norm({without, empty_one}, 1) == 0);
  CHECK(!without.has_grad());
  const Variable with = with_grad(tensor({3, 4}, {2}));
  CHECK(clip_grad_norm({without, with, empty_one}, 1) == doctest::Approx(5));
  CHECK(max_error(with.grad(), tensor({0.6, 0.8}, {2})) < 1e-6);
}

TEST_CASE("clip: what is not finite is refused, and no gradient changes") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Variable good = with_grad(tensor({3, 4}, {2}));
  const auto refusal = [&](double bad, double max_norm) {
    return error_of([&] { clip_grad_norm({good, with_grad(full({1}, static_cast<Scalar>(bad)))}, max_norm); });
  };
  CHECK(refusal(infinity, 1) == "ValueError: clip_grad_norm: expected a finite norm of the gradients, got inf");
  CHECK(refusal(-infinity, 1) == "ValueError: clip_grad_norm: expected a finite norm of the gradients, got inf");
  CHECK(
      contains(refusal(std::nan(""), 1), "ValueError: clip_grad_norm: expected a finite norm of the gradients, got "));
  const std::string largest_norm = "ValueError: clip_grad_norm: the largest norm must be finite and above 0, got ";
  CHECK(refusal(1, 0) == largest_norm + "0");
  CHECK(refusal(1, -1) == largest_norm + "-1");
  CHECK(refusal(1, infinity) == largest_norm + "inf");
  CHECK(refusal(1, std::nan("")) == largest_norm + "nan");
  CHECK(identical(good.grad(), tensor({3, 4}, {2})));
}

TEST_CASE("clip: what keeps no gradient, or would count twice, is refused") {
  const Variable p = with_grad(tensor({3, 4}, {2})), q = with_grad(tensor({3, 4}, {2}));
  const auto refusal = [](const Variables& parameters) {
    const std::string error = error_of([&] { grad_norm(parameters); });
    CHECK(error_of([&] { clip_grad_norm(parameters, 1); }) == error);
    return error;
  };
  CHECK(refusal({p, p * p}) ==
        "ValueError: grad_norm: expected leaves, as only they keep a gradient; parameter 1 is the result of multiply");
  CHECK(refusal({p, q, Variable()}) ==
        "ValueError: grad_norm: expected leaves, as only they keep a gradient; parameter 2 is undefined");
  CHECK(refusal({p, q, p}) == "ValueError: grad_norm: parameter 2 comes twice");
  CHECK(identical(p.grad(), tensor({3, 4}, {2})));
  CHECK(identical(q.grad(), tensor({3, 4}, {2})));
}
