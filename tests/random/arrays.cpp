#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "autograd/ops/indexing.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "tests/proofs/table.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

using testing::broadcast_offset;
using testing::index_of;
using testing::offset_of;

// ---------------------------------------------------------------------------------------------------- reductions

/// Which element of the result each element of x goes to.
struct Sets {
  Shape kept, shape;  // of the result, with the reduced axes at 1, and as it is asked for
  std::vector<std::size_t> of;
  std::size_t each;  // elements in a set

  Sets(const Shape& x, const Axes& axes, bool keepdims) : kept(x) {
    std::vector<bool> reduced(x.size(), axes.empty());
    for (const int axis : axes)
      reduced[static_cast<std::size_t>(axis < 0 ? axis + static_cast<int>(x.size()) : axis)] = true;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (reduced[k]) kept[k] = 1;
      if (!reduced[k] || keepdims) shape.push_back(kept[k]);
    }
    for (std::size_t i = 0; i < count(x); ++i) of.push_back(broadcast_offset(i, x, kept));
    each = count(x) / std::max<std::size_t>(count(kept), 1);
  }

  /// The elements of each set, in their order.
  std::vector<std::vector<Real>> split(const Numbers& x) const {
    std::vector<std::vector<Real>> sets(count(kept));
    for (std::size_t i = 0; i < of.size(); ++i) sets[of[i]].push_back(x.v[i]);
    return sets;
  }
};

struct Sized {
  Real y, scale;
};
using OfSet = std::function<Sized(const std::vector<Real>&)>;

Sized sum_of(const std::vector<Real>& x) {
  Sized s{0, 0};
  for (const Real v : x) {
    s.y += v;
    s.scale += std::abs(v);
  }
  return s;
}

Sized mean_of(const std::vector<Real>& x) {
  const Sized s = sum_of(x);
  const auto n = static_cast<Real>(x.size());
  return {s.y / n, s.scale / n};
}

Real variance_of(const std::vector<Real>& x, bool unbiased) {
  const Real mean = mean_of(x).y;
  Real total = 0;
  for (const Real v : x) total += (v - mean) * (v - mean);
  return total / static_cast<Real>(x.size() - (unbiased ? 1 : 0));
}

/// The first element that no other one exceeds by sign·element; a NaN is it.
std::size_t extreme_at(const std::vector<Real>& x, Real sign) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isnan(x[at]) && (std::isnan(x[i]) || sign * x[i] > sign * x[at])) at = i;
  return at;
}

Sized logsumexp_of(const std::vector<Real>& x) {
  const std::size_t at = extreme_at(x, 1);
  if (!std::isfinite(x[at])) return {x[at], 0};
  Real rest = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (i != at) rest += std::exp(x[i] - x[at]);
  return {x[at] + std::log1p(rest), std::abs(x[at]) + std::log1p(rest)};
}

Reference of_sets(const Sets& sets, const OfSet& f) {
  return [=](const std::vector<Numbers>& x) {
    Answer answer{sets.shape, {}};
    for (const std::vector<Real>& set : sets.split(x[0])) {
      const Sized s = f(set);
      answer.y.push_back(s.y);
      answer.scale.push_back(s.scale);
    }
    return answer;
  };
}

Case reduction(Draw& r, const std::string& name, Variable (*f)(const Variable&, const Axes&, bool), const OfSet& of,
               bool may_be_empty, double ulps) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite});
  Case c;
  const Shape shape = r.shape(0, 5, may_be_empty);
  const Axes axes = r.axes(shape.size());
  const bool keepdims = r.chance(0.5);
  c.call = fmt::format("{}(x0, {}, {})", name, text(axes), truth(keepdims));
  c.function = [=](V v) { return f(v[0], axes, keepdims); };
  c.inputs = {r.values(shape)};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  c.reference = of_sets(Sets(shape, axes, keepdims), of);
  c.ulps = ulps;
  c.gradient_ulps = 256;
  return c;
}

