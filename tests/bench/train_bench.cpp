// A training step, or an evaluation, of a network on random images: the median rate, the largest resident memory, and
// page faults a step, one line. tools/bench runs it for each norm, and in turn with tests/bench/peer.py.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "examples/app/terminal/options.hpp"
#include "examples/app/terminal/program.hpp"
#include "nn/models/model.hpp"
#include "nn/optim/sgd.hpp"
#include "tensor/create.hpp"
#include "tensor/parallel.hpp"
#include "tensor/precision.hpp"

using namespace xtg;
using namespace xtg::app;
using namespace xtg::nn;

namespace {

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1000;  // Linux counts in kilobytes
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const char* const help = R"(usage: bench_train [options]

Times a training step on random images: forward, backward and SGD.

Options
  --arch NAME       the network, default resnet20
  --norm NAME       batch, layer, instance, group or none; default batch
  --batch B         images a step, default 128
  --steps N         steps that count, default 10
  --warm-up N       steps before them, default 4
  --threads T       threads inside an operation, default 2
  --precision NAME  fp32 or bf16; default fp32
  --has-bf16        say whether bf16 is available, and end
  --exact           no Winograd (set_exact_convolutions)
  --eval            forward only, in evaluation mode, off the tape
  --gradients FORM  fused, by-hand or derived; default fused
)";

struct Settings {
  ModelOptions model;
  std::string norm = "batch";
  std::size_t batch = 128, steps = 10, warm_up = 4;
  int threads = 2;
  bool evaluation = false, exact = false, has_bf16 = false;
  std::string precision = "fp32", form = "fused";
};

std::optional<Settings> parse(int argc, char** argv) {
  Settings result;
  Options options;
  const auto into = [](std::size_t& member) {
    return [&member](std::int64_t value) { member = static_cast<std::size_t>(value); };
  };
  options.text("--arch", result.model.name);
  options.text("--norm", result.norm);
  options.whole("--batch", into(result.batch), 1, 1'000'000);
  options.whole("--steps", into(result.steps), 1, 1'000'000);
  options.whole("--warm-up", into(result.warm_up), 0, 1'000'000);
  options.whole(
      "--threads", [&](std::int64_t v) { result.threads = static_cast<int>(v); }, 1, 1024);
  options.text("--precision", result.precision);
  options.flag("--has-bf16", result.has_bf16);
  options.flag("--exact", result.exact);
  options.flag("--eval", result.evaluation);
  options.text("--gradients", result.form);
  if (!options.parse(argc, argv)) {
    fmt::print("{}", help);
    return std::nullopt;
  }
  require(result.precision == "fp32" || result.precision == "bf16", "unknown precision '{}', expected fp32 or bf16",
          result.precision);
  return result;
}

int time_steps(const Settings& a) {
  if (a.has_bf16) {
    fmt::print("bf16 is {}available\n", bfloat16_available() ? "" : "not ");
    return success;
  }

  const GradientMode mode(parse_gradient_form(a.form));

  set_num_threads(a.threads);
  set_matmul_precision(a.precision == "bf16" ? Precision::BFloat16 : Precision::Full);
  set_exact_convolutions(a.exact);
  ModelOptions model = a.model;
  model.norm = parse_norm(a.norm);
  Generator random(1);
  const auto network = make_model(model, random);
  Sgd sgd(network->named_parameters(), {0.9, 1e-4, false});
  const Tensor images = random_normal({a.batch, 32, 32, 3}, random);
  Indices labels({a.batch});
  for (std::size_t i = 0; i < a.batch; ++i) labels.data()[i] = static_cast<std::int64_t>(random.below(10));
  network->train(!a.evaluation);

  const auto step = [&] {
    const NoGrad off(a.evaluation);
    const Variable logits = (*network)(Variable(images));
    if (a.evaluation) return;
    const Variable loss = cross_entropy(logits, labels);
    sgd.zero_grad();
    loss.backward();
    sgd.step(0.01);
  };
  for (std::size_t i = 0; i < a.warm_up; ++i) step();
  const long faults = page_faults();
  std::vector<double> seconds;
  for (std::size_t i = 0; i < a.steps; ++i) {
    const double start = seconds_now();
    step();
    seconds.push_back(seconds_now() - start);
  }
  const double faults_a_step = static_cast<double>(page_faults() - faults) / static_cast<double>(a.steps);
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[a.steps / 2];
  fmt::print("{} {} {}: {:.1f} images/s, {:.2f} ms a step, {:.0f} MB at the peak, {:.1f} page faults a step\n",
             model.name, a.norm, (a.evaluation ? "evaluation " : "training ") + a.precision,
             static_cast<double>(a.batch) / median, 1000 * median, peak_megabytes(), faults_a_step);
  return success;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("bench_train", [&] {
    const std::optional<Settings> settings = parse(argc, argv);
    return settings ? time_steps(*settings) : success;
  });
}
