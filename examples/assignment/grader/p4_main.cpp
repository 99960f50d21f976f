#include "assignment/grader/part4.hpp"
#include "p4_no_norm.hpp"

// With an argument: measures, and writes the log there.
int main(int argc, char** argv) {
  xtg::assignment::Part4 part;
  part.network = [](auto&&... arguments) { return std::make_unique<student::ComparedNetwork>(arguments...); };
  part.effective_beta = student::effective_beta;
  part.batch_sensitivity = student::batch_sensitivity;
  return argc > 1 ? xtg::assignment::measure_part4(part, argv[1]) : xtg::assignment::grade_part4(part);
}
