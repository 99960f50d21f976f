// Checks exercise 01. Compiled by tools/assignment with the student's folder in front of the include path.
#include "exercise_01.hpp"

#include <string>
#include <vector>

#include "assignment/grader/report.hpp"

namespace {

using student::Gradient;

struct Point {
  double a, b, c;
};
const std::vector<Point> points{{1.2, 0.5, -0.3}, {-0.7, 1.1, 0.4}, {0.3, -2, 0.9}};

/// What usually goes wrong; Mistake::None is the right backward.
enum class Mistake { None, LostFromS, LostFromW, LostFromY, LostFromP, Input, NoSquare, Sign, NoTanh };

Gradient backward(const Point& at, Mistake mistake) {
  const auto is = [&](Mistake m) { return mistake == m; };
  const double p = at.a * at.b, s = p + at.c, z = std::tanh(s);
  const double slope = is(Mistake::Input)      ? 1 - s * s
                       : is(Mistake::NoSquare) ? 1 - z
                       : is(Mistake::NoTanh)   ? 1
                                               : 1 - z * z;
  const double ds = p * slope;
  const double dp = (is(Mistake::LostFromW) ? 0 : z) + (is(Mistake::LostFromS) ? 0 : ds);
  const double from_y = is(Mistake::LostFromY) ? 0 : is(Mistake::Sign) ? 1 : -1;
  return {from_y + (is(Mistake::LostFromP) ? 0 : dp * at.b), dp * at.a, ds};
}

struct Named {
  Mistake mistake;
  const char* hint;
};
const std::vector<Named> mistakes{
    {Mistake::LostFromW,
     "p is a fork: it goes into s (2) and into w (4). What came back from w is missing: add, in (2), "
     "to what (4) has put into dp"},
    {Mistake::LostFromS, "p is a fork: it goes into s (2) and into w (4). What came back from s is missing in dp"},
    {Mistake::LostFromY,
     "a is a fork: it goes into p (1) and into y (5). What came back from y, which is -dy, is missing: "
     "add, in (1), to what (5) has put into da"},
    {Mistake::LostFromP, "a is a fork: it goes into p (1) and into y (5). What came back from p is missing in da"},
    {Mistake::Input, "the derivative of tanh(s) is 1 - z*z, in z = tanh(s), the output; this is 1 - s*s"},
    {Mistake::NoSquare, "the derivative of tanh(s) is 1 - z*z; the square is missing"},
    {Mistake::NoTanh, "step (3) passes dz on to ds unchanged; it must multiply by tanh's derivative, 1 - z*z"},
    {Mistake::Sign, "y = w - a: growing a makes y smaller, so (5) puts -dy into da, not dy"},
};

bool close(double x, double y) { return std::abs(x - y) <= 1e-9 * (1 + std::abs(y)); }

/// Whether `part` of the gradient is the same at all points as with this mistake.
bool agrees(double Gradient::*part, Mistake mistake) {
  for (const Point& at : points)
    if (!close(student::chain_rule(at.a, at.b, at.c).*part, backward(at, mistake).*part)) return false;
  return true;
}

std::string judge(double Gradient::*part, const char* otherwise) {
  if (agrees(part, Mistake::None)) return "";
  for (const Named& named : mistakes)
    if (agrees(part, named.mistake)) return named.hint;
  return otherwise;
}

}  // namespace

int main() {
  xtg::assignment::Report report("exercise 01: a backward by hand");
  report.check("E1.dc", "the derivative with respect to c", 1, [] {
    return judge(&Gradient::dc, "c is used in (2) only, so dc is ds. Look at (5), (4) and (3), in this order");
  });
  report.check("E1.db", "the derivative with respect to b", 1, [] {
    return judge(&Gradient::db,
                 "b is used in (1) only, so db is dp*a. If dc is right, look at dp: two steps add to it");
  });
  report.check("E1.da", "the derivative with respect to a", 1,
               [] { return judge(&Gradient::da, "two steps add to da: (5) and (1). If db is right, so is dp"); });
  return report.finish();
}
