// A training step, or an evaluation, of a network on random images: the median rate, the largest resident memory, and
// page faults a step, one line. tools/bench runs it for each norm, and in turn with tests/bench/peer.py.

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <vector>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "nn/models/model.hpp"
#include "nn/optim/sgd.hpp"
#include "tensor/create.hpp"
#include "tensor/parallel.hpp"
#include "tensor/precision.hpp"

using namespace xtg;
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

}  // namespace

int main(int argc, char** argv) {
  ModelOptions model;
  std::string norm = "batch";
  std::size_t batch = 128, steps = 10, warm_up = 4;
  int threads = 2;
  bool evaluation = false, exact = false;
  std::string precision = "fp32", form = "fused";
  CLI::App app("Times a training step on random images: forward, backward and SGD.");
  app.add_option("--arch", model.name, "the network")->capture_default_str();
  app.add_option("--norm", norm, "batch, layer, instance, group or none")->capture_default_str();
  app.add_option("--batch", batch, "images a step")->capture_default_str();
  app.add_option("--steps", steps, "steps that count")->capture_default_str();
  app.add_option("--warm-up", warm_up, "steps before them")->capture_default_str();
  app.add_option("--threads", threads, "threads inside an operation")->capture_default_str();
  app.add_option("--precision", precision, "fp32 or bf16")->capture_default_str();
  app.add_flag_callback(
      "--has-bf16",
      [] { fmt::print("bf16 is {}available\n", bfloat16_available() ? "" : "not "), throw CLI::Success(); },
      "say whether bf16 is available, and end");
  app.add_flag("--eval", evaluation, "forward only, in evaluation mode, off the tape");
  app.add_flag("--exact", exact, "without Winograd");
  app.add_option("--gradients", form, "fused, by-hand or derived")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const GradientMode mode(parse_gradient_form(form));

  set_num_threads(threads);
  set_matmul_precision(precision == "bf16" ? Precision::BFloat16 : Precision::Full);
  set_exact_convolutions(exact);
  model.norm = parse_norm(norm);
  Generator random(1);
  const auto network = make_model(model, random);
  Sgd sgd(network->named_parameters(), {0.9, 1e-4, false});
  const Tensor images = random_normal({batch, 32, 32, 3}, random);
  Indices labels({batch});
  for (std::size_t i = 0; i < batch; ++i) labels.data()[i] = static_cast<std::int64_t>(random.below(10));
  network->train(!evaluation);

  const auto step = [&] {
    const NoGrad off(evaluation);
    const Variable logits = (*network)(Variable(images));
    if (evaluation) return;
    const Variable loss = cross_entropy(logits, labels);
    sgd.zero_grad();
    loss.backward();
    sgd.step(0.01);
  };
  for (std::size_t i = 0; i < warm_up; ++i) step();
  const long faults = page_faults();
  std::vector<double> seconds;
  for (std::size_t i = 0; i < steps; ++i) {
    const double start = seconds_now();
    step();
    seconds.push_back(seconds_now() - start);
  }
  const double faults_a_step = static_cast<double>(page_faults() - faults) / static_cast<double>(steps);
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[steps / 2];
  fmt::print("{} {} {}: {:.1f} images/s, {:.2f} ms a step, {:.0f} MB at the peak, {:.1f} page faults a step\n",
             model.name, norm, (evaluation ? "evaluation " : "training ") + precision,
             static_cast<double>(batch) / median, 1000 * median, peak_megabytes(), faults_a_step);
}
