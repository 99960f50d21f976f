// The library's kernels, one by one: each norm forward and backward, by plain loops and in its three forms;
// the convolutions of a CIFAR ResNet in each pass and by each algorithm; elementwise operations, reductions, products;
// and what reductions and broadcasts over any axes take, in passes over the array.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>

#include "autograd/ops/elementwise.hpp"
#include "tensor/conv2d.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/linalg.hpp"
#include "tensor/parallel.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"
#include "tests/nn/norm/norms.hpp"

namespace {

using namespace xtg;
using namespace xtg::testing;

void bytes(benchmark::State& state, std::size_t elements) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(elements * sizeof(Scalar)));
}

/// Plain loops in double, as the tests have them; one thread.
void naive_norm(benchmark::State& state, const Case& c) {
  const Example e(c, 1);
  for (auto _ : state) {
    const Statistics s(c.set_of, e.x, c.eps);
    Tensor y(e.x.shape());
    for (std::size_t i = 0; i < y.size(); ++i)
      y.data()[i] = static_cast<Scalar>(at(e.gamma, i) * s.x_hat(i) + at(e.beta, i));
    benchmark::DoNotOptimize(y.data());
  }
  bytes(state, 2 * e.x.size());
}

/// Forward, or forward and backward, of the operation.
void norm(benchmark::State& state, const Case& c, GradientForm form, bool backward) {
  const Example e(c, 1);
  const GradientMode mode(form);
  const Variable x(e.x, true), gamma(e.gamma, true), beta(e.beta, true), dy(e.dy);
  for (auto _ : state) {
    const Variable y = c.norm(x, gamma, beta);
    if (backward) benchmark::DoNotOptimize(grad({y}, {x, gamma, beta}, {dy}));
    benchmark::DoNotOptimize(y.value().data());
  }
  bytes(state, (backward ? 4 : 2) * e.x.size());
}

/// One pass by one algorithm, with the floating-point operations of the direct one a second.
void convolution(benchmark::State& state, const Conv2dGeometry& g, Conv2dPass pass, Conv2dAlgorithm algorithm) {
  const Conv2dChoice choice{g, pass, false, algorithm, ""};
  for (auto _ : state) {
    const auto seconds = time_conv2d(choice, 1)[static_cast<std::size_t>(algorithm)];
    if (!seconds) {
      state.SkipWithError("oneDNN has none");
      break;
    }
    state.SetIterationTime(*seconds);
  }
  const double flop = 2.0 * static_cast<double>(g.n * g.oh * g.ow * g.out * g.kh * g.kw * g.in);
  state.counters["FLOP/s"] = benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
}

void add_norms() {
  for (const Shape& shape : {Shape{128, 32, 32, 16}, Shape{128, 16, 16, 32}, Shape{128, 8, 8, 64}})
    for (const Case& c : {batch(shape), layer(shape, 3, 1e-5, 1), instance(shape), group(shape, 8)}) {
      const auto add = [&](const char* how, auto function) {
        benchmark::RegisterBenchmark((c.name + "/" + how).c_str(), function)
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      };
      add("forward, naive", [c](benchmark::State& s) { naive_norm(s, c); });
      for (const bool backward : {false, true}) {
        const std::string passes = backward ? "forward and backward, " : "forward, ";
        for (const auto& [name, form] :
             {std::pair("derived", GradientForm::Derived), std::pair("by hand", GradientForm::ByHand),
              std::pair("fused", GradientForm::Fused)})
          add((passes + name).c_str(), [c, f = form, backward](benchmark::State& s) { norm(s, c, f, backward); });
      }
    }
}

void add_convolutions() {
  struct Layer {
    std::size_t in, out, size, stride;
  };
  for (const Layer& l : {Layer{3, 16, 32, 1}, Layer{16, 16, 32, 1}, Layer{16, 32, 32, 2}, Layer{32, 32, 16, 1},
                         Layer{32, 64, 16, 2}, Layer{64, 64, 8, 1}})
    for (const Conv2dPass pass : {Conv2dPass::Forward, Conv2dPass::BackwardInput, Conv2dPass::BackwardWeight})
      for (const Conv2dAlgorithm a : {Conv2dAlgorithm::Direct, Conv2dAlgorithm::Blocked, Conv2dAlgorithm::Winograd}) {
        const Conv2dGeometry g = conv2d_geometry({128, l.size, l.size, l.in}, {l.out, 3, 3, l.in}, l.stride, 1);
        const std::string name = fmt::format("conv2d {}->{} {}x{} stride {}/{}, {}", l.in, l.out, l.size, l.size,
                                             l.stride, to_string(pass), to_string(a));
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& s) { convolution(s, g, pass, a); })
            ->Unit(benchmark::kMillisecond)
            ->UseManualTime();
      }
}

/// The same convolution from one thread and from two at once, on one thread inside.
void add_callers() {
  static const Tensor x = normal({32, 32, 32, 16}, 1), w = normal({16, 3, 3, 16}, 2);
  benchmark::RegisterBenchmark("conv2d, called from threads",
                               [](benchmark::State& s) {
                                 const int before = num_threads();
                                 set_num_threads(1);
                                 for (auto _ : s) benchmark::DoNotOptimize(conv2d(x, w, nullptr, 1, 1));
                                 set_num_threads(before);
                                 s.SetItemsProcessed(s.iterations());
                               })
      ->Threads(1)
      ->Threads(2)
      ->UseRealTime();
}

