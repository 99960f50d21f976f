// Each norm alone, forward and backward, through the tape, on the three sizes of a CIFAR ResNet's stages: milliseconds,
// one line a norm and size. Warm: the same array again and again; cold: nine arrays in turn, which no cache holds.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "autograd/grad_mode.hpp"
#include "examples/app/terminal/options.hpp"
#include "examples/app/terminal/program.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/parallel.hpp"
#include "tensor/random.hpp"

using namespace xtg;
using namespace xtg::app;
using namespace xtg::nn;

namespace {

using Layer = std::function<Variable(const Variable&, const Variable&, const Variable&)>;

double milliseconds(const Layer& layer, const Shape& shape, std::size_t arrays, std::size_t repetitions) {
  Generator random(1);
  const std::size_t channels = shape.back();
  std::vector<Variable> x;
  std::vector<Tensor> dy;
  for (std::size_t i = 0; i < arrays; ++i) {
    x.emplace_back(random_normal(shape, random), true);
    dy.push_back(random_normal(shape, random));
  }
  const Variable gamma(random_normal({channels}, random), true), beta(random_normal({channels}, random), true);
  std::vector<double> times;
  for (std::size_t i = 0; i < repetitions + 9; ++i) {
    const Variable& input = x[i % arrays];
    const Variable up(dy[i % arrays]);
    const auto start = std::chrono::steady_clock::now();
    const Variable y = layer(input, gamma, beta);
    grad({y}, {input, gamma, beta}, {up});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (i >= 9) times.push_back(1000 * seconds);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

const char* const help = R"(usage: bench_norm [options]

Times each norm alone, forward and backward.

Options
  --cold            nine arrays in turn
  --threads T       threads inside an operation, default 2
  --repetitions N   of which the median is printed, default 27
  --gradients FORM  fused, by-hand or derived; default fused
)";

struct Settings {
  bool cold = false;
  int threads = 2;
  std::size_t repetitions = 27;
  std::string form = "fused";
};

std::optional<Settings> parse(int argc, char** argv) {
  Settings result;
  Options options;
  options.flag("--cold", result.cold);
  options.whole(
      "--threads", [&](std::int64_t v) { result.threads = static_cast<int>(v); }, 1, 1024);
  options.whole(
      "--repetitions", [&](std::int64_t v) { result.repetitions = static_cast<std::size_t>(v); }, 1, 1'000'000);
  options.text("--gradients", result.form);
  if (options.parse(argc, argv)) return result;
  fmt::print("{}", help);
  return std::nullopt;
}

int time_norms(const Settings& settings) {
  const GradientMode mode(parse_gradient_form(settings.form));
  set_num_threads(settings.threads);
  Tensor mean, var;
  const std::vector<std::pair<const char*, Layer>> layers = {
      {"batch",
       [&](const Variable& x, const Variable& g, const Variable& b) {
         if (mean.size() != g.size()) mean = zeros(g.shape()), var = ones(g.shape());
         return batch_norm(x, g, b, 1e-5, RunningStatistics{mean, var, 0.1});
       }},
      {"layer", [](const Variable& x, const Variable& g, const Variable& b) { return layer_norm(x, g, b, 3, 1e-5); }},
      {"instance",
       [](const Variable& x, const Variable& g, const Variable& b) { return instance_norm(x, g, b, 1e-5); }},
      {"group", [](const Variable& x, const Variable& g, const Variable& b) { return group_norm(x, g, b, 8, 1e-5); }}};
  for (const Shape& shape : {Shape{128, 32, 32, 16}, Shape{128, 16, 16, 32}, Shape{128, 8, 8, 64}})
    for (const auto& [name, layer] : layers)
      fmt::print("{} {}x{} {}: {:.3f} ms\n", name, shape[1], shape[3], settings.cold ? "cold" : "warm",
                 milliseconds(layer, shape, settings.cold ? 9 : 1, settings.repetitions));
  return success;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("bench_norm", [&] {
    const std::optional<Settings> settings = parse(argc, argv);
    return settings ? time_norms(*settings) : success;
  });
}
