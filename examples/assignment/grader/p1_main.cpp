#include "assignment/grader/part1.hpp"
#include "p1_bn_forward.hpp"

// Compiled twice: in double for all checks but one, in float for that one. With an argument the first writes the cache
// of the student's forward there, for part 2.
int main(int argc, char** argv) {
#ifdef XTGRAD_DOUBLE
  if (argc > 1) return xtg::assignment::save_own_cache(student::batch_norm_forward, argv[1]);
  return xtg::assignment::grade_part1(student::batch_norm_forward);
#else
  (void)argc, (void)argv;
  return xtg::assignment::grade_part1_offset(student::batch_norm_forward);
#endif
}
