#include "autograd/graph.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <sstream>

#include "autograd/grad_mode.hpp"
#include "autograd/operation.hpp"
#include "autograd/ops/activation.hpp"
#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/matmul.hpp"
#include "autograd/ops/reduce.hpp"
#include "nn/norm/batch_norm.hpp"
#include "tensor/create.hpp"
#include "tensor/file.hpp"
#include "tensor/shape.hpp"
#include "tests/small_stack.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::testing;

namespace {

/// A box of the drawing: what a reader sees of it, words separated by single spaces, and the frames around it.
struct Box {
  std::string shown, frames, style;
};

std::uint64_t serial(const Variable& v) { return v.node()->serial; }

std::string without_markup(const std::string& html) {
  std::string text, result, word;
  bool tag = false;
  for (const char c : html) {
    if (c == '<') tag = true;
    text += tag ? ' ' : c;
    if (c == '>') tag = false;
  }
  for (std::size_t at; (at = text.find("&#160;")) != std::string::npos;) text.replace(at, 6, " ");
  for (std::istringstream words(text); words >> word;) result += (result.empty() ? "" : " ") + word;
  return result;
}

/// Reads the drawing line by line, as it is written; a line that is none of the known ones fails the test.
std::map<std::uint64_t, Box> boxes(const std::string& drawing) {
  std::map<std::uint64_t, Box> found;
  std::vector<std::string> open;
  std::istringstream lines(drawing.substr(drawing.find("labelangle=28];\n") + 16));
  for (std::string line; std::getline(lines, line);) {
    const std::string text = line.substr(line.find_first_not_of(' '));
    const std::size_t label = text.find("label=<");
    if (starts_with(text, "subgraph cluster")) {
      open.push_back(text.substr(label + 7, text.size() - label - 9));
    } else if (text == "}") {
      if (!open.empty()) open.pop_back();
    } else if (starts_with(text, "n") && label != std::string::npos && !contains(text, " -> ")) {
      const std::string content = text.substr(label + 7, text.size() - label - 10);
      const Box box = {without_markup(content), fmt::format("{}", fmt::join(open, " > ")), text.substr(0, label)};
      CHECK(found.emplace(std::stoull(text.substr(1)), box).second);  // each node once
    } else {
      CHECK_MESSAGE(contains(text, " -> "), text);
    }
  }
  CHECK(open.empty());
  return found;
}

std::string shown(const std::string& drawing, const Variable& v) {
  const auto all = boxes(drawing);
  const auto found = all.find(serial(v));
  return found == all.end() ? "not there" : found->second.shown;
}

std::string frames(const std::string& drawing, const Variable& v) { return boxes(drawing).at(serial(v)).frames; }

std::string numbers(const Tensor& x) {
  std::string text;
  for (std::size_t i = 0; i < x.size(); ++i) text += fmt::format("{}{:.4g}", i == 0 ? "" : " ", x.data()[i]);
  return text;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::string arrow(const Variable& from, const Variable& to) {
  return fmt::format("  n{} -> n{}", serial(from), serial(to));
}

GraphOptions everything() {
  GraphOptions options;
  options.values = options.gradients = true;
  return options;
}

}  // namespace

TEST_CASE("graph: the text of a tiny graph") {
  const Variable x(tensor({1, 2}, {2}), true), k(scalar(3));
  const Variable y = x * k;
  GraphOptions options;
  options.names = {{"x", x}, {"y", y}};
  const std::string expected = fmt::format(
      R"(digraph tape {{
  graph [rankdir=LR
    bgcolor="#ffffff" pad=0.2 nodesep=0.2 ranksep=0.35 labeljust=l
    style=rounded color="#9aa5b1" fontname="DejaVu Sans,Verdana,sans-serif" fontsize=11 fontcolor="#55606a"];
  node [shape=box style="rounded,filled" fontname="DejaVu Sans,Verdana,sans-serif" fontsize=12 margin="0.1,0.05"];
  edge [color="#55606a" arrowsize=0.7 labelfontname="DejaVu Sans,Verdana,sans-serif" labelfontsize=11
    labelfontcolor="#66707a" labeldistance=1.3 labelangle=28];
  n{x} [fillcolor="#d9f2dd" color="#2e7d32" label=<{t}><TR><TD><FONT COLOR="#000000"><B>x&#160;</B>(2)</FONT></TD></TR></TABLE>>];
  n{k} [fillcolor="#eeeeee" color="#757575" label=<{t}><TR><TD><FONT COLOR="#000000"><B>constant</B></FONT></TD></TR></TABLE>>];
  n{y} [fillcolor="#ffe8c7" color="#b8660a" label=<{t}><TR><TD><FONT COLOR="#000000"><B>y&#160;</B>= multiply (2)</FONT></TD></TR></TABLE>>];
  n{x} -> n{y} [headlabel="0"];
  n{k} -> n{y} [headlabel="1"] [style=dashed color="#9aa5b1"];
}}
)",
      fmt::arg("x", serial(x)), fmt::arg("k", serial(k)), fmt::arg("y", serial(y)),
      fmt::arg("t", R"(<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1")"));
  CHECK(to_graphviz(y, options) == expected);
  CHECK(to_graphviz(y, options) == expected);
  options.top_down = true;
  CHECK(contains(to_graphviz(y, options), "rankdir=TB\n"));
}

TEST_CASE("graph: names, values and gradients of a scalar example") {
  const KeepValues keep;
  const Variable a(scalar(2), true), b(scalar(-3), true), c(scalar(10), true);
  const Variable p = a * b, s = p + c, y = square(s);
  GraphOptions options = everything();
  options.names = {{"a", a}, {"s", s}, {"again", s}, {"nowhere", Variable(scalar(1))}, {"", b}, {"no one", Variable()}};
  const std::string text = to_graphviz(y, options);
  CHECK(boxes(text).size() == 6);
  CHECK(shown(text, a) == "a value 2 gradient -24");
  CHECK(shown(text, b) == "parameter value -3 gradient 16");
  CHECK(shown(text, c) == "parameter value 10 gradient 8");
  CHECK(shown(text, p) == "multiply value -6 gradient 8");
  CHECK(shown(text, s) == "s = add value 4 gradient 8");
  CHECK(shown(text, y) == "square value 16 gradient 1");
  std::map<std::string, int> styles;
  for (const auto& [number, box] : boxes(text)) ++styles[box.style.substr(box.style.find('['))];
  CHECK(styles.size() == 3);  // three parameters, two operations, the output
  CHECK(boxes(text).at(serial(y)).style != boxes(text).at(serial(s)).style);
  CHECK(shown(to_graphviz(s, options), s) == "s = add value 4 gradient 1");
  CHECK(shown(to_graphviz(s, options), y) == "not there");
  CHECK(shown(to_graphviz(a, options), a) == "a value 2 gradient 1");  // a parameter alone
}

TEST_CASE("graph: arrays of up to 12 elements are printed, larger ones are summed up") {
  const KeepValues keep;
  const auto value = [](const Tensor& x) {
    const Variable v(x, true);
    GraphOptions options;
    options.values = true;
    return shown(to_graphviz(v + Scalar{0}, options), v);
  };
  CHECK(value(tensor({1, 2.5, -3, 1e-9, 123456, 0}, {2, 3})) == "parameter (2, 3) value 1 2.5 -3 1e-09 1.235e+05 0");
  CHECK(value(scalar(Scalar(-0.0))) == "parameter value 0");
  CHECK(value(tensor({7}, {1, 1})) == "parameter (1, 1) value 7");
  CHECK(value(arange(12)) == "parameter (12) value 0 1 2 3 4 5 6 7 8 9 10 11");
  CHECK(value(arange(13)) == "parameter (13) value 0 … 12, mean 6");
  CHECK(value(zeros({0, 3})) == "parameter (0, 3) value no elements");
  CHECK(value(zeros({3, 0})) == "parameter (3, 0) value no elements");
  Tensor bad = arange(13);
  bad.data()[0] = std::numeric_limits<Scalar>::quiet_NaN();
  CHECK(value(bad) == "parameter (13) value 1 … 12, mean nan");
  CHECK(value(tensor({0, 1, 2, 3}, {2, 2})) == "parameter (2, 2) value 0 1 2 3");

  const Variable x(tensor({0, 1, 2, 3}, {2, 2}), true);
  GraphOptions options;
  options.values = true;
  const std::string cell = R"(<TD ALIGN="RIGHT">)";
  CHECK(contains(to_graphviz(x * x, options), "<TR>" + cell + "0&#160;</TD>" + cell + "1</TD></TR><TR>" + cell +
                                                  "2&#160;</TD>" + cell + "3</TD></TR></TABLE>"));
}

TEST_CASE("graph: values that were not kept, or were modified since, are not made up") {
  Variable x(scalar(2), true), k(scalar(5));
  GraphOptions options;
  options.values = true;
  options.names = {{"k", k}};
  const Variable s = x + k, e = exp(s * s), y = s + e;
  const std::string text = to_graphviz(y, options);
  CHECK(shown(text, x) == "parameter value not kept");
  CHECK(shown(text, k) == "k value 5");
  CHECK(shown(text, s) == "add value not kept");
  CHECK(shown(text, e) == "exp value 1.907e+21");  // its backward needs it
  CHECK(shown(text, y) == "add value 1.907e+21");

  const KeepValues keep;
  const Variable z = x * k;
  x.mutable_value() = scalar(7);
  CHECK(shown(to_graphviz(z, options), x) == "parameter value modified since");
  CHECK(shown(to_graphviz(z, options), z) == "multiply value 10");
}

TEST_CASE("graph: the gradient of each node is that of grad(), the graph is kept, and leaves are not touched") {
  Variable x(normal({2, 3}, 1), true), w(normal({3, 2}, 2), true), k(normal({2, 2}, 3));
  x.backward(ones({2, 3}));
  const Variable h = matmul(x, w), t = tanh(h), u = t * k, v = u * h, y = v + t;  // h and t are used twice
  const Variable dy(normal({2, 2}, 4));
  GraphOptions options = everything();
  options.values = false;
  options.dy = dy;
  const std::string text = to_graphviz(y, options);
  for (const Variable& node : {x, w, h, t, u, v, y}) {
    GradOptions retain;
    retain.retain_graph = true;
    const std::string expected = "gradient " + numbers(grad({y}, {node}, {dy}, retain)[0].value());
    CAPTURE(expected);
    CHECK(contains(shown(text, node), expected));
  }
  CHECK(shown(text, k) == "constant (2, 2)");
  CHECK(identical(x.grad(), ones({2, 3})));
  CHECK_FALSE(w.has_grad());
  CHECK(to_graphviz(y, options) == text);

  const Variable dw = grad({y}, {w}, {dy}, {false, true, false})[0];
  y.backward(dy.value());
  CHECK(identical(w.grad(), dw.value()));
}

TEST_CASE("graph: an operation that passes no gradient on") {
  const Variable x(scalar(2), true);
  const Variable stopped = record("stop", x.value(), {x}, [](const Variable&, const Context&) { return Variables(1); });
  const std::string text = to_graphviz(stopped * x, everything());
  CHECK(shown(text, stopped) == "stop value not kept gradient 2");
  const std::string alone = to_graphviz(stopped, everything());
  CHECK(shown(alone, x) == "parameter value not kept gradient none");
}

TEST_CASE("graph: arrows: one for each argument, dashed where no gradient flows, none for an absent one") {
  const Variable x(scalar(2), true), k(scalar(3));
  const Variable square = x * x;
  std::string text = to_graphviz(square);
  CHECK(count_of(text, arrow(x, square)) == 2);
  CHECK(contains(text, arrow(x, square) + " [headlabel=\"0\"];\n" + arrow(x, square) + " [headlabel=\"1\"];\n"));
  const Variable y = record("user_op", scalar(1), {Variable(), square, k}, [](const Variable& dy, const Context&) {
    return Variables{Variable(), dy, Variable()};
  });
  text = to_graphviz(y);
  CHECK(boxes(text).size() == 4);
  CHECK(count_of(text, "->") == 4);
  CHECK(contains(text, arrow(square, y) + " [headlabel=\"1\"];\n"));
  CHECK(contains(text, arrow(k, y) + " [headlabel=\"2\"] [style=dashed"));
  CHECK(contains(to_graphviz(exp(x)), ";\n}\n"));
  CHECK_FALSE(contains(to_graphviz(exp(x)), "headlabel=\"0"));  // one argument: no number
  // A leaf that was a constant then and requires a gradient now.
  Variable late(scalar(1));
  const Variable z = x * late;
  late.set_requires_grad(true);
  CHECK(contains(to_graphviz(z), arrow(late, z) + " [headlabel=\"1\"] [style=dashed"));
}

TEST_CASE("graph: scopes are frames inside one another, and a name leads a leaf into its frame") {
  const KeepValues keep;
  const Variable x(ones({2, 3}), true), w(ones({3, 2}), true), v(ones({2, 2}), true), b(ones({2}));
  Variable h, r, y;
  {
    const Scope stage("stage");
    {
      const Scope block("0"), layer("linear");
      h = matmul(x, w);
    }
    r = relu(h);
    const Scope block("1");
    y = matmul(r, v) + b;
  }
  const Variable total = sum(y);
  GraphOptions options;
  options.names = {{"x", x}, {"stage.0.linear.weight", w}, {"elsewhere.weight", v}, {"stage.bias", b}};
  const std::string text = to_graphviz(total, options);
  CHECK(frames(text, x) == "");
  CHECK(frames(text, w) == "stage > stage.0 > stage.0.linear");
  CHECK(frames(text, h) == "stage > stage.0 > stage.0.linear");
  CHECK(frames(text, v) == "");  // there is no such frame
  CHECK(frames(text, b) == "stage");
  CHECK(frames(text, r) == "stage");
  CHECK(frames(text, y) == "stage > stage.1");
  CHECK(frames(text, total) == "");
  CHECK(shown(text, w) == "stage.0.linear.weight (3, 2)");
  CHECK(count_of(text, "subgraph cluster") == 4);
  for (int i = 1; i <= 4; ++i) CHECK(count_of(text, fmt::format("subgraph cluster{} ", i)) == 1);
}

TEST_CASE("graph: a fused operation is one box, its definition a frame of boxes, with the same numbers") {
  const KeepValues keep;
  const Tensor at = normal({4, 2}, 1), g = normal({2}, 2), b = normal({2}, 3);
  for (const bool derived : {false, true}) {
    CAPTURE(derived);
    const DerivedGradients mode(derived);
    const Variable x(at, true), gamma(g, true), beta(b, true);
    const Scope scope("batch_norm");
    const Variable y = nn::batch_norm(x, gamma, beta, 1e-5);
    GraphOptions options = everything();
    options.names = {{"x", x}, {"gamma", gamma}, {"beta", beta}, {"y", y}};
    options.dy = Variable(normal({4, 2}, 4));
    const std::string text = to_graphviz(y, options);
    std::size_t inside = 0;
    for (const auto& [number, box] : boxes(text)) inside += box.frames == "batch_norm" ? 1 : 0;
    CHECK(inside == (derived ? 9 : 1));
    CHECK(starts_with(shown(text, y), derived ? "y = add (4, 2) value" : "y = batch_norm (4, 2) value"));
    CHECK(contains(shown(text, y), "value " + numbers(y.value()) + " gradient " + numbers(options.dy.value())));
    CHECK(frames(text, x) == "");
    CHECK(frames(text, y) == "batch_norm");
    y.backward(options.dy.value());
    CHECK(shown(text, x) == "x (4, 2) value " + numbers(at) + " gradient " + numbers(x.grad()));
    CHECK(shown(text, gamma) == "gamma (2) value " + numbers(g) + " gradient " + numbers(gamma.grad()));
    CHECK(shown(text, beta) == "beta (2) value " + numbers(b) + " gradient " + numbers(beta.grad()));
  }
}

TEST_CASE("graph: the graph of a gradient can be drawn, too") {
  const KeepValues keep;
  const Variable x(scalar(3), true);
  GradOptions create;
  create.create_graph = true;
  const Variable d = grad({square(square(x))}, {x}, {}, create)[0];  // 4x³
  const std::string text = to_graphviz(d, everything());
  CHECK(contains(shown(text, d), "value 108 gradient 1"));
  CHECK(shown(text, x) == "parameter value 3 gradient 108");  // 12x²
}

TEST_CASE("graph: names and scopes are text, whatever is in them") {
  const KeepValues keep;
  const Variable x(scalar(1), true);
  const Scope scope("a<b> & \"c\"\\N");
  const Variable y =
      record("user<T>", scalar(1), {x}, [](const Variable& dy, const Context&) { return Variables{dy}; });
  GraphOptions options;
  options.names = {{"<x> \"quoted\" & \\N\nsecond line\ttab\x01", x}};
  const std::string text = to_graphviz(y, options);
  CHECK(contains(text, "<B>&#60;x&#62; &#34;quoted&#34; &#38; \\\\N<BR/>second line tab </B>"));
  CHECK(contains(text, "label=<a&#60;b&#62; &#38; &#34;c&#34;\\\\N>;"));
  CHECK(contains(text, "<B>user&#60;T&#62;</B>"));
  options.names = {{".", x}};  // a path without a name at its end
  CHECK(shown(to_graphviz(y, options), x) == ".");
}

TEST_CASE("graph: errors") {
  const Variable x(ones({2, 3}), true);
  const std::string nothing =
      "ValueError: to_graphviz: nothing was recorded for this Variable; no input required a gradient, or recording was "
      "off (NoGrad)";
  CHECK(error_of([&] { to_graphviz(Variable()); }) == nothing);
  CHECK(error_of([&] { to_graphviz(Variable(ones({2}))); }) == nothing);
  CHECK(error_of([&] {
          const NoGrad off;
          to_graphviz(x * x);
        }) == nothing);

  const std::string released =
      "ValueError: to_graphviz: the graph of 'exp' was released by an earlier backward; draw it before, or set "
      "retain_graph there";
  const Variable e = exp(x), y = sum(e), other = sum(square(e));
  y.backward(true);
  CHECK(error_of([&] { to_graphviz(y); }) == "");
  y.backward();
  CHECK(error_of([&] { to_graphviz(e); }) == released);
  CHECK(error_of([&] { to_graphviz(other); }) == released);  // a part of it
  CHECK(error_of([&] { to_graphviz(other, everything()); }) == released);

  CHECK(error_of([&] { to_graphviz(x * x, everything()); }) ==
        "ShapeError: to_graphviz: the gradients of an output of shape (2, 3) need weights for its elements, dy in the "
        "options");
  GraphOptions options = everything();
  options.dy = Variable(ones({3, 2}));
  CHECK(error_of([&] { to_graphviz(x * x, options); }) ==
        "ShapeError: visit_gradients: expected an output gradient of shape (2, 3), got (3, 2)");
}

TEST_CASE("graph: the file holds the text, and appears whole or not at all") {
  const TemporaryDirectory folder;
  const std::string path = folder / "tape.dot";
  const Variable x(scalar(1), true);
  Variable y = exp(x);
  write_graphviz(y, path, everything());
  const std::string text = to_graphviz(y, everything());
  CHECK(read_file(path) == text);
  y.backward();
  CHECK(error_of([&] { write_graphviz(y, path, everything()); }) != "");
  CHECK(read_file(path) == text);
  CHECK_THROWS_WITH_AS(write_graphviz(exp(x), folder / "none/tape.dot"),
                       doctest::Contains("none/tape.dot: cannot write: "), FormatError);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("graph: a chain of 100,000 operations is drawn on a stack of 256 KiB") {
  on_small_stack([] {
    const KeepValues keep;
    const Variable x(scalar(1), true);
    Variable y = x;
    for (int i = 0; i < 100000; ++i) y = y + Scalar{1};
    const std::string text = to_graphviz(y, everything());
    if (count_of(text, " -> ") != 100000) throw ValueError("wrong number of arrows");
    if (count_of(text, ">gradient 1<") != 100001) throw ValueError("wrong number of gradients");
    if (!contains(text, ">value 1e+05<")) throw ValueError("wrong value");
  });
}
