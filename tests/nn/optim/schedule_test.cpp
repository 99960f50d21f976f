#include "nn/optim/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/reference/reference.hpp"

using namespace xtg;
using namespace xtg::nn;

namespace {

std::vector<double> rates(ScheduleKind kind, double peak, std::size_t total) {
  std::vector<double> result;
  for (std::size_t step = 0; step < total; ++step) result.push_back(learning_rate(kind, peak, step, total));
  return result;
}

}  // namespace

TEST_CASE("schedule: one-cycle is PyTorch's LambdaLR with the same formula") {
  const Reference reference("optim.safetensors");
  const Tensor& factor = reference("one_cycle/factor");
  const std::vector<double> found = rates(ScheduleKind::OneCycle, 0.4, factor.size());
  for (std::size_t s = 0; s < factor.size(); ++s)
    CHECK(found[s] == doctest::Approx(0.4 * static_cast<double>(factor.data()[s])).epsilon(1e-6));
}

TEST_CASE("schedule: one-cycle climbs for a fifth of the steps, comes down to almost 0, and never passes the peak") {
  const std::vector<double> found = rates(ScheduleKind::OneCycle, 0.4, 5460);
  CHECK(found[0] == doctest::Approx(0.4 / 1092));
  CHECK(found[545] == doctest::Approx(0.2));
  CHECK(found[1091] == 0.4);
  CHECK(found[3276] == doctest::Approx(0.2));
  CHECK(found[5459] == doctest::Approx(0.4 / 4368));
  CHECK(std::is_sorted(found.begin(), found.begin() + 1092));
  CHECK(std::is_sorted(found.rbegin(), found.rend() - 1092));
  for (std::size_t total = 1; total < 60; ++total) {
    for (const double rate : rates(ScheduleKind::OneCycle, 0.4, total)) {
      CHECK(rate > 0);
      CHECK(rate <= 0.4);
    }
  }
}

TEST_CASE("schedule: step divides by ten after one half and after three quarters") {
  const std::vector<double> found = rates(ScheduleKind::Step, 0.1, 8);
  for (std::size_t s = 0; s < 8; ++s) CHECK(found[s] == doctest::Approx(s < 4 ? 0.1 : s < 6 ? 0.01 : 0.001));
}

TEST_CASE("schedule: cosine and constant") {
  const std::vector<double> cosine = rates(ScheduleKind::Cosine, 0.3, 12),
                            constant = rates(ScheduleKind::Constant, 0.3, 12);
  CHECK(cosine[0] == doctest::Approx(0.3));
  CHECK(cosine[4] == doctest::Approx(0.3 * 0.75));  // cos(π/3) = 1/2
  CHECK(cosine[6] == doctest::Approx(0.15));
  CHECK(cosine[8] == doctest::Approx(0.3 * 0.25));
  for (const double rate : constant) CHECK(rate == 0.3);
}

TEST_CASE("schedule: names, and steps past the end") {
  CHECK(parse_schedule("one-cycle") == ScheduleKind::OneCycle);
  CHECK(parse_schedule("step") == ScheduleKind::Step);
  CHECK(parse_schedule("cosine") == ScheduleKind::Cosine);
  CHECK(parse_schedule("constant") == ScheduleKind::Constant);
  CHECK_THROWS_WITH_AS(parse_schedule("warm"), "unknown schedule 'warm', expected one-cycle, step, cosine or constant",
                       ValueError);
  CHECK_THROWS_WITH_AS(learning_rate(ScheduleKind::Cosine, 0.1, 6, 5), "learning_rate: expected a step below 5, got 6",
                       ValueError);
  CHECK_THROWS_WITH_AS(learning_rate(ScheduleKind::Constant, 0.1, 0, 0),
                       "learning_rate: expected a step below 0, got 0", ValueError);
}
