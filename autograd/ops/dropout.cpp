#include "autograd/ops/dropout.hpp"

#include "autograd/ops/elementwise.hpp"

namespace xtg {

Variable dropout(const Variable& x, double p, Generator& generator) {
  require(p >= 0 && p < 1, "dropout: expected a probability within [0, 1), got {}", p);
  Tensor mask(x.shape());
  const Scalar kept = static_cast<Scalar>(1 / (1 - p));
  for (Scalar& m : mask) m = generator.uniform() < p ? Scalar{0} : kept;
  return x * Variable(std::move(mask));
}

}  // namespace xtg
