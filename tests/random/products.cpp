#include <algorithm>
#include <array>

#include "autograd/ops/matmul.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

using testing::broadcast_offset;

/// Σ_k a[ia + k·sa]·b[ib + k·sb] for each element of y, for these beginnings and steps.
Reference products(const Shape& y, std::vector<std::array<std::size_t, 4>> at, std::size_t terms) {
  return [=](const std::vector<Numbers>& x) {
    Answer answer{y, {}};
    for (const auto& [ia, sa, ib, sb] : at) {
      Real total = 0, scale = 0;
      for (std::size_t k = 0; k < terms; ++k) {
        const Real product = x[0].v[ia + k * sa] * x[1].v[ib + k * sb];
        total += product;
        scale += std::abs(product);
      }
      answer.y.push_back(total);
      answer.scale.push_back(scale);
    }
    return answer;
  };
}

/// Values of both factors, of which one alone may be large or small.
void draw_factors(Draw& r, Case& c, const Shape& a, const Shape& b, std::size_t terms) {
  c.inputs = {r.values(a)};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  if (r.kind != Kind::Integers) r.kind = Kind::Normal;
  c.inputs.push_back(r.values(b));
  c.reach.push_back(reach_of(c.inputs[1], r.kind));
  c.ulps = 4 + static_cast<double>(terms) / 4;
  c.gradient_ulps = 32 + static_cast<double>(c.inputs[0].size() + c.inputs[1].size()) / 8;
}

Case draw_matmul(Draw& r) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges});
  const std::size_t m = r.size(), n = r.size(), terms = r.chance(0.02) ? 0 : r.size();
  const Shape batch = r.large || r.chance(0.5) ? Shape{} : r.shape(0, 2);
  const Shape batch_a = r.broadcast_from(batch), batch_b = r.broadcast_from(batch);
  const bool vector_a = r.chance(0.15), vector_b = r.chance(0.15), matrices = !vector_a && !vector_b;
  const bool ta = matrices && r.chance(0.4), tb = matrices && r.chance(0.4);
  const std::size_t M = vector_a ? 1 : m, N = vector_b ? 1 : n;

  Shape a = vector_a ? Shape{} : batch_a, b = vector_b ? Shape{} : batch_b;
  const Shape lead_a = a, lead_b = b;
  if (!vector_a) a.push_back(ta ? terms : M);
  a.push_back(ta ? M : terms);
  b.push_back(tb ? N : terms);
  if (!vector_b) b.push_back(tb ? terms : N);

  Shape lead(std::max(lead_a.size(), lead_b.size()));  // broadcast
  for (std::size_t k = 0; k < lead.size(); ++k) {
    const auto size = [&](const Shape& s) { return k + s.size() < lead.size() ? 1 : s[k + s.size() - lead.size()]; };
    lead[k] = size(lead_a) == 1 ? size(lead_b) : size(lead_a);
  }
  Shape y = lead;
  if (!vector_a) y.push_back(M);
  if (!vector_b) y.push_back(N);

  std::vector<std::array<std::size_t, 4>> at;
  for (std::size_t g = 0; g < count(lead); ++g)
    for (std::size_t i = 0; i < M; ++i)
      for (std::size_t j = 0; j < N; ++j)
        at.push_back({broadcast_offset(g, lead, lead_a) * M * terms + (ta ? i : i * terms), ta ? M : 1,
                      broadcast_offset(g, lead, lead_b) * terms * N + (tb ? j * terms : j), tb ? 1 : N});
  Case c;
  c.call = fmt::format("matmul(x0, x1, {}, {})", truth(ta), truth(tb));
  c.function = [=](V v) { return matmul(v[0], v[1], ta, tb); };
  c.reference = products(y, at, terms);
  draw_factors(r, c, a, b, terms);
  return c;
}

Case draw_dot(Draw& r) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges});
  const std::size_t n = r.chance(0.05) ? 0 : r.size(40);
  Case c;
  c.call = "dot(x0, x1)";
  c.function = [](V v) { return dot(v[0], v[1]); };
  c.reference = products({}, {{0, 1, 0, 1}}, n);
  draw_factors(r, c, {n}, {n}, n);
  return c;
}

Case draw_outer(Draw& r) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges});
  const std::size_t m = r.chance(0.05) ? 0 : r.size(), n = r.size();
  std::vector<std::array<std::size_t, 4>> at;
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) at.push_back({i, 1, j, 1});
  Case c;
  c.call = "outer(x0, x1)";
  c.function = [](V v) { return outer(v[0], v[1]); };
  c.reference = products({m, n}, at, 1);
  draw_factors(r, c, {m}, {n}, 1);
  return c;
}

}  // namespace

std::vector<Operation> product_operations() {
  return {{"matmul", draw_matmul}, {"dot", draw_dot}, {"outer", draw_outer}};
}

}  // namespace xtg::random_cases
