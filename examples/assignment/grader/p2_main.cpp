#include "assignment/grader/part2.hpp"
#include "p2_bn_backward.hpp"

int main() { return xtg::assignment::grade_part2(student::batch_norm_backward); }
