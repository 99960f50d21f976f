// What the tape itself costs: chains of operations on 4-element arrays, where the arithmetic is nothing. The time of an
// iteration divided by the number of operations is printed as time an operation.

#include <benchmark/benchmark.h>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"
#include "tensor/create.hpp"
#include "tensor/parallel.hpp"

namespace {

using namespace xtg;

constexpr int kOperations = 1000;

void report(benchmark::State& state) {
  state.counters["s_per_operation"] =
      benchmark::Counter(kOperations, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/// The chain that the figure of PyTorch in tools/bench is of: y·1.0001 and y + 0.001 in turn.
Variable chain(const Variable& x) {
  Variable y = x;
  for (int i = 0; i < kOperations / 2; ++i) {
    y = y * Scalar(1.0001);
    y = y + Scalar(0.001);
  }
  return y;
}

/// Forward and backward.
void chain_with_numbers(benchmark::State& state) {
  set_num_threads(1);
  for (auto _ : state) {
    const Variable x(ones({4}), true);
    sum(chain(x)).backward();
  }
  report(state);
}
BENCHMARK(chain_with_numbers)->Unit(benchmark::kMicrosecond);

/// The same with arrays on both sides.
void chain_with_arrays(benchmark::State& state) {
  set_num_threads(1);
  const Variable a(full({4}, Scalar(1.0001))), b(full({4}, Scalar(0.001)));
  for (auto _ : state) {
    const Variable x(ones({4}), true);
    Variable y = x;
    for (int i = 0; i < kOperations / 2; ++i) {
      y = y * a;
      y = y + b;
    }
    sum(y).backward();
  }
  report(state);
}
BENCHMARK(chain_with_arrays)->Unit(benchmark::kMicrosecond);

/// Recording alone: the graph is dropped without a walk.
void record_only(benchmark::State& state) {
  set_num_threads(1);
  for (auto _ : state) {
    const Variable x(ones({4}), true);
    benchmark::DoNotOptimize(chain(x));
  }
  report(state);
}
BENCHMARK(record_only)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
