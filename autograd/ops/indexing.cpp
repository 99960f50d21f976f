#include "autograd/ops/indexing.hpp"

#include "tensor/pool2d.hpp"

namespace xtg {

Variable take(const Variable& x, const Indices& positions) {
  return record("take", take(x.value(), positions), {x}, [positions](const Variable& dy, const Context& c) {
    return Variables{put(dy, positions, c.input_shape(0))};
  });
}

Variable put(const Variable& x, const Indices& positions, const Shape& shape) {
  return record("put", put(x.value(), positions, shape), {x},
                [positions](const Variable& dy, const Context&) { return Variables{take(dy, positions)}; });
}

}  // namespace xtg
