// Reverse-mode differentiation from nothing. A tape is a list of operations in the order in which they ran; each entry
// knows which entries its inputs are, and how fast its value changes with each of them. One walk over the list, from
// the end to the beginning, gives the derivative of the last entry with respect to all the others: the chain rule.
//
// Here is a tape for plain numbers. The same formula then goes over the library's tape, and through finite differences.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>
#include <xtgrad.hpp>

namespace {

struct Edge {
  std::size_t input;  // an entry of the tape
  double slope;       // d value/d input, with the other input held
};

struct Entry {
  const char* name;
  double value;
  std::vector<Edge> edges;  // none: a number that was put in from outside, a leaf
};

std::vector<Entry> tape;

/// A number with its place on the tape.
struct Number {
  std::size_t place;
  double value() const { return tape[place].value; }
};

Number record(const char* name, double value, std::vector<Edge> edges) {
  tape.push_back({name, value, std::move(edges)});
  return {tape.size() - 1};
}

Number operator+(Number a, Number b) { return record("add", a.value() + b.value(), {{a.place, 1}, {b.place, 1}}); }
Number operator*(Number a, Number b) {
  return record("multiply", a.value() * b.value(), {{a.place, b.value()}, {b.place, a.value()}});
}
Number tanh(Number x) {
  const double y = std::tanh(x.value());
  return record("tanh", y, {{x.place, 1 - y * y}});
}

/// d output/d entry, for each entry up to the output.
std::vector<double> gradients(Number output) {
  std::vector<double> gradient(output.place + 1, 0.0);
  gradient[output.place] = 1;
  for (std::size_t i = output.place + 1;
       i-- > 0;)  // an entry comes after its inputs: going back, gradient[i] is complete
    for (const Edge& edge : tape[i].edges)
      gradient[edge.input] += gradient[i] * edge.slope;  // where paths meet, they add
  return gradient;
}

/// u·tanh(u + c) with u = a·b, for any type that has the three operations. u is used twice.
template <class T>
T formula(const T& a, const T& b, const T& c) {
  using std::tanh;
  const T u = a * b;
  return u * tanh(u + c);
}

}  // namespace

int main() {
  const std::array<double, 3> at = {1.5, 2, -2.5};  // a, b, c

  // 1. Our tape.
  const Number a = record("a", at[0], {}), b = record("b", at[1], {}), c = record("c", at[2], {});
  const Number y = formula(a, b, c);
  const std::vector<double> gradient = gradients(y);

  // 2. The library's. visit_gradients() walks as gradients() does, and shows each operation on the way.
  const xtg::Variable va(xtg::scalar(at[0]), true), vb(xtg::scalar(at[1]), true), vc(xtg::scalar(at[2]), true);
  std::vector<double> theirs;  // newest first
  xtg::visit_gradients(formula(va, vb, vc), xtg::Variable(),
                       [&](const xtg::Node&, const xtg::Tensor& g) { theirs.insert(theirs.begin(), g.item()); });

  std::printf("y = u*tanh(u + c), u = a*b\n\n");
  std::printf("place  entry     value      dy/d(entry)  the library's\n");
  for (std::size_t i = 0; i < tape.size(); ++i)
    std::printf("%5zu  %-8s  %8.5f  %11.5f  %13.5f\n", i, tape[i].name, tape[i].value, gradient[i], theirs.at(i));

  // u = a*b is entry 3. Two arrows leave it, so two products come back to it: straight from y, and through tanh.
  const double t = tape[5].value;
  std::printf("\ndy/du = t + u*(1 - t^2) = %.5f + %.5f = %.5f, with t = tanh(u + c)\n", t, 3 * (1 - t * t),
              gradient[3]);

  // 3. Finite differences: move one input a little to either side.
  double worst = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double h = 1e-5;
    std::array<double, 3> up = at, down = at;
    up[i] += h;
    down[i] -= h;
    const double slope = (formula(up[0], up[1], up[2]) - formula(down[0], down[1], down[2])) / (2 * h);
    worst = std::max(worst, std::abs(slope - gradient[i]));
  }
  std::printf("finite differences agree to 1e-8: %s\n", worst < 1e-8 ? "yes" : "no");

  // To try: write = instead of += in gradients(). Which of the derivatives are still right, and why these?
}
