// Checks exercise 00. Compiled by tools/assignment with the student's folder in front of the include path.
#include "exercise_00.hpp"

#include "assignment/grader/report.hpp"
#include "tensor/create.hpp"

int main() {
  using xtg::tensor;
  xtg::assignment::Report report("exercise 00: a mean");
  report.check("E0.value", "the mean of 1, 2, 6 is 3", 1, [] {
    const double mean = student::mean_of(tensor({1, 2, 6}, {3}));
    if (mean == 9) return "this is the sum: divide by the number of elements";
    return mean == 3 ? "" : "add up the elements, then divide by their number";
  });
  report.check("E0.one", "one element is its own mean", 1,
               [] { return student::mean_of(tensor({4}, {1})) == 4 ? "" : "is the number of elements a constant?"; });
  return report.finish();
}
