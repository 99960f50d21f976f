// The program of docs/03-broadcast-reduce.md: reductions and broadcasts, and why each is the other's backward.

#include <cmath>
#include <string>
#include <xtensor/xmath.hpp>
#include <xtgrad.hpp>

#include "examples/walkthroughs/walkthrough.hpp"

using namespace xtg;

namespace {

const Tensor kX = tensor({1, 10, 2, 30, 6, 20}, {3, 2});
const Tensor kDy = tensor({4, -2, 0, 7, -1, 1}, {3, 2});

void show(const char* name, const Tensor& x) { std::printf("%-22s %s\n", name, to_string(x, 4).c_str()); }

double inner(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }

void reduce() {
  // region: reduce
  const Variable x(kX, true);         // (3, 2)
  const Variable y = sum(x, {0});     // (2): the sum of each column
  y.backward(tensor({15, -9}, {2}));  // dy, given
  // end region
  show("x", x.value());
  show("y = sum(x, {0})", y.value());
  show("dx for dy = {15, -9}", x.grad());
  const Variable x2(kX, true);
  mean(x2, {0}).backward(tensor({15, -9}, {2}));
  show("the same for the mean", x2.grad());
}

void broadcast() {
  // region: broadcast
  const Variable b(tensor({7, 8}, {2}), true);  // (2)
  const Variable y = broadcast_to(b, {3, 2});   // (3, 2): the same row three times
  y.backward(kDy);
  // end region
  show("b", b.value());
  show("y = b, three times", y.value());
  show("dy, given", kDy);
  show("db", b.grad());
}

void duality() {
  Generator random(3);
  // region: duality
  const Tensor x = random_normal({5, 4}, random), u = random_normal({4}, random);
  const double first = inner(sum(x, {0}), u);         // sum(x) · u
  const double second = inner(x, zeros({5, 4}) + u);  // x · broadcast(u)
  // end region
  std::printf("%.6f\n%.6f\n", first, second);
}

void shapes() {
  std::printf("shape of b   elements   db has shape   each element of db adds up\n");
  for (const Shape& shape : {Shape{4}, Shape{1, 4}, Shape{3, 1}, Shape{2, 1, 1}, Shape{}}) {
    // region: shapes
    const Variable x(zeros({2, 3, 4})), b(zeros(shape), true);
    const Variable y = x + b;     // always (2, 3, 4)
    y.backward(ones({2, 3, 4}));  // every element of dy is 1, so that db counts
    // end region
    std::printf("%-12s %8zu   %-14s %g\n", to_string(shape).c_str(), b.size(), to_string(b.grad().shape()).c_str(),
                static_cast<double>(b.grad().data()[0]));
  }
}

void centre() {
  // region: centre
  const Variable x(kX, true);
  const Variable y = x - mean(x, {0});
  y.backward(kDy);
  const Tensor dx = kDy - mean(kDy, {0});  // by hand
  // end region
  show("y = x - mean(x)", y.value());
  show("dy, given", kDy);
  show("dx by the tape", x.grad());
  show("dx = dy - mean(dy)", dx);
}

void lazy() {
  // region: lazy
  xt::xarray<double> x{1, 2, 3};
  auto total = xt::sum(x);           // not a number: a promise to add up x
  const double kept = xt::sum(x)();  // a number
  x(0) = 100;
  std::printf("total = %g\nkept  = %g\n", total(), kept);
  // end region
}

/// A table of numbers as SVG, its upper left corner at (left, top).
std::string grid(int left, int top, const Tensor& x, const char* title, const char* color) {
  const std::size_t columns = x.shape().back();
  std::string svg = fmt::format("<text x='{}' y='{}' font-weight='bold'>{}</text>\n", left, top - 8, title);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const int cx = left + 44 * static_cast<int>(i % columns), cy = top + 28 * static_cast<int>(i / columns);
    svg += fmt::format("<rect x='{}' y='{}' width='44' height='28' fill='{}' stroke='#55606a'/>", cx, cy, color);
    svg += fmt::format("<text x='{}' y='{}' text-anchor='middle'>{:g}</text>\n", cx + 22, cy + 19, x.data()[i]);
  }
  return svg;
}

std::string arrow(int from, int to, int y, const char* label) {
  const int head = from < to ? to - 8 : to + 8;
  return fmt::format(
      "<line x1='{}' y1='{}' x2='{}' y2='{}' stroke='#1b1f23' stroke-width='1.5'/>"
      "<path d='M{},{} L{},{} L{},{} z'/><text x='{}' y='{}' text-anchor='middle'>{}</text>\n",
      from, y, head, y, to, y, head, y - 5, head, y + 5, (from + to) / 2, y - 8, label);
}

void duality_figure() {
  const Variable x(kX, true), b(tensor({7, 8}, {2}), true);
  const Variable total = sum(x, {0}), copies = broadcast_to(b, {3, 2});
  const Tensor dtotal = tensor({15, -9}, {2});
  total.backward(dtotal);
  copies.backward(kDy);
  const char *value = "#e3edfb", *gradient = "#fbe3e1";
  std::printf(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 640 330' width='640' height='330' "
      "font-family='Helvetica,Arial,sans-serif' font-size='14'>\n<rect width='640' height='330' "
      "fill='white'/>\n%s</svg>\n",
      (grid(20, 40, x.value(), "x", value) + arrow(115, 195, 82, "sum") + grid(202, 68, total.value(), "y", value) +
       grid(340, 40, x.grad(), "dx", gradient) + arrow(515, 435, 82, "broadcast") +
       grid(522, 68, dtotal, "dy", gradient) + grid(20, 228, b.value(), "b", value) +
       arrow(115, 195, 242, "broadcast") + grid(202, 200, copies.value(), "y", value) +
       grid(340, 228, b.grad(), "db", gradient) + arrow(515, 435, 242, "sum") + grid(522, 200, kDy, "dy", gradient))
          .c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"reduce", "the backward of a sum", reduce},
               {"broadcast", "the backward of a repetition", broadcast},
               {"duality", "one identity behind both", duality},
               {"shapes", "what is summed for which shape", shapes},
               {"centre", "subtracting the mean: both at once", centre},
               {"lazy", "a promise in place of a number", lazy}},
              {{"duality", "sum and broadcast, forward and backward", duality_figure}});
}
