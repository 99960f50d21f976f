// expect: E1.dc: this is 1 - s*s
#pragma once

// Exercise 01, of docs/01-chain-rule.md: a backward by hand.
// Check it with: tools/assignment check . 01

#include <cmath>

#include "assignment/not_implemented.hpp"

namespace student {

struct Gradient {
  double da = 0, db = 0, dc = 0;
};

/// The derivatives of y = p·tanh(p + c) − a, where p = a·b, with respect to a, b and c.
inline Gradient chain_rule(double a, double b, double c) {
  const double p = a * b;         // (1)
  const double s = p + c;         // (2)
  const double z = std::tanh(s);  // (3)
  const double w = p * z;         // (4)
  const double y = w - a;         // (5)
  (void)y;

  const double dy = 1;
  double da = 0, db = 0, dc = 0, dp = 0, ds = 0, dz = 0, dw = 0;

  da -= dy, dw += dy;          // (5)
  dp += dw * z, dz += dw * p;  // (4)
  ds += dz * (1 - s * s);      // (3)
  dp += ds, dc += ds;          // (2)
  da += dp * b, db += dp * a;  // (1)
  return {da, db, dc};
}

}  // namespace student
