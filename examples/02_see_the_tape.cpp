// The tape, made visible. A Variable remembers the operation that made it and that operation's arguments, so behind a
// result stands a graph. Forward, numbers flow along its arrows; backward() walks it against them, by the chain rule.
//
//   02_see_the_tape [DIRECTORY]     writes three graphs there, for Graphviz; its package has the program `dot`

#include <cstdio>
#include <exception>
#include <string>
#include <xtgrad.hpp>

using namespace xtg;

namespace {

double number(const Tensor& x) { return static_cast<double>(x.item()); }

void draw_scalar(const std::string& directory) {
  const KeepValues keep;  // without it the tape forgets every value that no backward needs
  const Variable a(scalar(2), true), b(scalar(-3), true), c(scalar(10), true);  // true: wants a gradient
  const Variable s = a * b + c;
  const Variable y = square(s);
  std::printf("y = (a*b + c)^2 = (%g * %g + %g)^2 = %g\n", number(a.value()), number(b.value()), number(c.value()),
              number(y.value()));

  GraphOptions options;
  options.names = {{"a", a}, {"b", b}, {"c", c}, {"s", s}, {"y", y}};
  options.values = options.gradients = true;
  write_graphviz(y, directory + "/scalar.dot", options);  // before backward(), which releases the graph

  y.backward();
  std::printf("dy/ds = 2*s   = %g\n", 2 * number(s.value()));
  std::printf("dy/da = 2*s*b = %g\n", number(a.grad()));
  std::printf("dy/db = 2*s*a = %g\n", number(b.grad()));
  std::printf("dy/dc = 2*s   = %g\n", number(c.grad()));
}

/// The same layer twice: one box whose gradient is written by hand, or its definition, which the tape differentiates.
/// The values and gradients of x, gamma, beta and y are the same in both.
void draw_batch_norm(const std::string& path, bool unfolded) {
  const KeepValues keep;
  const DerivedGradients mode(unfolded);
  const Variable x(tensor({1, 10, 2, 30, 4, 20, 5, 40}, {4, 2}), true);  // 4 samples, 2 channels
  const Variable gamma(tensor({1, 2}, {2}), true), beta(tensor({0, 1}, {2}), true);
  Variable y;
  {
    const Scope scope("batch_norm");  // draws a frame around what is recorded while it lives
    y = nn::batch_norm(x, gamma, beta, 1e-5);
  }
  GraphOptions options;
  options.names = {{"x", x}, {"gamma", gamma}, {"beta", beta}, {"y", y}};
  options.values = options.gradients = true;
  options.dy = Variable(tensor({1, -1, 2, 0, 0, 1, -1, 2}, {4, 2}));  // y has 8 elements: how much each counts
  write_graphviz(y, path, options);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string argument = argc > 1 ? argv[1] : ".";
  if (argument == "--help") {
    std::puts(
        "usage: 02_see_the_tape [DIRECTORY]\nWrites graphs for Graphviz to DIRECTORY (default: the current one).");
    return 0;
  }
  if (argc > 2 || argument.empty() || argument[0] == '-') {
    std::fprintf(stderr, "02_see_the_tape: expected at most one argument, a directory (see --help)\n");
    return 2;
  }
  try {
    draw_scalar(argument);
    draw_batch_norm(argument + "/batch_norm_fused.dot", false);
    draw_batch_norm(argument + "/batch_norm_unfolded.dot", true);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "02_see_the_tape: %s\n", error.what());
    return 2;
  }
  std::printf("\nWrote scalar.dot, batch_norm_fused.dot and batch_norm_unfolded.dot. To see one:\n");
  std::printf("  dot -Tsvg %s/scalar.dot -o scalar.svg     (apt-get install graphviz; open it in a browser)\n",
              argument.c_str());
}
