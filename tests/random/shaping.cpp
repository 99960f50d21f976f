#include <algorithm>
#include <optional>

#include "autograd/ops/indexing.hpp"
#include "autograd/ops/reduce.hpp"
#include "autograd/ops/shaping.hpp"
#include "tests/random/case.hpp"

namespace xtg::random_cases {
namespace {

using testing::broadcast_offset;
using testing::index_of;
using testing::offset_of;

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

}  // namespace

std::vector<Operation> shaping_operations() {
  return {{"reshape", draw_reshape},
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
          {"put", draw_put}};
}

}  // namespace xtg::random_cases
