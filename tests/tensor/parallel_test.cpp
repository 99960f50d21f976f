#include "tensor/parallel.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tensor/elementwise.hpp"
#include "tensor/kernels/parallel_for.hpp"
#include "tensor/linalg.hpp"
#include "tensor/reduce.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

struct Threads {
  explicit Threads(int n) : before(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before;
};

}  // namespace

TEST_CASE("parallel: the number of threads is what was set, and at least one") {
  CHECK(num_threads() >= 1);
#ifdef _OPENMP
  {
    const Threads threads(3);
    CHECK(num_threads() == 3);
  }
#endif
  CHECK(error_of([] { set_num_threads(0); }) == "ValueError: set_num_threads: expected at least 1, got 0");
  CHECK(error_of([] { set_num_threads(-2); }) == "ValueError: set_num_threads: expected at least 1, got -2");
  CHECK(error_of([] { set_num_threads(2147483647); }) ==
        "ValueError: set_num_threads: expected at most 4096, got 2147483647");
}

TEST_CASE("parallel: the number is the calling thread's; a child of fork() computes on one") {
  const Threads threads(3);
  std::thread([] { set_num_threads(2); }).join();
#ifdef _OPENMP
  CHECK(num_threads() == 3);
#endif
  const Tensor a = normal({200, 1000}, 1), b = normal({1000, 30}, 2);
  const Tensor product = xtg::matmul(a, b), total = xtg::sum(a, Axes{0});
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // so that a child that waits for ever ends
    set_num_threads(1);
    _exit(max_error(xtg::matmul(a, b), product) < 1e-12 && identical(xtg::sum(a, Axes{0}), total) ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("parallel: every item is visited once, in ranges that do not depend on the threads") {
  const Threads threads(4);
  for (const std::size_t n : {0, 1, 7, 8, 9, 1000}) {
    std::vector<int> visits(n, 0);
    kernels::parallel_for(n, [&](std::size_t i) { ++visits[i]; });
    std::vector<int> in_ranges(n, 0);
    std::atomic<bool> aligned{true};
    kernels::parallel_ranges(n, 8, [&](std::size_t begin, std::size_t end) {
      if (begin % 8 != 0 || end - begin > 8 || begin >= end) aligned = false;
      for (std::size_t i = begin; i < end; ++i) ++in_ranges[i];
    });
    CHECK(visits == std::vector<int>(n, 1));
    CHECK(in_ranges == std::vector<int>(n, 1));
    CHECK(aligned);
  }
}

TEST_CASE("parallel: results are bitwise the same in every repetition") {
  const Threads threads(4);
  const Tensor a = normal({300, 211}, 1), b = normal({211, 157}, 2), c = normal({100003}, 3), d = normal({7001, 17}, 4);
  const Tensor product = xtg::matmul(a, b), total = xtg::sum(c), squared = xtg::square(c),
               columns = xtg::sum(d, Axes{0});
  for (int repetition = 0; repetition < 20; ++repetition) {
    CHECK(identical(xtg::matmul(a, b), product));
    CHECK(identical(xtg::sum(c), total));
    CHECK(identical(xtg::square(c), squared));
    CHECK(identical(xtg::sum(d, Axes{0}), columns));
  }
}