/// Seconds of the fastest of ten calls.
template <class Call>
double best_of_ten(const Call& call) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 10; ++i) {
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(call());
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// The time of `operation`(x, its mean over the axes), also in passes: times that of x * 2. One thread.
template <class Operation>
void passes(benchmark::State& state, const Shape& shape, const Axes& axes, const Operation& operation) {
  const Tensor x = normal(shape, 1), m = mean(x, axes, true);
  const int threads = num_threads();
  set_num_threads(1);
  for (auto _ : state) {
    const double pass = best_of_ten([&] { return multiply(x, Scalar(2)); });
    const double seconds = best_of_ten([&] { return operation(x, m); });
    state.SetIterationTime(seconds);
    state.counters["passes"] = seconds / pass;
  }
  set_num_threads(threads);
}

/// Long and short runs of neighbours that are reduced or repeated together. Four passes are few where a run has eight
/// values or more, and twelve elsewhere.
void add_passes() {
  const std::vector<std::pair<Shape, std::vector<Axes>>> table = {
      {{128, 1024, 8, 2}, {{0, 1, 2, 3}, {1, 3}, {0, 2}, {3}, {2}, {1}}},
      {{128, 32, 32, 16}, {{0, 1, 2}, {1, 2}, {1, 2, 3}, {3}, {0}, {1, 3}}},
      {{1048576, 2}, {{0}, {1}}},
      {{2, 1048576}, {{0}, {1}}},
      {{1000, 1000}, {{0}, {1}}},
      {{400000, 3}, {{0}, {1}}},
      {{150000, 7}, {{0}, {1}}},
      {{125000, 8}, {{0}, {1}}},
      {{60000, 17}, {{0}, {1}}},
      {{60000, 2, 8}, {{1}}},
      {{100000, 2, 3, 2}, {{1, 3}, {0, 2}}},
      {{7, 5, 3, 2, 2, 7, 5, 3}, {{1, 3, 5, 7}, {0, 2, 4, 6}}},
  };
  for (const auto& row : table)
    for (const Axes& axes : row.second) {
      const Shape shape = row.first;
      const auto add = [&](const char* name, auto operation) {
        const std::string what = fmt::format("passes {} over {{{}}}/{}", to_string(shape), fmt::join(axes, ","), name);
        benchmark::RegisterBenchmark(what.c_str(), [=](benchmark::State& s) { passes(s, shape, axes, operation); })
            ->Unit(benchmark::kMicrosecond)
            ->Iterations(1)
            ->UseManualTime();
      };
      add("mean", [axes](const Tensor& x, const Tensor&) { return mean(x, axes, true); });
      add("max", [axes](const Tensor& x, const Tensor&) { return max(x, axes, true); });
      add("x - mean", [](const Tensor& x, const Tensor& m) { return subtract(x, m); });
      add("mean - x", [](const Tensor& x, const Tensor& m) { return subtract(m, x); });
    }
}

void add_the_rest() {
  const auto measure = [](const char* name, auto function) {
    benchmark::RegisterBenchmark(name, function)->Unit(benchmark::kMicrosecond)->UseRealTime();
  };
  static const Tensor a = normal({131072, 16}, 1), b = normal({131072, 16}, 2), row = normal({16}, 3);
  measure("add (131072,16)", [](benchmark::State& s) {
    for (auto _ : s) benchmark::DoNotOptimize(add(a, b));
    bytes(s, 3 * a.size());
  });
  measure("multiply (131072,16) by (16)", [](benchmark::State& s) {
    for (auto _ : s) benchmark::DoNotOptimize(multiply(a, row));
    bytes(s, 2 * a.size());
  });
  measure("exp (131072,16)", [](benchmark::State& s) {
    for (auto _ : s) benchmark::DoNotOptimize(exp(a));
    bytes(s, 2 * a.size());
  });
  measure("relu (131072,16)", [](benchmark::State& s) {
    for (auto _ : s) benchmark::DoNotOptimize(relu(a));
    bytes(s, 2 * a.size());
  });
  measure("sum (131072,16) over rows", [](benchmark::State& s) {
    for (auto _ : s) benchmark::DoNotOptimize(sum(a, {0}));
    bytes(s, a.size());
  });
  measure("sum (131072,16) over columns", [](benchmark::State& s) {
    for (auto _ : s) benchmark::DoNotOptimize(sum(a, {1}));
    bytes(s, a.size());
  });
  measure("sum (131072,16)", [](benchmark::State& s) {
    for (auto _ : s) benchmark::DoNotOptimize(sum(a));
    bytes(s, a.size());
  });
  for (const std::size_t n : {128, 512, 1024})
    benchmark::RegisterBenchmark(fmt::format("matmul {}", n).c_str(),
                                 [n](benchmark::State& s) {
                                   const Tensor x = normal({n, n}, 1), y = normal({n, n}, 2);
                                   for (auto _ : s) benchmark::DoNotOptimize(matmul(x, y));
                                   s.counters["FLOP/s"] =
                                       benchmark::Counter(2.0 * static_cast<double>(n * n * n),
                                                          benchmark::Counter::kIsIterationInvariantRate);
                                 })
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(2);
  add_norms();
  add_convolutions();
  add_callers();
  add_passes();
  add_the_rest();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
