#include "assignment/grader/part3.hpp"
#include "p3_norm_blocks.hpp"

int main() {
  xtg::assignment::Part3 part;
  part.group_norm = student::group_norm;
  part.group_norm_backward = student::group_norm_backward;
  part.choose_norm = student::choose_norm;
  part.bottleneck = [](auto&&... arguments) { return std::make_unique<student::Bottleneck>(arguments...); };
  part.stem = [](auto&&... arguments) { return std::make_unique<student::Stem>(arguments...); };
  return xtg::assignment::grade_part3(part);
}
