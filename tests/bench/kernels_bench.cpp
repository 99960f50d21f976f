// The library's kernels, one by one: each norm forward and backward, by plain loops and in its three forms;
// the convolutions of a CIFAR ResNet in each pass and by each algorithm; elementwise operations, reductions, products.

#include <benchmark/benchmark.h>

#include <string>

#include "autograd/ops/elementwise.hpp"
#include "tensor/conv2d.hpp"
#include "tensor/create.hpp"
#include "tensor/elementwise.hpp"
#include "tensor/linalg.hpp"
#include "tensor/parallel.hpp"
#include "tensor/reduce.hpp"
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
  add_the_rest();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
