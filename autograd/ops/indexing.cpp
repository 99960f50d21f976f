#include "autograd/ops/indexing.hpp"

#include <memory>

#include "autograd/operation.hpp"
#include "tensor/indexing.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

using Positions = std::shared_ptr<const Indices>;  // checked; one copy for the forward and all derivatives

Variable put_at(const Variable& x, const Positions& positions, const Shape& shape);

Variable take_at(const char* name, const Variable& x, const Positions& positions) {
  return record(name, take(x.value(), *positions), {x}, [positions](const Variable& dy, const Context& c) {
    return Variables{put_at(dy, positions, c.input_shape(0))};
  });
}

Variable put_at(const Variable& x, const Positions& positions, const Shape& shape) {
  return record("put", put(x.value(), *positions, shape), {x},
                [positions](const Variable& dy, const Context&) { return Variables{take_at("take", dy, positions)}; });
}

}  // namespace

Variable take(const Variable& x, const Indices& positions) {
  return take_at("take", x, std::make_shared<Indices>(positions));
}

Variable put(const Variable& x, const Indices& positions, const Shape& shape) {
  return put_at(x, std::make_shared<Indices>(positions), shape);
}

Variable index_select(const Variable& x, int axis, const Indices& positions) {
  return take_at("index_select", x, std::make_shared<Indices>(index_select_positions(x.shape(), axis, positions)));
}

Variable gather(const Variable& x, int axis, const Indices& positions) {
  return take_at("gather", x, std::make_shared<Indices>(gather_positions(x.shape(), axis, positions)));
}

}  // namespace xtg
