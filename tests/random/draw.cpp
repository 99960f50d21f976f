#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/random/case.hpp"

namespace xtg::random_cases {

Draw::Draw(std::uint64_t seed) : generator(seed, 31), large(chance(0.04)) {}

void Draw::choose(const std::vector<Kind>& kinds) {
  kind = chance(0.5) ? Kind::Normal : one_of(kinds);
  if (kind == Kind::Offset) offset_ = one_of(std::vector<double>{-100, 1e3, 1e4, -3e4});
}

std::size_t Draw::size(std::size_t most) {
  if (chance(0.15)) return 1;
  if (large && chance(0.5)) return chance(0.5) ? 1 + below(90) : one_of(std::vector<std::size_t>{16, 32, 64, 65});
  return 1 + below(most);
}

Shape Draw::shape(std::size_t lowest_rank, std::size_t highest_rank, bool may_be_empty) {
  const std::size_t most = large ? 6000 : 48;
  while (true) {
    Shape shape(lowest_rank + below(highest_rank - lowest_rank + 1));
    for (std::size_t& n : shape) n = may_be_empty && chance(0.02) ? 0 : size();
    if (count(shape) <= most) return shape;
  }
}

Shape Draw::broadcast_from(const Shape& shape) {
  if (chance(0.4)) return shape;
  Shape from(shape.begin() + static_cast<std::ptrdiff_t>(chance(0.5) ? below(shape.size() + 1) : 0), shape.end());
  for (std::size_t& n : from)
    if (chance(0.4)) n = 1;
  return from;
}

int Draw::axis(std::size_t rank) {
  const int axis = static_cast<int>(below(rank));
  return chance(0.5) ? axis : axis - static_cast<int>(rank);
}

Axes Draw::axes(std::size_t rank) {
  Axes axes;
  if (rank == 0) return axes;
  for (const std::uint32_t k : generator.permutation(rank))
    if (chance(0.5)) axes.push_back(static_cast<int>(k) - (chance(0.5) ? static_cast<int>(rank) : 0));
  return axes;
}

Indices Draw::positions(const Shape& shape, std::size_t n) {
  Indices positions(shape);
  for (std::int64_t& p : positions) p = static_cast<std::int64_t>(below(n));
  return positions;
}

double Draw::value() {
  const double sign = chance(0.5) ? 1 : -1;
  const double infinity = std::numeric_limits<double>::infinity();
  switch (kind) {
    case Kind::Integers: {
      const std::size_t n = below(6);
      return n == 5 ? -0.0 : static_cast<double>(n) - 2;
    }
    case Kind::Offset:
      return generator.normal() + offset_;
    case Kind::Small:
      return sign * generator.uniform(0.2, 3) * 1e-18;
    case Kind::Large:
      return sign * generator.uniform(0.2, 3) * 1e18;
    case Kind::Edges:
      if (chance(0.3)) return sign * one_of(std::vector<double>{0, 1e18, 1e-18, 1, 20, 1000});
      break;
    case Kind::NotFinite:
      if (chance(0.2)) return chance(0.3) ? std::nan("") : sign * infinity;
      break;
    case Kind::Normal:
      break;
  }
  return generator.normal();
}

Tensor Draw::values(const Shape& shape, Domain domain) {
  Tensor x(shape);
  for (Scalar& element : x) {
    double v = value();
    if (domain == Domain::Positive && !(v > 0)) v = v == 0 ? 1 : -v;
    if (domain == Domain::AboveMinusOne)
      while (v <= -0.99) v = v < -2 ? -v : v + 1;
    element = static_cast<Scalar>(v);
  }
  return x;
}

std::vector<Numbers> numbers_of(const std::vector<Tensor>& inputs) {
  std::vector<Numbers> list;
  for (const Tensor& x : inputs) {
    list.push_back({x.shape(), {}});
    for (const Scalar v : x) list.back().v.push_back(static_cast<Real>(v));
  }
  return list;
}

std::vector<Real> reach_of(const Tensor& x, Real most) {
  std::vector<Real> reach;
  for (const Scalar v : x) reach.push_back(v == 0 ? 1 : std::min<Real>(std::abs(static_cast<Real>(v)), most));
  return reach;
}

std::vector<Real> reach_of(const Tensor& x, Kind kind) {
  return constant_of(x, kind == Kind::Small ? 1e-18L : kind == Kind::Large ? 1e18L : 1);
}

bool near_zero(const Answer& z, double ulps) {
  for (std::size_t i = 0; i < z.y.size(); ++i)
    if (std::abs(z.y[i]) < ulps * std::numeric_limits<Scalar>::epsilon() * z.scale[i]) return true;
  return false;
}

Reference moved(const Shape& shape, std::vector<Place> places) {
  return [shape, places = std::move(places)](const std::vector<Numbers>& x) {
    Answer answer{shape, {}};
    for (const Place& p : places) answer.y.push_back(p.nowhere ? 0 : x[p.input].v[p.offset]);
    return answer;
  };
}

Reference added(const Shape& shape, std::vector<Place> places) {
  return [shape, places = std::move(places)](const std::vector<Numbers>& x) {
    Answer answer{shape, std::vector<Real>(count(shape), 0), std::vector<Real>(count(shape), 0)};
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].nowhere) continue;
      answer.y[places[i].offset] += x[0].v[i];
      answer.scale[places[i].offset] += std::abs(x[0].v[i]);
    }
    return answer;
  };
}

Reference added(const Shape& shape, const std::vector<std::size_t>& offsets) {
  std::vector<Place> places;
  for (const std::size_t offset : offsets) places.push_back({0, offset});
  return added(shape, std::move(places));
}

std::vector<Operation> operations() {
  std::vector<Operation> all;
  for (const auto& family : {elementwise_operations(), reduction_operations(), shaping_operations(),
                             product_operations(), window_operations(), norm_operations(), loss_operations()})
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

}  // namespace xtg::random_cases
