#pragma once

// What the tests of the norms' epilogues share.

#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "tests/nn/norm/norms.hpp"

namespace xtg::testing {

/// norms.hpp's cases, evaluation mode, and shapes that the norms' loops take as matrices of 64 columns: whole arrays or
/// samples whose rows divide, in one piece and in several.
inline std::vector<Case> epilogue_cases() {
  std::vector<Case> all = cases();
  for (const Case& c : {evaluation({7, 5}), evaluation({3, 4, 2, 6}, 0.1), evaluation({4, 4, 4, 8})}) all.push_back(c);
  for (const Shape& wide : {Shape{3, 8, 8, 4}, Shape{2, 4, 4, 16}, Shape{2, 3, 3, 64}, Shape{2, 8, 8, 1}}) {
    all.push_back(batch(wide));
    all.push_back(layer(wide, 3, 1e-5, 1));
    all.push_back(instance(wide));
    all.push_back(group(wide, wide.back() > 2 ? wide.back() / 2 : 1));
    if (wide.back() > 1) all.push_back(evaluation(wide));  // else relu is closed for all of this example
  }
  return all;
}

/// Arrays that are cut up among threads.
inline std::vector<Case> large_cases() {
  const Shape shape = {9, 16, 16, 16};
  return {batch(shape),      layer(shape, 3, 1e-5, 1), instance(shape),          group(shape, 4),
          evaluation(shape), batch({9, 31, 5, 24}),    group({40, 16, 16, 8}, 2)};
}

/// relu(norm(x) + residual), or without residual relu(norm(x)): by the separate operations.
inline Variable separate(const Case& c, const Variable& x, const Variable& gamma, const Variable& beta,
                         const Variable& residual) {
  const Variable y = c.norm(x, gamma, beta);
  return relu(residual.defined() ? y + residual : y);
}

inline Variable fused(const Case& c, const Variable& x, const Variable& gamma, const Variable& beta,
                      const Variable& residual) {
  return c.with_epilogue(x, gamma, beta, {true, residual});
}

}  // namespace xtg::testing