/// Variances and standard deviations.
Case spread(Draw& r, const std::string& name, Variable (*f)(const Variable&, const Axes&, bool, bool), bool root) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large, Kind::NotFinite});
  Case c;
  const Shape shape = r.shape(0, 5, false);
  const Axes axes = r.axes(shape.size());
  const bool keepdims = r.chance(0.5);
  const Sets sets(shape, axes, keepdims);
  const bool unbiased = sets.each > 1 && r.chance(0.5);
  c.call = fmt::format("{}(x0, {}, {}, {})", name, text(axes), truth(keepdims), truth(unbiased));
  c.function = [=](V v) { return f(v[0], axes, keepdims, unbiased); };
  c.inputs = {r.values(shape)};
  c.reach = {reach_of(c.inputs[0], r.kind)};
  c.reference = of_sets(sets, [=](const std::vector<Real>& x) {
    // A square that is too small to have all its digits, below 1e-19 in float, is off by a part of the smallest number.
    const Real v = variance_of(x, unbiased), smallest = std::numeric_limits<Scalar>::min(), y = root ? std::sqrt(v) : v;
    return Sized{y, root && v > 0 ? y + smallest / y : y + smallest};
  });
  c.ulps = 16;
  c.slack = {constant_of(c.inputs[0], root ? 1 : c.reach[0][0])};
  if (sets.each < 3) c.order = 1;  // of two numbers, the deviation is |a − b|
  return c;
}

void reductions(std::vector<Operation>& rows) {
  rows.push_back({"sum", [](Draw& r) { return reduction(r, "sum", sum, sum_of, true, 4); }});
  rows.push_back({"mean", [](Draw& r) { return reduction(r, "mean", mean, mean_of, false, 4); }});
  rows.push_back({"variance", [](Draw& r) { return spread(r, "variance", variance, false); }});
  rows.push_back(
      {"standard_deviation", [](Draw& r) { return spread(r, "standard_deviation", standard_deviation, true); }});
  const auto extreme = [](Real sign) {
    return [sign](const std::vector<Real>& x) { return Sized{x[extreme_at(x, sign)], 0}; };
  };
  rows.push_back({"max", [=](Draw& r) { return reduction(r, "max", max, extreme(1), false, 0); }});
  rows.push_back({"min", [=](Draw& r) { return reduction(r, "min", min, extreme(-1), false, 0); }});
  rows.push_back({"logsumexp", [](Draw& r) { return reduction(r, "logsumexp", logsumexp, logsumexp_of, false, 8); }});
  rows.push_back({"argmax", [](Draw& r) {
                    r.choose({Kind::Integers, Kind::Large, Kind::NotFinite});
                    Case c;
                    const Shape shape = r.shape(1, 5, false);
                    const int axis = r.axis(shape.size());
                    c.call = fmt::format("argmax(x0, {})", axis);
                    c.function = [axis](V v) { return proofs::numbers(argmax(v[0], axis)); };
                    c.inputs = {r.values(shape)};
                    c.reference = of_sets(Sets(shape, {axis}, false), [](const std::vector<Real>& x) {
                      return Sized{static_cast<Real>(extreme_at(x, 1)), 0};
                    });
                    c.ulps = c.order = 0;
                    return c;
                  }});
}

// ---------------------------------------------------------------------------- the same numbers in other places

const std::vector<Kind> kAll = {Kind::Integers, Kind::Small, Kind::Large, Kind::Edges, Kind::NotFinite};

/// One input, rearranged: place(index in the result) is the index in x.
using Index = std::vector<std::size_t>;
Case rearranged(Draw& r, const std::string& call, const Function& f, const Shape& x, const Shape& y,
                const std::function<std::optional<Index>(const Index&)>& place) {
  Case c;
  c.call = call;
  c.function = f;
  c.inputs = {r.values(x)};
  c.reach = {reach_of(c.inputs[0])};
  std::vector<Place> places;
  for (std::size_t i = 0; i < count(y); ++i) {
    const std::optional<Index> from = place(index_of(i, y));
    places.push_back(from ? Place{0, offset_of(*from, x)} : Place{0, 0, true});
  }
  c.reference = moved(y, places);
  c.ulps = 0;
  return c;
}

/// The same numbers in the same order.
Case reshaped(Draw& r, const std::string& call, const Function& f, const Shape& x, const Shape& y) {
  return rearranged(r, call, f, x, y, [=](const Index& at) { return index_of(offset_of(at, y), x); });
}

std::size_t from_front(int axis, std::size_t rank) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<int>(rank) : axis);
}

Case draw_reshape(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 4);
  Shape y;
  for (const std::size_t n : x) {  // its sizes, some of them joined, some 1 added
    if (!y.empty() && r.chance(0.4))
      y.back() *= n;
    else
      y.push_back(n);
    if (r.chance(0.2)) y.push_back(1);
  }
  if (!y.empty()) std::rotate(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(r.below(y.size())), y.end());
  std::vector<std::ptrdiff_t> asked(y.begin(), y.end());
  if (count(x) > 0 && !y.empty() && r.chance(0.5)) asked[r.below(y.size())] = -1;
  return reshaped(
      r, fmt::format("reshape(x0, [{}])", fmt::join(asked, ", ")), [=](V v) { return reshape(v[0], asked); }, x, y);
}

