#include "assignment/grader/part5.hpp"
#include "p5_stem.hpp"

int main() {
  return xtg::assignment::grade_part5(
      [](auto&&... arguments) { return std::make_unique<student::ResNet18>(arguments...); });
}
