// Checks exercise 03. Compiled by tools/assignment with the student's folder in front of the include path.
#include <string>

#include "assignment/grader/report.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/random.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"
#include "tensor/shaping.hpp"

namespace {
const auto reference = &xtg::sum_to;
}

// The library's answer, under lock and key.
#define sum_to sum_to_is_what_you_are_to_write_yourself
#include "exercise_03.hpp"
#undef sum_to

namespace {

using namespace xtg;

bool same(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a.data()[i] - b.data()[i]) <= 1e-12 * (1 + std::abs(b.data()[i])))) return false;
  return true;
}

/// `shape` with as many axes as `dy`, the new ones of size 1 in front, or behind.
Shape padded(const Shape& shape, std::size_t axes, bool in_front) {
  Shape result(axes, 1);
  std::copy(shape.begin(), shape.end(),
            in_front ? result.end() - static_cast<std::ptrdiff_t>(shape.size()) : result.begin());
  return result;
}

bool fits(const Shape& small, const Shape& large) {
  for (std::size_t i = 0; i < small.size(); ++i)
    if (small[i] != 1 && small[i] != large[i]) return false;
  return true;
}

/// What the student returns. Sums that were taken along wrong axes often end in a reshape that cannot be done: then
/// `why`.
Tensor answer(const Tensor& dy, const Shape& shape, std::string& why) {
  try {
    return student::unbroadcast(dy, shape);
  } catch (const ShapeError& error) {
    why = std::string(error.what()) + ". ";
    why += dy.shape() == shape ? "b was not repeated; note that an empty list of axes means all axes"
                               : "Write shape below dy's, aligned at the last axis (rule 1): where was b repeated?";
  }
  return dy;
}

std::string judge(const Shape& large, const Shape& shape) {
  Generator random(33);
  const Tensor dy = random_normal(large, random), before = dy;
  std::string why;
  const Tensor right = reference(dy, shape), result = answer(dy, shape, why);
  if (!why.empty()) return why;
  if (dy != before) return "dy was changed; it belongs to the caller";
  if (same(result, right)) return "";
  const std::string shapes = "dy " + to_string(large) + ", shape " + to_string(shape) + ": ";
  const std::size_t repeated = dy.size() / right.size();
  if (result.size() == right.size() && result.shape() != shape)
    return shapes + "the result has shape " + to_string(result.shape()) +
           "; an axis of size 1 has to stay, and one that b does not have has to go";
  if (result.shape() == large && same(result, dy))
    return shapes + "dy came back as it was; b was repeated, and a repeated number collects a sum";
  if (result.shape() != shape)
    return shapes + "the result has shape " + to_string(result.shape()) +
           "; sum over the axes that b does not have, and over those where it has size 1";
  if (same(result * static_cast<Scalar>(repeated), right))
    return shapes + "this is the mean; b's gradient is the sum, since every place that used b counts in full";
  const Shape behind = padded(shape, large.size(), false);
  if (fits(behind, large) && same(result, reshape(reference(dy, behind), shape)))
    return shapes + "the shapes were aligned at the first axis; broadcasting aligns them at the last";
  if (right.size() == 1 ? result.data()[0] == dy.data()[0] : result.data()[0] == dy.data()[0] && repeated > 1)
    return shapes + "this is one of the repetitions; b's gradient is the sum over all of them";
  return shapes + "the shape is right, the numbers are not: which axes were repeated?";
}

}  // namespace

int main() {
  xtg::assignment::Report report("exercise 03: unbroadcast");
  report.check("E3.same", "the shapes are equal: dy itself", 1, [] { return judge({3, 4}, {3, 4}); });
  report.check("E3.missing", "an axis that b does not have: (3, 4) to (4)", 1, [] { return judge({3, 4}, {4}); });
  report.check("E3.one", "an axis where b has size 1: (3, 4) to (3, 1), and to (1, 4)", 1, [] {
    const std::string first = judge({3, 4}, {3, 1});
    return first.empty() ? judge({3, 4}, {1, 4}) : first;
  });
  report.check("E3.both", "both: (2, 3, 4) to (3, 1)", 1, [] { return judge({2, 3, 4}, {3, 1}); });
  report.check("E3.square", "equal sizes do not tell which axis it was: (3, 3) to (3)", 1, [] {
    return judge({3, 3}, {3});
  });
  report.check("E3.scalar", "a single number: (2, 3, 4) to ()", 1, [] { return judge({2, 3, 4}, {}); });
  report.check("E3.many", "(2, 1, 3, 4, 5) to (1, 3, 1, 5)", 1, [] { return judge({2, 1, 3, 4, 5}, {1, 3, 1, 5}); });
  return report.finish();
}
