#pragma once

// One right backward of batch normalization, and eighteen wrong ones, each a mistake that people make.

#include <vector>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"

using namespace xtg;

/// What a backward is given: dy, x, gamma, and the statistics of the forward. d is gamma·dy, h is x_hat.
struct Given {
  Variable dy, x, gamma, d, h, r;
  Scalar eps, M;
};

inline Variable m(const Variable& v) { return mean(v, {0}, true); }     // of each column
inline Variable rows(const Variable& v) { return mean(v, {1}, true); }  // of each row

struct Candidate {
  const char* name;
  Variable (*dx)(const Given&);
};

// region: backwards
const Candidate kRight{"right", [](const Given& g) { return g.r * (g.d - m(g.d) - g.h * m(g.d * g.h)); }};

const std::vector<Candidate> kWrong{
    {"always zero", [](const Given& g) { return g.d * Scalar{0}; }},
    {"way through v forgotten", [](const Given& g) { return g.r * (g.d - m(g.d)); }},
    {"way through mu forgotten", [](const Given& g) { return g.r * (g.d - g.h * m(g.d * g.h)); }},
    {"both forgotten", [](const Given& g) { return g.r * g.d; }},
    {"gamma forgotten", [](const Given& g) { return g.r * (g.dy - m(g.dy) - g.h * m(g.dy * g.h)); }},
    {"sums for means", [](const Given& g) { return g.r * (g.d - g.M * m(g.d) - g.h * (g.M * m(g.d * g.h))); }},
    // end region
    {"M-1 for M", [](const Given& g) { return g.r * (g.d - (m(g.d) + g.h * m(g.d * g.h)) * (g.M / (g.M - 1))); }},
    {"M-1 in the v term", [](const Given& g) { return g.r * (g.d - m(g.d) - g.h * m(g.d * g.h) * (g.M / (g.M - 1))); }},
    {"dv with power -1/2", [](const Given& g) { return g.r * (g.d - m(g.d)) - g.h * m(g.d * g.h) / g.r; }},
    {"sign of the v term", [](const Given& g) { return g.r * (g.d - m(g.d) + g.h * m(g.d * g.h)); }},
    {"factor 2 of the square lost",
     [](const Given& g) { return g.r * (g.d - m(g.d) - g.h * m(g.d * g.h) * Scalar(0.5)); }},
    {"x_hat lost in the v term", [](const Given& g) { return g.r * (g.d - m(g.d) - m(g.d * g.h)); }},
    {"eps missing",
     [](const Given& g) {
       const Variable r = rsqrt(pow(g.r, -2) - g.eps), h = g.h * (r / g.r);
       return r * (g.d - m(g.d) - h * m(g.d * h));
     }},
    {"rstd missing", [](const Given& g) { return g.d - m(g.d) - g.h * m(g.d * g.h); }},
    {"rstd squared", [](const Given& g) { return g.r * g.r * (g.d - m(g.d) - g.h * m(g.d * g.h)); }},
    {"x for x_hat in the mean", [](const Given& g) { return g.r * (g.d - m(g.d) - g.h * m(g.d * g.x)); }},
    {"dy for gamma*dy in the means", [](const Given& g) { return g.r * (g.d - m(g.dy) - g.h * m(g.dy * g.h)); }},
    {"means of rows", [](const Given& g) { return g.r * (g.d - rows(g.d) - g.h * rows(g.d * g.h)); }},
};