Case draw_flatten(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(1, 5);
  std::size_t first = r.below(x.size()), last = r.below(x.size());
  if (last < first) std::swap(first, last);
  Shape y(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(first) + 1);
  for (std::size_t k = first + 1; k <= last; ++k) y.back() *= x[k];
  y.insert(y.end(), x.begin() + static_cast<std::ptrdiff_t>(last) + 1, x.end());
  const int a = static_cast<int>(first), b = static_cast<int>(last) - (r.chance(0.5) ? static_cast<int>(x.size()) : 0);
  return reshaped(
      r, fmt::format("flatten(x0, {}, {})", a, b), [=](V v) { return flatten(v[0], a, b); }, x, y);
}

Case draw_squeeze(Draw& r) {
  r.choose(kAll);
  Shape x = r.shape(0, 5);
  for (std::size_t& n : x)
    if (r.chance(0.3)) n = 1;
  const bool all = r.chance(0.3);
  Axes axes;
  Shape y;
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (x[k] == 1 && (all || r.chance(0.6)))
      axes.push_back(static_cast<int>(k) - (r.chance(0.5) ? static_cast<int>(x.size()) : 0));
    else
      y.push_back(x[k]);
  }
  if (all) axes.clear();
  if (axes.empty()) {  // of all
    y.clear();
    for (const std::size_t n : x)
      if (n != 1) y.push_back(n);
  }
  return reshaped(
      r, fmt::format("squeeze(x0, {})", text(axes)), [=](V v) { return squeeze(v[0], axes); }, x, y);
}

Case draw_unsqueeze(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 4);
  const int axis = r.axis(x.size() + 1);
  Shape y = x;
  y.insert(y.begin() + static_cast<std::ptrdiff_t>(from_front(axis, x.size() + 1)), 1);
  return reshaped(
      r, fmt::format("unsqueeze(x0, {})", axis), [=](V v) { return unsqueeze(v[0], axis); }, x, y);
}

Case draw_transpose(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 5);
  Axes axes;
  Index from(x.size());  // result axis k is x's axis from[k]
  for (std::size_t k = 0; k < x.size(); ++k) from[k] = x.size() - 1 - k;
  if (!x.empty() && r.chance(0.8)) {
    const std::vector<std::uint32_t> order = r.generator.permutation(x.size());
    from.assign(order.begin(), order.end());
    for (const std::size_t k : from)
      axes.push_back(static_cast<int>(k) - (r.chance(0.3) ? static_cast<int>(x.size()) : 0));
  }
  Shape y(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) y[k] = x[from[k]];
  return rearranged(
      r, fmt::format("transpose(x0, {})", text(axes)), [=](V v) { return transpose(v[0], axes); }, x, y,
      [=](const Index& at) {
        Index i(at.size());
        for (std::size_t k = 0; k < at.size(); ++k) i[from[k]] = at[k];
        return i;
      });
}

Case draw_flip(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 5);
  const Axes axes = r.axes(x.size());
  return rearranged(
      r, fmt::format("flip(x0, {})", text(axes)), [=](V v) { return flip(v[0], axes); }, x, x,
      [=](Index at) {
        for (std::size_t k = 0; k < at.size(); ++k) {
          const bool flipped = axes.empty() || std::any_of(axes.begin(), axes.end(),
                                                           [&](int axis) { return from_front(axis, x.size()) == k; });
          if (flipped) at[k] = x[k] - 1 - at[k];
        }
        return at;
      });
}

Case draw_slice(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 4);
  std::vector<Range> ranges;
  std::vector<std::string> words;
  Shape y;
  for (const std::size_t n : x) {
    Range range{r.below(n + 1), -1, 1 + r.below(3)};
    std::size_t stop = n;
    if (r.chance(0.6)) {
      stop = range.start + r.below(n - range.start + 1);
      range.stop = static_cast<std::ptrdiff_t>(stop);
    }
    words.push_back(fmt::format("({}, {}, {})", range.start, range.stop, range.step));
    y.push_back((stop - range.start + range.step - 1) / range.step);
    ranges.push_back(range);
  }
  return rearranged(
      r, fmt::format("slice(x0, [{}])", fmt::join(words, ", ")), [=](V v) { return slice(v[0], ranges); }, x, y,
      [=](Index at) {
        for (std::size_t k = 0; k < at.size(); ++k) at[k] = ranges[k].start + at[k] * ranges[k].step;
        return at;
      });
}

