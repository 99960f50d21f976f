// Compiled in float: what a large offset does to the variance.
#include <cmath>

#include "assignment/grader/compare.hpp"
#include "assignment/grader/part1.hpp"
#include "assignment/grader/report.hpp"
#include "tensor/create.hpp"
#include "tensor/random.hpp"

namespace xtg::assignment {
namespace {

/// x_hat of numbers about 10,000 with standard deviation 1, computed in double from the same floats.
std::string judge(Forward forward) {
  const std::size_t M = 256, C = 3;
  Generator generator(41);
  Tensor x(Shape{M, C}), want(Shape{M, C});
  for (Scalar& value : x) value = static_cast<Scalar>(10'000 + generator.normal());
  for (std::size_t c = 0; c < C; ++c) {
    double mean = 0, variance = 0;
    for (std::size_t i = c; i < x.size(); i += C) mean += static_cast<double>(x.data()[i]) / M;
    for (std::size_t i = c; i < x.size(); i += C) variance += std::pow(static_cast<double>(x.data()[i]) - mean, 2) / M;
    for (std::size_t i = c; i < x.size(); i += C)
      want.data()[i] = static_cast<Scalar>((static_cast<double>(x.data()[i]) - mean) / std::sqrt(variance + 1e-5));
  }
  Tensor running_mean = zeros({C}), running_var = ones({C});
  const Tensor y = forward(x, ones({C}), zeros({C}), {1e-5, 0.1, true}, running_mean, running_var).y;
  if (y.shape() != want.shape()) return plain_fault("y", y, want);
  if (l2_error(y, want) < 0.02) return "";
  return "[F8] in float, numbers about 10,000 lose their variance (if P1.train is right): a small difference of two "
         "large "
         "numbers has few right digits. Which should come first, the subtraction or the square?";
}

}  // namespace

int grade_part1_offset(Forward forward) {
  Report report("part 1: in float");
  report.check("P1.offset", "y in float of numbers about 10,000", 1, [=] { return judge(forward); });
  return report.finish();
}

}  // namespace xtg::assignment
