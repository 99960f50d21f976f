// The three forms of every norm, with each epilogue and in evaluation, on the shapes that hurt the kernel.

#include <doctest/doctest.h>

#include "tensor/parallel.hpp"
#include "tensor/shaping.hpp"
#include "tests/nn/norm/epilogues.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

struct Threads {
  explicit Threads(int n) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  const int before = num_threads();
};

enum class After { Nothing, Relu, AddRelu };
constexpr After kAfter[] = {After::Nothing, After::Relu, After::AddRelu};

/// y, dx, dgamma, dbeta and, with a residual, its gradient.
std::vector<Tensor> run_form(const Case& c, const Example& e, After after, GradientForm form) {
  const GradientMode mode(form);
  Variables leaves = {Variable(e.x, true), Variable(e.gamma, true), Variable(e.beta, true)};
  if (after == After::AddRelu) leaves.emplace_back(normal(e.x.shape(), 31), true);
  const Epilogue epilogue{after != After::Nothing, after == After::AddRelu ? leaves[3] : Variable()};
  const Variable y = c.with_epilogue(leaves[0], leaves[1], leaves[2], epilogue);
  y.backward(e.dy);
  std::vector<Tensor> found = {y.value()};
  for (const Variable& leaf : leaves) found.push_back(leaf.grad());
  return found;
}

void check_close(const std::vector<Tensor>& found, const std::vector<Tensor>& expected, double tolerance) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(max_error(found[i], expected[i]) < tolerance);
  }
}

/// One row, one channel, 17 channels, one sample, one group, as many groups as channels, rows that do not divide into
/// rows of 64, and samples that are cut into pieces.
std::vector<Case> hard_cases() {
  std::vector<Case> all = epilogue_cases();
  for (const Case& c :
       {batch({2, 17}, 0.5), batch({33, 1}), batch({9, 7, 5, 17}), layer({2, 17}, 1), layer({3, 5, 7, 17}, 3, 1e-5, 1),
        layer({1, 130}, 1), layer({5, 1, 1, 4}, 3), layer({3, 70000}, 1), layer({2, 70, 70, 16}, 3, 1e-5, 1),
        instance({1, 9, 7, 17}), instance({2, 3, 1}), instance({2, 67, 33, 32}), group({1, 9, 7, 17}, 1),
        group({3, 5, 5, 34}, 17), group({3, 5, 5, 34}, 34), group({2, 70, 70, 16}, 4), group({4, 12}, 3),
        evaluation({1, 17}), evaluation({90, 30, 33})})
    all.push_back(c);
  return all;
}

}  // namespace

TEST_CASE("norm forms: by hand and the kernel equal the definition, with each epilogue and in evaluation") {
  for (const Case& c : hard_cases())
    for (const After after : kAfter) {
      CAPTURE(c.name);
      CAPTURE(static_cast<int>(after));
      const Example e(c, 29);
      const auto derived = run_form(c, e, after, GradientForm::Derived);
      for (const GradientForm form : {GradientForm::Fused, GradientForm::ByHand}) {
        CAPTURE(form);
        check_close(run_form(c, e, after, form), derived, (kDouble ? 1e-12 : 2e-4));
      }
      for (const Tensor& t : derived) CHECK(largest(t) > 1e-4);
    }
}

TEST_CASE("norm forms: no form depends on the number of threads, to the bit") {
  std::vector<Case> all = large_cases();
  for (const Case& c :
       {layer({3, 70000}, 1), group({2, 70, 70, 16}, 4), instance({2, 67, 33, 32}), layer({300, 96}, 1)})
    all.push_back(c);
  for (const Case& c : all)
    for (const GradientForm form : kForms)
      for (const After after : {After::Nothing, After::AddRelu}) {
        CAPTURE(c.name);
        CAPTURE(form);
        const Example e(c, 29);
        const auto with = [&](int threads) {
          const Threads set(threads);
          return run_form(c, e, after, form);
        };
        const auto one = with(1);
        for (const int threads : {2, 3, 7}) {
          const auto found = with(threads);
          for (std::size_t i = 0; i < one.size(); ++i) CHECK(identical(found[i], one[i]));
        }
      }
}

TEST_CASE("norm forms: an image's result and gradient do not depend on the batch that it is in") {
  for (const Shape& image : {Shape{1, 5, 7, 6}, Shape{1, 16, 16, 16}, Shape{1, 70, 70, 16}}) {  // the last one is cut
    Shape three = image;
    three[0] = 3;
    const std::size_t C = image.back();
    const std::vector<std::pair<Case, Case>> pairs = {{layer(image, 3, 1e-5, 1), layer(three, 3, 1e-5, 1)},
                                                      {layer(image, 1), layer(three, 1)},
                                                      {instance(image), instance(three)},
                                                      {group(image, 2), group(three, 2)},
                                                      {evaluation(image), evaluation(three)}};
    for (const auto& entry : pairs)  // not [alone, among]: clang 14 captures no structured bindings
      for (const GradientForm form : kForms)
        for (const After after : kAfter) {
          if (after == After::AddRelu) continue;  // its residual is drawn by shape
          CAPTURE(entry.first.name);
          CAPTURE(form);
          const Example all(three, {C}, 7);
          for (std::size_t n = 0; n < 3; ++n) {
            Example own = all;
            const Range only{n, static_cast<std::ptrdiff_t>(n + 1), 1};
            const auto part = [&](const Tensor& t) { return slice(t, {only, {}, {}, {}}); };
            own.x = part(all.x);
            own.dy = part(all.dy);
            const auto alone = run_form(entry.first, own, after, form),
                       among = run_form(entry.second, all, after, form);
            CHECK(identical(part(among[0]), alone[0]));
            CHECK(identical(part(among[1]), alone[1]));
          }
        }
  }
}

TEST_CASE("norm forms: an offset of 1e4 harms the kernel no more than the form by hand") {
  for (const Case& c : {batch({64, 8, 8, 16}), layer({16, 8, 8, 16}, 3, 1e-5, 1), instance({16, 8, 8, 16}),
                        group({16, 8, 8, 16}, 4), layer({64, 96}, 1)}) {
    CAPTURE(c.name);
    Example e(c, 33);
    for (Scalar& v : e.x) v += 10000;
    check_close(run_form(c, e, After::Nothing, GradientForm::Fused),
                run_form(c, e, After::Nothing, GradientForm::ByHand), kDouble ? 1e-10 : 5e-3);
  }
}

TEST_CASE("norm forms: 65,536 rows of 512 channels, in float" * doctest::skip(kDouble || kSanitized)) {
  const Shape shape = {65536, 512};
  for (const Case& c : {batch(shape), layer(shape, 1), group(shape, 8)}) {
    CAPTURE(c.name);
    const Example e(c, 35);
    check_close(run_form(c, e, After::Nothing, GradientForm::Fused),
                run_form(c, e, After::Nothing, GradientForm::ByHand), 1e-4);
  }
}
