// The program of docs/02-tape.md: a tape in forty lines, then the library's, and what it says when something is wrong.

#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <xtgrad.hpp>

#include "examples/walkthroughs/walkthrough.hpp"

using namespace xtg;

namespace {

// region: mini
struct Tape {
  struct Input {
    int step;
    double slope;  // derivative of the result with respect to this input
  };
  struct Step {
    std::string name;
    double value;
    std::vector<Input> inputs;
  };
  std::vector<Step> steps;

  int push(std::string name, double value, std::vector<Input> inputs) {
    steps.push_back({std::move(name), value, std::move(inputs)});
    return static_cast<int>(steps.size()) - 1;
  }
  double value(int i) const { return steps[i].value; }
  int leaf(std::string name, double value) { return push(std::move(name), value, {}); }
  int add(std::string name, int a, int b) { return push(std::move(name), value(a) + value(b), {{a, 1}, {b, 1}}); }
  int multiply(std::string name, int a, int b) {
    return push(std::move(name), value(a) * value(b), {{a, value(b)}, {b, value(a)}});
  }
  int root(std::string name, int a) {
    const double r = std::sqrt(value(a));
    return push(std::move(name), r, {{a, 1 / (2 * r)}});
  }

  std::vector<double> backward(int output, const std::vector<int>& order) const {
    std::vector<double> gradient(steps.size(), 0.0);
    gradient[output] = 1;
    for (const int i : order)
      for (const Input& input : steps[i].inputs) gradient[input.step] += gradient[i] * input.slope;
    return gradient;
  }
};
// end region

/// y = a·√((a·b + c)² + a·b), the six steps of page 01.
Tape page_01() {
  // region: record
  Tape tape;
  const int a = tape.leaf("a", 2), b = tape.leaf("b", 8), c = tape.leaf("c", -13);
  const int p = tape.multiply("p", a, b);
  const int s = tape.add("s", p, c);
  const int q = tape.multiply("q", s, s);
  const int t = tape.add("t", q, p);
  const int r = tape.root("r", t);
  tape.multiply("y", a, r);
  // end region
  return tape;
}

std::vector<int> newest_first(int output) {
  std::vector<int> order;
  for (int i = output; i >= 0; --i) order.push_back(i);
  return order;
}

/// First come, first served: a step is next in line when somebody delivers to it for the first time.
std::vector<int> as_reached(const Tape& tape, int output) {
  std::vector<int> order;
  std::vector<bool> seen(tape.steps.size(), false);
  std::queue<int> line;
  for (line.push(output), seen[output] = true; !line.empty(); line.pop()) {
    order.push_back(line.front());
    for (const Tape::Input& input : tape.steps[line.front()].inputs)
      if (!seen[input.step]) line.push(input.step), seen[input.step] = true;
  }
  return order;
}

void order() {
  const Tape tape = page_01();
  const int output = static_cast<int>(tape.steps.size()) - 1;
  const auto report = [&](const char* title, const std::vector<int>& order) {
    std::printf("%-13s", title);
    for (const int i : order) std::printf(" %s", tape.steps[i].name.c_str());
    const std::vector<double> d = tape.backward(output, order);
    std::printf("   da = %-5g db = %-4g dc = %g\n", d[0], d[1], d[2]);
  };
  report("newest first:", newest_first(output));
  report("as reached:", as_reached(tape, output));
}

double number(const Tensor& x) { return static_cast<double>(x.item()); }

void nodes() {
  // region: nodes
  const Variable a(scalar(2), true), b(scalar(-3), true), c(scalar(10), true);  // true: wants a gradient
  const Variable y = square(a * b + c);
  visit_gradients(y, Variable(), [](const Node& node, const Tensor& gradient) {
    std::printf("%-9s %zu inputs   gradient %g\n", node.name, node.inputs.size(), number(gradient));
  });
  // end region
}

void accumulate() {
  // region: accumulate
  const Variable a(scalar(3), true);
  square(a).backward();
  std::printf("after d(a*a)/da:         a.grad() = %g\n", number(a.grad()));
  (a * Scalar{5}).backward();
  std::printf("after d(5*a)/da as well: a.grad() = %g\n", number(a.grad()));
  // end region
}

/// Whether the numbers of the argument, and of the result, are kept while only the tape behind the result is.
void ownership() {
  using Operation = Variable (*)(const Variable&);
  const std::pair<const char*, Operation> operations[] = {
      {"x + 1", [](const Variable& x) { return x + Scalar{1}; }},
      {"square(x)", [](const Variable& x) { return square(x); }},
      {"exp(x)", [](const Variable& x) { return exp(x); }},
      {"sum(x)", [](const Variable& x) { return sum(x); }},
  };
  std::printf("             argument   result\n");
  for (const auto& [name, operation] : operations) {
    // region: ownership
    auto x = std::make_unique<Variable>(ones({1000}), true);
    auto y = std::make_unique<Variable>(operation(*x));
    const Variable loss = sum(*y);  // sum needs no numbers, so it keeps none alive
    const std::weak_ptr<Storage> argument = x->storage(), result = y->storage();
    x.reset(), y.reset();
    std::printf("%-12s %-10s %s\n", name, argument.expired() ? "freed" : "kept", result.expired() ? "freed" : "kept");
    // end region
  }
}

template <class Function>
void complaint(const char* title, const Function& function) {
  try {
    function();
  } catch (const std::exception& error) {
    std::printf("%s\n    %s\n", title, error.what());
  }
}

void refused() {
  complaint("backward() a second time:", [] {
    const Variable x(scalar(3), true), y = square(x);
    y.backward();
    y.backward();
  });
  complaint("numbers changed that the backward needs:", [] {
    Variable x(scalar(3), true);
    const Variable y = square(x);
    x.mutable_value() = scalar(4);
    y.backward();
  });
}

void anomaly() {
  complaint("a value:", [] {
    // region: anomaly
    const DetectAnomaly detect;
    const Variable x(tensor({1, 4, -0.5}, {3}), true);
    const Scope scope("layer1");
    const Variable y = sum(log(x));
    // end region
  });
  complaint("a gradient:", [] {
    const DetectAnomaly detect;
    const Variable x(tensor({1, 0, 4}, {3}), true);
    const Scope scope("layer2");
    sum(sqrt(x)).backward();
  });
}

void scalar_graph() {
  // region: draw
  const KeepValues keep;  // without it the tape forgets every value that no backward needs
  const Variable a(scalar(2), true), b(scalar(-3), true), c(scalar(10), true);
  const Variable s = a * b + c;
  const Variable y = square(s);

  GraphOptions options;
  options.names = {{"a", a}, {"b", b}, {"c", c}, {"s", s}, {"y", y}};
  options.values = options.gradients = true;
  std::printf("%s", to_graphviz(y, options).c_str());  // or write_graphviz(y, "scalar.dot", options)
  // end region
}

/// The layer of page 05, as its definition: what the tape sees of it under DerivedGradients.
void batch_norm_graph() {
  const KeepValues keep;
  const DerivedGradients mode;
  const Variable x(tensor({1, 10, 2, 30, 4, 20, 5, 40}, {4, 2}), true);  // 4 samples, 2 channels
  const Variable gamma(tensor({1, 2}, {2}), true), beta(tensor({0, 1}, {2}), true);
  Variable y;
  {
    const Scope scope("batch_norm");  // draws a frame around what is recorded while it lives
    y = nn::batch_norm(x, gamma, beta, 1e-5);
  }
  GraphOptions options;
  options.names = {{"x", x}, {"gamma", gamma}, {"beta", beta}, {"y", y}};
  options.top_down = true;  // from left to right it is twice as wide as a page
  std::printf("%s", to_graphviz(y, options).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return walk(argc, argv,
              {{"order", "a tape of our own, walked in two orders", order},
               {"nodes", "what the library has recorded", nodes},
               {"accumulate", "backward() adds", accumulate},
               {"ownership", "which numbers the tape keeps alive", ownership},
               {"refused", "what the tape refuses", refused},
               {"anomaly", "where a number that is not finite arose", anomaly}},
              {{"scalar", "the tape of (a*b + c)^2, for Graphviz", scalar_graph},
               {"batch-norm", "batch norm's definition, for Graphviz", batch_norm_graph}});
}
