// The program of docs/01-chain-rule.md: a number computed in six steps, and its derivatives by the chain rule.

#include <cmath>
#include <xtgrad.hpp>

#include "examples/walkthroughs/walkthrough.hpp"

using namespace xtg;

namespace {

const double a0 = 2, b0 = 8, c0 = -13;  // change these, and run again

struct Gradient {
  double da, db, dc;
};

/// y = a·√((a·b + c)² + a·b) and its derivatives in six steps; prints them if asked to.
Gradient by_hand(double a, double b, double c, bool print) {
  // region: forward
  const double p = a * b;         // (1)
  const double s = p + c;         // (2)
  const double q = s * s;         // (3)
  const double t = q + p;         // (4)
  const double r = std::sqrt(t);  // (5)
  const double y = a * r;         // (6)
  // end region

  // region: backward
  const double dy = 1;
  double da = 0, db = 0, dc = 0, dp = 0, ds = 0, dq = 0, dt = 0, dr = 0;
  da += dy * r, dr += dy * a;  // (6)
  dt += dr / (2 * r);          // (5)
  dq += dt, dp += dt;          // (4)
  ds += dq * 2 * s;            // (3)
  dp += ds, dc += ds;          // (2)
  da += dp * b, db += dp * a;  // (1)
  // end region
  if (!print) return {da, db, dc};

  std::printf("forward\n");
  std::printf("(1)  p = a*b     = %g\n(2)  s = p + c   = %g\n(3)  q = s*s     = %g\n", p, s, q);
  std::printf("(4)  t = q + p   = %g\n(5)  r = sqrt(t) = %g\n(6)  y = a*r     = %g\n", t, r, y);
  std::printf("\nbackward\n");
  std::printf("(6)  da = dy*r        = %-14g dr = dy*a      = %g\n", dy * r, dr);
  std::printf("(5)  dt = dr/(2*r)    = %g\n", dt);
  std::printf("(4)  dq = dt          = %-14g dp = dt        = %g\n", dq, dt);
  std::printf("(3)  ds = dq*2*s      = %g\n", ds);
  std::printf("(2)  dp = %-4g + ds   = %-14g dc = ds        = %g\n", dt, dp, dc);
  std::printf("(1)  da = %-4g + dp*b = %-14g db = dp*a      = %g\n", dy * r, da, db);
  return {da, db, dc};
}

void trace() { by_hand(a0, b0, c0, true); }

// region: function
double function(double a, double b, double c) { return a * std::sqrt((a * b + c) * (a * b + c) + a * b); }
// end region

/// The same derivatives in two other ways.
void check() {
  const Gradient hand = by_hand(a0, b0, c0, false);
  // region: differences
  const double h = 1e-5;
  const Gradient differences{(function(a0 + h, b0, c0) - function(a0 - h, b0, c0)) / (2 * h),
                             (function(a0, b0 + h, c0) - function(a0, b0 - h, c0)) / (2 * h),
                             (function(a0, b0, c0 + h) - function(a0, b0, c0 - h)) / (2 * h)};
  // end region
  // region: tape
  const Variable a(scalar(a0), true), b(scalar(b0), true), c(scalar(c0), true);  // true: wants a gradient
  const Variable p = a * b;
  const Variable y = a * sqrt(square(p + c) + p);
  y.backward();
  const Gradient tape{a.grad().item(), b.grad().item(), c.grad().item()};
  // end region
  std::printf("         by hand   differences      tape\n");
  const auto row = [](const char* name, double first, double second, double third) {
    std::printf("%s  %10.4f    %10.4f%10.4f\n", name, first, second, third);
  };
  row("dy/da", hand.da, differences.da, tape.da);
  row("dy/db", hand.db, differences.db, tape.db);
  row("dy/dc", hand.dc, differences.dc, tape.dc);
}

/// Steps (2) and (1) with "=" in place of "+=".
void fork() {
  const double a = a0, b = b0, s = a * b + c0, r = std::sqrt(s * s + a * b), dy = 1;
  const double dr = dy * a, dt = dr / (2 * r), ds = dt * 2 * s;
  // region: forgotten
  double da = dy * r, db = 0, dc = 0, dp = dt;  // after step (3)
  dp = ds, dc = ds;                             // (2)  what came from t is lost
  da = dp * b, db = dp * a;                     // (1)  what came from y is lost
  // end region
  const Gradient right = by_hand(a0, b0, c0, false);
  std::printf("         forgotten     right\n");
  std::printf("dy/da  %11.4f%10.4f\ndy/db  %11.4f%10.4f\ndy/dc  %11.4f%10.4f\n", da, right.da, db, right.db, dc,
              right.dc);
}

void graph() {
  const KeepValues keep;
  const Variable a(scalar(a0), true), b(scalar(b0), true), c(scalar(c0), true);
  const Variable p = a * b, s = p + c, q = square(s), t = q + p, r = sqrt(t), y = a * r;
  GraphOptions options;
  options.names = {{"a", a}, {"b", b}, {"c", c}, {"p", p}, {"s", s}, {"q", q}, {"t", t}, {"r", r}, {"y", y}};
  options.values = options.gradients = true;
  std::printf("%s", to_graphviz(y, options).c_str());
}

struct Errors {
  double one_sided, centred;
};

/// Relative errors of dy/da by differences. Only +, −, ·, / and √ are in it, which every processor rounds alike.
Errors errors(double h) {
  const double a = a0, b = b0, c = c0, right = by_hand(a, b, c, false).da;
  const double one_sided = (function(a + h, b, c) - function(a, b, c)) / h;
  const double centred = (function(a + h, b, c) - function(a - h, b, c)) / (2 * h);
  return {std::abs(one_sided - right) / right, std::abs(centred - right) / right};
}

void steps() {
  std::printf("    h     one-sided   centred\n");
  for (const double h : {1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-14}) {
    std::printf("%6.0e     %8.0e  %8.0e\n", h, errors(h).one_sided, errors(h).centred);
  }
}

void steps_figure() {
  std::string rows;
  double h = 1;
  for (int i = 0; i <= 60; ++i, h *= 0.5625) {  // down to 1e-15
    const Errors e = errors(h);
    rows += fmt::format("{:.4g} {:.3g} {:.3g}\n", h, std::max(e.one_sided, 1e-13), std::max(e.centred, 1e-13));
  }
  gnuplot("$rows << end\n" + rows + R"(end
set logscale xy
set format xy '1e%+T'
set xrange [1e-15:1]
set yrange [1e-13:1]
set xlabel 'step h'
set ylabel 'relative error of dy/da'
set mxtics 1
set mytics 1
set key top center
plot $rows using 1:2 with linespoints lc rgb '#7f9fbf' lw 2 pt 7 ps 0.3 title 'one-sided', \
     $rows using 1:3 with linespoints lc rgb '#c44e24' lw 2 pt 7 ps 0.3 title 'centred'
)");
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"trace", "six steps forward, the same six backward", trace},
               {"check", "the derivatives by hand, by differences and by the tape", check},
               {"fork", "what comes out if a fork's gradients are not added", fork},
               {"steps", "the error of a difference, and the size of its step", steps}},
              {{"steps", "that error as a plot", steps_figure}, {"graph", "the six steps, for Graphviz", graph}});
}
