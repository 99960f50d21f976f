#pragma once

// One right backward of batch normalization, and eighteen wrong ones, each a mistake that people make.

#include <vector>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/reduce.hpp"

using namespace xtg;

/// What a backward is given: dy, x, gamma, and the statistics of the forward. dx_hat is gamma·dy.
struct Given {
  Variable dy, x, gamma, dx_hat, x_hat, r;
  Scalar eps, M;
};

inline Variable m(const Variable& v) { return mean(v, {0}, true); }     // of each column
inline Variable rows(const Variable& v) { return mean(v, {1}, true); }  // of each row

struct Candidate {
  const char* name;
  Variable (*dx)(const Given&);
};

// region: backwards
const Candidate kRight{"right",
                       [](const Given& g) { return g.r * (g.dx_hat - m(g.dx_hat) - g.x_hat * m(g.dx_hat * g.x_hat)); }};

const std::vector<Candidate> kWrong{
    {"always zero", [](const Given& g) { return g.dx_hat * Scalar{0}; }},
    {"way through v forgotten", [](const Given& g) { return g.r * (g.dx_hat - m(g.dx_hat)); }},
    {"way through mu forgotten", [](const Given& g) { return g.r * (g.dx_hat - g.x_hat * m(g.dx_hat * g.x_hat)); }},
    {"both forgotten", [](const Given& g) { return g.r * g.dx_hat; }},
    {"gamma forgotten", [](const Given& g) { return g.r * (g.dy - m(g.dy) - g.x_hat * m(g.dy * g.x_hat)); }},
    {"sums for means",
     [](const Given& g) { return g.r * (g.dx_hat - g.M * m(g.dx_hat) - g.x_hat * (g.M * m(g.dx_hat * g.x_hat))); }},
    // end region
    {"M-1 for M",
     [](const Given& g) {
       return g.r * (g.dx_hat - (m(g.dx_hat) + g.x_hat * m(g.dx_hat * g.x_hat)) * (g.M / (g.M - 1)));
     }},
    {"M-1 in the v term",
     [](const Given& g) {
       return g.r * (g.dx_hat - m(g.dx_hat) - g.x_hat * m(g.dx_hat * g.x_hat) * (g.M / (g.M - 1)));
     }},
    {"dv with power -1/2",
     [](const Given& g) { return g.r * (g.dx_hat - m(g.dx_hat)) - g.x_hat * m(g.dx_hat * g.x_hat) / g.r; }},
    {"sign of the v term",
     [](const Given& g) { return g.r * (g.dx_hat - m(g.dx_hat) + g.x_hat * m(g.dx_hat * g.x_hat)); }},
    {"factor 2 of the square lost",
     [](const Given& g) { return g.r * (g.dx_hat - m(g.dx_hat) - g.x_hat * m(g.dx_hat * g.x_hat) * Scalar(0.5)); }},
    {"x_hat lost in the v term", [](const Given& g) { return g.r * (g.dx_hat - m(g.dx_hat) - m(g.dx_hat * g.x_hat)); }},
    {"eps missing",
     [](const Given& g) {
       const Variable r = rsqrt(pow(g.r, -2) - g.eps), x_hat = g.x_hat * (r / g.r);
       return r * (g.dx_hat - m(g.dx_hat) - x_hat * m(g.dx_hat * x_hat));
     }},
    {"rstd missing", [](const Given& g) { return g.dx_hat - m(g.dx_hat) - g.x_hat * m(g.dx_hat * g.x_hat); }},
    {"rstd squared",
     [](const Given& g) { return g.r * g.r * (g.dx_hat - m(g.dx_hat) - g.x_hat * m(g.dx_hat * g.x_hat)); }},
    {"x for x_hat in the mean",
     [](const Given& g) { return g.r * (g.dx_hat - m(g.dx_hat) - g.x_hat * m(g.dx_hat * g.x)); }},
    {"dy for gamma*dy in the means",
     [](const Given& g) { return g.r * (g.dx_hat - m(g.dy) - g.x_hat * m(g.dy * g.x_hat)); }},
    {"means of rows",
     [](const Given& g) { return g.r * (g.dx_hat - rows(g.dx_hat) - g.x_hat * rows(g.dx_hat * g.x_hat)); }},
};