Case draw_pad(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 4);
  std::vector<std::size_t> before, after;
  Shape y = x;
  for (std::size_t& n : y) {
    before.push_back(r.below(3));
    after.push_back(r.below(3));
    n += before.back() + after.back();
  }
  return rearranged(
      r, fmt::format("pad(x0, [{}], [{}])", fmt::join(before, ", "), fmt::join(after, ", ")),
      [=](V v) { return pad(v[0], before, after); }, x, y,
      [=](Index at) -> std::optional<Index> {
        for (std::size_t k = 0; k < at.size(); ++k) {
          if (at[k] < before[k] || at[k] - before[k] >= x[k]) return std::nullopt;
          at[k] -= before[k];
        }
        return at;
      });
}

Case draw_broadcast_to(Draw& r) {
  r.choose(kAll);
  const Shape y = r.shape(0, 5), x = r.broadcast_from(y);
  return rearranged(
      r, fmt::format("broadcast_to(x0, {})", text(y)), [=](V v) { return broadcast_to(v[0], y); }, x, y,
      [=](const Index& at) { return index_of(broadcast_offset(offset_of(at, y), y, x), x); });
}

Case draw_sum_to(Draw& r) {
  r.choose({Kind::Integers, Kind::Offset, Kind::Small, Kind::Large});
  const Shape x = r.shape(0, 5), y = r.broadcast_from(x);
  Case c;
  c.call = fmt::format("sum_to(x0, {})", text(y));
  c.function = [y](V v) { return sum_to(v[0], y); };
  c.inputs = {r.values(x)};
  c.reach = {reach_of(c.inputs[0])};
  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i < count(x); ++i) offsets.push_back(broadcast_offset(i, x, y));
  c.reference = added(y, offsets);
  return c;
}

// ----------------------------------------------------------------------------------------------- several inputs

/// Which input, and where along the axis in it, each position along the joined axis comes from.
struct Joined {
  std::vector<std::pair<std::size_t, std::size_t>> from;
};

Case draw_concatenate(Draw& r) {
  r.choose(kAll);
  Shape y = r.shape(1, 4);
  const int axis = r.axis(y.size());
  const std::size_t k = from_front(axis, y.size()), parts = 1 + r.below(3);
  Case c;
  c.call = fmt::format("concatenate([{}], {})", parts == 1 ? "x0" : parts == 2 ? "x0, x1" : "x0, x1, x2", axis);
  c.function = [axis](V v) { return concatenate(v, axis); };
  Joined joined;
  for (std::size_t p = 0; p < parts; ++p) {
    Shape x = y;
    if (!r.large && r.chance(0.6)) x[k] = r.below(4);
    for (std::size_t i = 0; i < x[k]; ++i) joined.from.push_back({p, i});
    c.inputs.push_back(r.values(x));
    c.reach.push_back(reach_of(c.inputs.back()));
  }
  y[k] = joined.from.size();
  std::vector<Place> places;
  for (std::size_t i = 0; i < count(y); ++i) {
    Index at = index_of(i, y);
    const std::size_t part = joined.from[at[k]].first;
    at[k] = joined.from[at[k]].second;
    places.push_back({part, offset_of(at, c.inputs[part].shape())});
  }
  c.reference = moved(y, places);
  c.ulps = 0;
  return c;
}

Case draw_stack(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 4);
  const int axis = r.axis(x.size() + 1);
  const std::size_t k = from_front(axis, x.size() + 1), parts = 1 + r.below(3);
  Case c;
  c.call = fmt::format("stack([{}], {})", parts == 1 ? "x0" : parts == 2 ? "x0, x1" : "x0, x1, x2", axis);
  c.function = [axis](V v) { return stack(v, axis); };
  for (std::size_t p = 0; p < parts; ++p) {
    c.inputs.push_back(r.values(x));
    c.reach.push_back(reach_of(c.inputs.back()));
  }
  Shape y = x;
  y.insert(y.begin() + static_cast<std::ptrdiff_t>(k), parts);
  std::vector<Place> places;
  for (std::size_t i = 0; i < count(y); ++i) {
    Index at = index_of(i, y);
    const std::size_t part = at[k];
    at.erase(at.begin() + static_cast<std::ptrdiff_t>(k));
    places.push_back({part, offset_of(at, x)});
  }
  c.reference = moved(y, places);
  c.ulps = 0;
  return c;
}

