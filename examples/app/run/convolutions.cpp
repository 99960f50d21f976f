#include "examples/app/run/convolutions.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "autograd/ops/loss.hpp"
#include "tensor/conv2d.hpp"
#include "tensor/create.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

std::string describe(const Conv2dGeometry& g) {
  return fmt::format("{}x{}, {} -> {}, {}x{}{}", g.h, g.w, g.in, g.out, g.kh, g.kw,
                     g.stride > 1 ? fmt::format(", stride {}", g.stride) : "");
}

double gigaflops(const Conv2dGeometry& g) {
  return 2e-9 * static_cast<double>(g.n * g.oh * g.ow * g.out * g.kh * g.kw * g.in / g.groups);
}

/// The fastest way, if it is faster than the chosen one by a twentieth.
void tune(const Conv2dChoice& choice) {
  const std::vector<std::optional<double>> seconds = time_conv2d(choice);
  const auto chosen = static_cast<std::size_t>(choice.algorithm);
  std::size_t best = chosen;
  for (std::size_t k = 0; k < seconds.size(); ++k) {
    if (!seconds[k]) continue;
    fmt::print("  {} {:.0f} GFLOP/s", to_string(static_cast<Conv2dAlgorithm>(k)),
               gigaflops(choice.geometry) / *seconds[k]);
    if (!seconds[best] || *seconds[k] < *seconds[best]) best = k;
  }
  if (best == chosen || (seconds[chosen] && *seconds[best] > 0.95 * *seconds[chosen])) return;
  set_conv2d_algorithm(choice, static_cast<Conv2dAlgorithm>(best));
  fmt::print("  -> {} for this run", to_string(static_cast<Conv2dAlgorithm>(best)));
}

}  // namespace

std::string show_convolutions(nn::Module& network, std::size_t batch, bool measure) {
  const Variable logits = network(Variable(zeros({batch, 32, 32, 3})));
  cross_entropy(logits, Indices(Shape{batch}, 0)).backward();
  const std::vector<Conv2dChoice> choices = conv2d_choices();
  if (choices.empty())
    fmt::print("convolutions: matrix products (this build or processor has nothing better)\n");
  else
    fmt::print("convolutions of {} images:\n", batch);
  for (const Conv2dChoice& choice : choices) {
    fmt::print("  {:<30} {:<16}{}{:<9} {}", describe(choice.geometry), to_string(choice.pass),
               choice.bfloat16 ? "bf16 " : "", to_string(choice.algorithm), choice.implementation);
    if (measure) tune(choice);
    fmt::print("\n");
    std::fflush(stdout);
  }
  return conv2d_algorithms();
}

}  // namespace xtg::app
