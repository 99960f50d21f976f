#pragma once

// Batch norm in seven steps, forward and backward, on plain Tensors; and the numbers that pages 06 and 07 try it on.

#include <algorithm>
#include <cmath>
#include <xtgrad.hpp>

using namespace xtg;

// region: forward
struct Values {
  Tensor mean, centred, squares, var, rstd, x_hat, y;
};

inline Values forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  Values f;
  f.mean = mean(x, {0}, true);         // 1   (1, C)
  f.centred = x - f.mean;              // 2   (M, C)
  f.squares = square(f.centred);       // 3   (M, C)
  f.var = mean(f.squares, {0}, true);  // 4   (1, C)
  f.rstd = rsqrt(f.var + eps);         // 5   (1, C)
  f.x_hat = f.centred * f.rstd;        // 6   (M, C)
  f.y = gamma * f.x_hat + beta;        // 7   (M, C)
  return f;
}
// end region

// region: backward
struct StepGradients {
  Tensor dgamma, dbeta, dx_hat, drstd, dvar, dsquares, dcentred, dmean, dx;
};

inline StepGradients backward(const Tensor& dy, const Tensor& gamma, const Values& f) {
  const double M = static_cast<double>(dy.shape()[0]);
  StepGradients b;
  b.dbeta = sum(dy, {0});                             // 7   (C)
  b.dgamma = sum(dy * f.x_hat, {0});                  // 7   (C)
  b.dx_hat = dy * gamma;                              // 7   (M, C)
  b.drstd = sum(b.dx_hat * f.centred, {0}, true);     // 6   (1, C)
  b.dvar = -0.5 * b.drstd * pow(f.rstd, 3);           // 5   (1, C)
  b.dsquares = broadcast_to(b.dvar / M, dy.shape());  // 4   (M, C)
  b.dcentred = b.dx_hat * f.rstd                      // 6, the first of two ways
               + 2 * f.centred * b.dsquares;          // 3, the second
  b.dmean = -sum(b.dcentred, {0}, true);              // 2   (1, C)
  b.dx = b.dcentred + b.dmean / M;                    // 2 and 1: two ways again
  return b;
}
// end region

// The column of four numbers that is computed by hand on the pages.
// region: column
inline const Tensor column = tensor({3, 9, 11, 17}, {4, 1}), column_dy = tensor({1, 0, 2, -1}, {4, 1});
inline const Tensor column_gamma = tensor({2}, {1}), column_beta = tensor({1}, {1});  // eps is 0: round numbers
// end region

/// 6 × 5: columns of spread 0.5 to 8 about 12, gammas of both signs, a random dy. Everything differs, so that no
/// mistake hides.
struct Problem {
  Tensor x, dy, gamma = tensor({1.5, -0.7, 0.3, 2, -1.1}, {5}), beta = tensor({0.1, 0.2, -0.3, 0, 1}, {5});
};
inline Problem problem() {
  Generator random(6);
  const Tensor spread = tensor({0.5, 1, 2, 4, 8}, {5});
  Problem p;
  p.x = random_normal({6, 5}, random) * spread + 12;
  p.dy = random_normal({6, 5}, random);
  return p;
}

inline double largest(const Tensor& x) {
  double result = 0;
  for (const Scalar value : x) result = std::max(result, std::abs(value));
  return result;
}

/// The length, √Σx².
inline double norm(const Tensor& x) { return std::sqrt(sum(square(x)).item()); }

/// max|a − b| / max|b|, and infinite for another shape.
inline double relative_error(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() ? largest(a - b) / largest(b) : INFINITY;
}

inline const char* yes_or_stop(bool holds, const char* claim) {
  if (!holds) throw std::runtime_error(std::string("not true: ") + claim);
  return "yes";
}

/// The numbers of a column; what is rounding noise is shown as 0.
inline std::string numbers(const Tensor& x) {
  std::string text;
  for (const Scalar value : x) text += fmt::format("{:8.4g}", std::abs(value) < 1e-12 ? 0 : value);
  return text;
}
