#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "nn/models/resnet.hpp"
#include "tensor/kernels/onednn_conv2d.hpp"
#include "tensor/parallel.hpp"
#include "tests/precision.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

// Four threads, as two would hide disorder: the sum of two partial sums is the same in either order.
struct FourThreads {
  FourThreads() { set_num_threads(4); }
  ~FourThreads() { set_num_threads(before); }
  const int before = num_threads();
};

/// How many results of 20 training steps differ from those of the first: the loss and all gradients.
int differing_results(NormKind norm, std::size_t batch) {
  const FourThreads threads;
  const Tensor images = normal({batch, 32, 32, 3}, 1);
  Indices labels(Shape{batch}, 0);
  for (std::size_t i = 0; i < batch; ++i) labels.data()[i] = static_cast<std::int64_t>(7 * i % 10);
  ResNetOptions options;
  options.depth = 8;
  options.norm = norm;
  Generator generator(4);
  CifarResNet net(options, generator);
  std::vector<Tensor> expected;
  int differing = 0;
  for (int repetition = 0; repetition < 20; ++repetition) {
    net.zero_grad();
    const Variable loss = cross_entropy(net(Variable(images)), labels);
    loss.backward();
    std::vector<Tensor> found = {loss.value()};
    for (const Variable& parameter : net.parameters()) found.push_back(parameter.grad());
    if (repetition == 0) expected = found;
    for (std::size_t i = 0; i < found.size(); ++i) differing += !identical(found[i], expected[i]);
  }
  CHECK(largest(expected[1]) > 1e-4);
  return differing;
}

/// Whether a convolution of that many images ran so.
bool ran(std::size_t batch, Conv2dAlgorithm algorithm, bool bfloat16) {
  const std::vector<Conv2dChoice> all = conv2d_choices();
  return std::any_of(all.begin(), all.end(), [&](const Conv2dChoice& c) {
    return c.geometry.n == batch && c.algorithm == algorithm && c.bfloat16 == bfloat16;
  });
}

}  // namespace

// The arrays are large enough that every loop over elements, columns and images is cut up among the threads.
TEST_CASE("repeatable: a training step has the same bits in 20 repetitions with four threads, for every norm") {
  for (const NormKind norm : {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group, NormKind::None})
    for (const bool derived : {false, true}) {
      if (derived && norm != NormKind::Batch) continue;  // the definitions are made of the same operations
      const DerivedGradients mode(derived);
      CAPTURE(to_string(norm));
      CAPTURE(derived);
      CHECK(differing_results(norm, 9) == 0);
    }
}

TEST_CASE("repeatable: the same for Winograd's method, on a larger batch") {
  constexpr std::size_t batch = 21;
  CHECK(differing_results(NormKind::Batch, batch) == 0);
  for (const Conv2dPass pass : {Conv2dPass::Forward, Conv2dPass::BackwardInput, Conv2dPass::BackwardWeight}) {
    const Conv2dGeometry g = conv2d_geometry({batch, 8, 8, 64}, {64, 3, 3, 64}, 1, 1);
    const std::string name = kernels::onednn_implementation(g, pass, Conv2dAlgorithm::Winograd, false);
    if (name.empty() || kernels::is_reference(name)) {
      MESSAGE("no Winograd in this build or on this processor: " << to_string(pass));
      continue;
    }
    CHECK(conv2d_implementation(g, pass) == name);
    CHECK(contains(name, "wino"));
    CHECK(ran(batch, Conv2dAlgorithm::Winograd, false));
  }
}

TEST_CASE("repeatable: the same in bfloat16") {
  if (!bfloat16_available()) {
    MESSAGE("skipped: no bfloat16 in this build or on this processor");
    return;
  }
  const MatmulPrecision precision(Precision::BFloat16);
  for (const NormKind norm : {NormKind::Batch, NormKind::None}) {
    CAPTURE(to_string(norm));
    CHECK(differing_results(norm, 10) == 0);
  }
  CHECK(ran(10, Conv2dAlgorithm::Direct, true));
  CHECK_FALSE(ran(10, Conv2dAlgorithm::Direct, false));
}
