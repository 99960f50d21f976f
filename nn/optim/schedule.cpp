#include "nn/optim/schedule.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

ScheduleKind parse_schedule(const std::string& name) {
  if (name == "one-cycle") return ScheduleKind::OneCycle;
  if (name == "step") return ScheduleKind::Step;
  if (name == "cosine") return ScheduleKind::Cosine;
  if (name == "constant") return ScheduleKind::Constant;
  throw ValueError(fmt::format("unknown schedule '{}', expected one-cycle, step, cosine or constant", excerpt(name)));
}

double learning_rate(ScheduleKind kind, double peak, std::size_t step, std::size_t total) {
  require_size("learning_rate", "total", total);
  require(step < total, "learning_rate: expected a step below {}, got {}", total, as_written(step));
  require(std::isfinite(peak) && peak >= 0, "learning_rate: the peak must be finite and at least 0, got {}", peak);
  const double s = static_cast<double>(step), all = static_cast<double>(total);
  switch (kind) {
    case ScheduleKind::OneCycle:
      return peak * std::min({(s + 1) / (0.2 * all), (all - s) / (0.8 * all), 1.0});
    case ScheduleKind::Step:
      return peak * (2 * step < total ? 1 : 4 * step < 3 * total ? 0.1 : 0.01);
    case ScheduleKind::Cosine:
      return peak * (1 + std::cos(std::acos(-1.0) * s / all)) / 2;
    case ScheduleKind::Constant:
      break;
  }
  return peak;
}

}  // namespace xtg::nn
