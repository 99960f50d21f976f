#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tensor/conv2d.hpp"
#include "tensor/create.hpp"
#include "tensor/linalg.hpp"
#include "tensor/parallel.hpp"
#include "tensor/precision.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

struct Layer {
  Shape x, w;
  Tensor in = normal(x, 1), weights = normal(w, 2);

  Tensor forward() const { return conv2d(in, weights, nullptr, 1, 1); }
  std::vector<Tensor> all() const {
    const Tensor y = forward();
    const Conv2dGradients d = conv2d_backward(y, in, weights, conv2d_geometry(x, w, 1, 1), true, true);
    return {y, *d.dx, *d.dw};
  }
};

/// Layers of different sizes, the largest last: its scratchpad is larger than those that a thread had before.
const std::vector<Layer>& layers() {
  static const std::vector<Layer> all = {
      {{2, 5, 6, 3}, {4, 3, 3, 3}}, {{8, 8, 8, 16}, {24, 3, 3, 16}}, {{32, 16, 16, 32}, {32, 3, 3, 32}}};
  return all;
}

void check_equal(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(identical(found[i], expected[i]));
}

void check_from_threads() {
  const int threads = num_threads();
  std::vector<std::vector<Tensor>> expected;
  for (const Layer& layer : layers()) expected.push_back(layer.all());  // the plans are made on this thread
  constexpr std::size_t kThreads = 4;
  std::vector<std::vector<std::vector<Tensor>>> found(kThreads);
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < kThreads; ++t)
    workers.emplace_back([&, t] {
      set_num_threads(threads);
      for (std::size_t i = 0; i < 2 * layers().size(); ++i)
        found[t].push_back(layers()[(i + t) % layers().size()].all());
    });
  for (std::thread& worker : workers) worker.join();
  for (std::size_t t = 0; t < kThreads; ++t)
    for (std::size_t i = 0; i < found[t].size(); ++i) check_equal(found[t][i], expected[(i + t) % layers().size()]);
}

}  // namespace

TEST_CASE("conv2d threads: a convolution made ready on one thread runs on others, several at once") {
  check_from_threads();
}

TEST_CASE("conv2d threads: the same in bfloat16, matrix products, too") {
  if (!bfloat16_available()) {
    MESSAGE("skipped: no bfloat16 in this build or on this processor");
    return;
  }
  set_matmul_precision(Precision::BFloat16);
  check_from_threads();
  const Tensor a = normal({70, 90}, 3), b = normal({90, 50}, 4);
  const Tensor product = matmul(a, b);
  Tensor elsewhere;
  std::thread([&] { elsewhere = matmul(a, b); }).join();
  set_matmul_precision(Precision::Full);
  CHECK(identical(elsewhere, product));
}

TEST_CASE("conv2d threads: no thread waits for another's convolution") {
  const Layer large{{16, 32, 32, 32}, {32, 3, 3, 32}}, small{{1, 4, 4, 3}, {4, 3, 3, 3}};
  const int threads = num_threads();
  set_num_threads(1);
  large.forward();
  small.forward();
  std::atomic<bool> started{false}, ended{false};
  std::size_t meanwhile = 0;
  std::thread worker([&] {
    set_num_threads(1);
    started = true;
    for (int i = 0; i < 3; ++i) large.forward();
    ended = true;
  });
  while (!started) std::this_thread::yield();
  while (!ended) {
    small.forward();
    ++meanwhile;
  }
  worker.join();
  set_num_threads(threads);
  // A lock held by the large one lets the small one in before it, between its calls and after it.
  CHECK(meanwhile > 20);
}