/// The pieces joined again in the opposite order; of one that is not used, the gradient is 0.
Case draw_split(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(1, 4);
  const int axis = r.axis(x.size());
  const std::size_t k = from_front(axis, x.size());
  std::vector<std::size_t> sizes;
  for (std::size_t left = x[k]; left > 0 || sizes.empty(); left -= sizes.back()) sizes.push_back(r.below(left + 1));
  const bool last_is_used = sizes.size() == 1 || r.chance(0.5);
  std::vector<std::size_t> from;  // along the axis
  for (std::size_t p = sizes.size() - (last_is_used ? 0 : 1), end = x[k] - (last_is_used ? 0 : sizes.back());
       p-- > 0;) {
    end -= sizes[p];
    for (std::size_t i = 0; i < sizes[p]; ++i) from.push_back(end + i);
  }
  Shape y = x;
  y[k] = from.size();
  return rearranged(
      r, fmt::format("split_reversed(x0, [{}], {}, {})", fmt::join(sizes, ", "), axis, truth(last_is_used)),
      [=](V v) {
        Variables pieces = split(v[0], sizes, axis);
        if (!last_is_used) pieces.pop_back();
        std::reverse(pieces.begin(), pieces.end());
        return concatenate(pieces, axis);
      },
      x, y,
      [=](Index at) {
        at[k] = from[at[k]];
        return at;
      });
}

// ----------------------------------------------------------------------------------------------------- positions

Case draw_index_select(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(1, 4, false);
  const int axis = r.axis(x.size());
  const std::size_t k = from_front(axis, x.size());
  const Indices positions = r.positions({r.below(7)}, x[k]);
  Shape y = x;
  y[k] = positions.size();
  return rearranged(
      r, fmt::format("index_select(x0, {}, {})", axis, text(positions)),
      [=](V v) { return index_select(v[0], axis, positions); }, x, y,
      [=](Index at) {
        at[k] = static_cast<std::size_t>(positions.data()[at[k]]);
        return at;
      });
}

Case draw_gather(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(1, 4, false);
  const int axis = r.axis(x.size());
  const std::size_t k = from_front(axis, x.size());
  Shape y = x;
  y[k] = r.below(7);
  const Indices positions = r.positions(y, x[k]);
  return rearranged(
      r, fmt::format("gather(x0, {}, {})", axis, text(positions)), [=](V v) { return gather(v[0], axis, positions); },
      x, y,
      [=](Index at) {
        at[k] = static_cast<std::size_t>(positions.data()[offset_of(at, y)]);
        return at;
      });
}

Case draw_take(Draw& r) {
  r.choose(kAll);
  const Shape x = r.shape(0, 4, false);
  const Indices positions = r.positions(r.shape(0, 3), count(x));
  return rearranged(
      r, fmt::format("take(x0, {})", text(positions)), [=](V v) { return take(v[0], positions); }, x, positions.shape(),
      [=](const Index& at) {
        return index_of(static_cast<std::size_t>(positions.data()[offset_of(at, positions.shape())]), x);
      });
}

Case draw_put(Draw& r) {
  r.choose({Kind::Integers, Kind::Small, Kind::Large});
  const Shape y = r.shape(0, 4, false);
  const Indices positions = r.positions(r.shape(0, 3), count(y));
  Case c;
  c.call = fmt::format("put(x0, {}, {})", text(positions), text(y));
  c.function = [=](V v) { return put(v[0], positions, y); };
  c.inputs = {r.values(positions.shape())};
  c.reach = {reach_of(c.inputs[0])};
  c.reference = added(y, std::vector<std::size_t>(positions.begin(), positions.end()));
  c.ulps = 16;
  return c;
}

// ------------------------------------------------------------------------------------------------------- products

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

std::vector<Operation> array_operations() {
  std::vector<Operation> rows;
  reductions(rows);
  rows.insert(rows.end(), {{"reshape", draw_reshape},
                           {"flatten", draw_flatten},
                           {"squeeze", draw_squeeze},
                           {"unsqueeze", draw_unsqueeze},
                           {"transpose", draw_transpose},
                           {"flip", draw_flip},
                           {"slice", draw_slice},
                           {"pad", draw_pad},
                           {"broadcast_to", draw_broadcast_to},
                           {"sum_to", draw_sum_to},
                           {"concatenate", draw_concatenate},
                           {"stack", draw_stack},
                           {"split", draw_split},
                           {"index_select", draw_index_select},
                           {"gather", draw_gather},
                           {"take", draw_take},
                           {"put", draw_put},
                           {"matmul", draw_matmul},
                           {"dot", draw_dot},
                           {"outer", draw_outer}});
  return rows;
}

}  // namespace xtg::random_cases
