#include <doctest/doctest.h>

#include "autograd/grad_mode.hpp"
#include "autograd/ops/loss.hpp"
#include "nn/models/resnet.hpp"
#include "tensor/parallel.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

// Four threads, as two would hide disorder: the sum of two partial sums is the same in either order. The arrays are
// large enough that every loop over elements, columns and images is cut up among them.
TEST_CASE("repeatable: a training step has the same bits in 20 repetitions with four threads, for every norm") {
  const int before = num_threads();
  set_num_threads(4);
  const Tensor images = normal({9, 32, 32, 3}, 1);
  const Indices labels = indices({0, 3, 6, 2, 2, 5, 9, 1, 8});
  for (const NormKind norm : {NormKind::Batch, NormKind::Layer, NormKind::Instance, NormKind::Group, NormKind::None})
    for (const bool derived : {false, true}) {
      if (derived && norm != NormKind::Batch) continue;  // the definitions are made of the same operations
      const DerivedGradients mode(derived);
      CAPTURE(to_string(norm));
      CAPTURE(derived);
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
      CHECK(differing == 0);
      CHECK(largest(expected[1]) > 1e-4);
    }
  set_num_threads(before);
}
