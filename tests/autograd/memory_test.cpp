// Depth, size and life of graphs: what would only show in long chains and long runs.

#include <doctest/doctest.h>
#include <malloc.h>

#include <memory>

#include "autograd/ops/activation.hpp"
#include "autograd/ops/conv2d.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/pool2d.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/optim/sgd.hpp"
#include "tests/small_stack.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

/// Bytes that the program has asked for and not given back; 0 under a sanitizer that has its own malloc.
std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A graph that is destroyed after main: nothing it needs may be gone by then (AddressSanitizer would say so).
const Variable at_exit_leaf(ones({2}), true);
const Variable at_exit = exp(at_exit_leaf * at_exit_leaf);

}  // namespace

TEST_CASE("memory: a chain of 1,000,000 operations is walked and destroyed on a stack of 256 KiB") {
  on_small_stack([] {
    Variable x(full({2}, 1), true);
    {
      Variable y = x;
      for (int i = 0; i < 1000000; ++i) y = y + Scalar{1};
      y.backward(full({2}, 3));
    }
    if (!identical(x.grad(), full({2}, 3))) throw ValueError("wrong gradient");
  });
}

TEST_CASE("memory: a chain of 1,000,000 operations that is never walked is destroyed on a small stack, too") {
  on_small_stack([] {
    const Variable x(full({2}, 1), true);
    std::weak_ptr<Storage> first;
    {
      Variable y = x * x;
      first = y.storage();
      for (int i = 0; i < 1000000; ++i) y = y * x;  // each keeps its predecessor's numbers
    }
    if (!first.expired()) throw ValueError("the graph was not freed");
  });
}

TEST_CASE("memory: and so is one retained, with the graph of its gradient") {
  on_small_stack([] {
    const Variable x(full({2}, 1), true);
    GradOptions options;
    options.create_graph = true;
    Variable y = x;
    for (int i = 0; i < 1000000; ++i) y = y * x;
    y.backward(ones({2}), true);
    Variable d = grad({y}, {x}, {Variable(ones({2}))}, options)[0];
    if (d.value().data()[0] != 1000001) throw ValueError("wrong gradient");
    const std::weak_ptr<Storage> graph = d.storage(), chain = y.storage();
    y = Variable();
    d = Variable();
    if (!graph.expired() || !chain.expired()) throw ValueError("a graph was not freed");
  });
}

TEST_CASE("memory: grows with the number of operations, by less than 1 KB each, and is all given back") {
  const Variable x(ones({4}), true), a(full({4}, 0.5));
  const std::size_t before = allocated();
  std::vector<double> each;
  for (const int operations : {20000, 40000}) {
    Variable y = x;
    for (int i = 0; i < operations / 2; ++i) y = y * a + Scalar{0.25};
    each.push_back(static_cast<double>(allocated() - before) / operations);
  }
  CHECK(each[0] < 1000);
  CHECK(each[1] < 1000);
  CHECK(each[1] <= 1.01 * each[0]);
  CHECK(allocated() <= before + 250000);  // malloc counts what it keeps at hand for the next request
}

TEST_CASE("memory: does not grow over 10,000 training steps") {
  Variable kernel(normal({4, 3, 3, 2}, 1), true), gamma(ones({4}), true), beta(zeros({4}), true);
  Variable weight(normal({4, 3}, 2), true);
  nn::Sgd optimizer({kernel, gamma, beta, weight}, {});
  const Variable x(normal({3, 5, 5, 2}, 3));
  const Indices labels = indices({0, 2, 1});
  std::size_t after_warm_up = 0;
  for (int step = 0; step < 10000; ++step) {
    const Variable h = relu(nn::batch_norm(conv2d(x, kernel, Variable(), 1, 1), gamma, beta, 1e-5));
    const Variable loss = cross_entropy(matmul(global_avg_pool2d(max_pool2d(h, 2, 2)), weight), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step(1e-4);
    if (step == 100) after_warm_up = allocated();
  }
  CHECK(allocated() <= after_warm_up + 250000);  // 25 bytes a step
}

TEST_CASE("memory: a static Variable and its graph outlive the tests") {
  CHECK(at_exit.value().data()[0] == doctest::Approx(2.718281828));
}
