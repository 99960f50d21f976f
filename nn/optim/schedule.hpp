#pragma once

#include <cstddef>
#include <string>

namespace xtg::nn {

enum class ScheduleKind { OneCycle, Step, Cosine, Constant };

/// "one-cycle", "step", "cosine" or "constant"; throws ValueError that lists them otherwise.
ScheduleKind parse_schedule(const std::string& name);

/// The learning rate at step s = 0 … total − 1 of a training with the given peak:
///   one-cycle: peak · min((s + 1)/(0.2·total), (total − s)/(0.8·total), 1): linear up over the first fifth of the
///   steps,
///              linear down to 0 (after Smith & Topin 2017, arXiv:1708.07120)
///   step:      peak, divided by 10 after 1/2 and again after 3/4 of the steps (He et al. 2015, arXiv:1512.03385, 4.2)
///   cosine:    peak · (1 + cos(π·s/total))/2 (Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts)
///   constant:  peak
/// Throws ValueError unless step < total, for a total that is no size, and a peak that is negative or not finite.
double learning_rate(ScheduleKind kind, double peak, std::size_t step, std::size_t total);

}  // namespace xtg::nn
