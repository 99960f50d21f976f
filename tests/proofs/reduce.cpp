#include "autograd/ops/reduce.hpp"

#include "tests/proofs/table.hpp"

namespace xtg::proofs {
namespace {

using Rows = std::vector<Proof>;
using Reduction = std::function<Variable(const Variable& x, const Axes& axes, bool keepdims)>;

/// Over all axes, over two of them (one counted from the end), over one that is kept.
void reduction(Rows& rows, const std::string& name, const Reduction& f, Domain domain = Domain::Normal) {
  const auto row = [&](const std::string& how, const Axes& axes, bool keepdims) {
    rows.push_back({name + how, [=](V v) { return f(v[0], axes, keepdims); }, {{{2, 3, 4}, domain}}});
  };
  row(" all", {}, false);
  row(" axes {0,-1}", {0, -1}, false);
  row(" axes {-2} keepdims", {-2}, true);
}

void of_scalar(Rows& rows, const std::string& name, const Reduction& f, Domain domain = Domain::Normal) {
  rows.push_back({name + " of a scalar", [=](V v) { return f(v[0], {}, false); }, {{{}, domain}}});
}

Reduction plain(Variable (*f)(const Variable&, const Axes&, bool)) { return f; }

Reduction with(Variable (*f)(const Variable&, const Axes&, bool, bool), bool unbiased) {
  return [=](const Variable& x, const Axes& axes, bool keepdims) { return f(x, axes, keepdims, unbiased); };
}

/// The largest (or smallest) at several places, which share the gradient.
void extremum(Rows& rows, const std::string& name, const Reduction& f) {
  reduction(rows, name, f, Domain::Distinct);
  of_scalar(rows, name, f, Domain::Distinct);
  rows.push_back({name + " axes {0,-1} with ties",
                  [=](V v) {
                    return f(v[0], {0, -1}, false);
                  },
                  {{{2, 3, 4}}},
                  1,
                  kKink});
}

}  // namespace

std::vector<Proof> reduce_rows() {
  Rows rows;
  reduction(rows, "sum", plain(sum));
  of_scalar(rows, "sum", plain(sum));
  reduction(rows, "mean", plain(mean));
  of_scalar(rows, "mean", plain(mean));
  reduction(rows, "variance", with(variance, true));
  reduction(rows, "variance biased", with(variance, false));
  rows.push_back({"variance far from 0", [](V v) { return variance(v[0], {0}); }, {{{5, 2}}}, 1, kKink});
  reduction(rows, "standard_deviation", with(standard_deviation, true));
  reduction(rows, "standard_deviation biased", with(standard_deviation, false));
  extremum(rows, "max", plain(max));
  extremum(rows, "min", plain(min));
  rows.push_back({"argmax axis 1", [](V v) { return numbers(argmax(v[0], 1)); }, {{{2, 3, 4}}}, 0});
  rows.push_back({"argmax axis -1 with ties", [](V v) { return numbers(argmax(v[0], -1)); }, {{{2, 3, 4}}}, 0});
  reduction(rows, "logsumexp", plain(logsumexp));
  of_scalar(rows, "logsumexp", plain(logsumexp));
  rows.push_back({"logsumexp far out", [](V v) { return logsumexp(v[0], {-1}); }, {{{2, 5}}}, 1, kKink});
  rows.push_back({"broadcast_to", [](V v) { return broadcast_to(v[0], {2, 3, 4}); }, {{{3, 1}}}});
  rows.push_back({"broadcast_to of a scalar", [](V v) { return broadcast_to(v[0], {2, 3}); }, {{{}}}});
  rows.push_back({"sum_to", [](V v) { return sum_to(v[0], {3, 1}); }, {{{2, 3, 4}}}});
  rows.push_back({"sum_to a scalar", [](V v) { return sum_to(v[0], {}); }, {{{2, 3}}}});
  return rows;
}

}  // namespace xtg::proofs
