// Graphviz does the drawing. What is left for us is a list of boxes, a list of arrows, and what is written in the
// boxes, in Graphviz' HTML-like language.

#include "autograd/graph.hpp"

#include <cmath>
#include <map>

#include "tensor/file.hpp"
#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg {
namespace {

constexpr std::size_t kPrintedInFull = 12;  // elements

// DejaVu Sans and Verdana are equally wide, and one of them is nearly everywhere: text fits its box in every viewer.
constexpr const char* kStyle = R"(
    bgcolor="#ffffff" pad=0.2 nodesep=0.2 ranksep=0.35 labeljust=l
    style=rounded color="#9aa5b1" fontname="DejaVu Sans,Verdana,sans-serif" fontsize=11 fontcolor="#55606a"];
  node [shape=box style="rounded,filled" fontname="DejaVu Sans,Verdana,sans-serif" fontsize=12 margin="0.1,0.05"];
  edge [color="#55606a" arrowsize=0.7 labelfontname="DejaVu Sans,Verdana,sans-serif" labelfontsize=11
    labelfontcolor="#66707a" labeldistance=1.3 labelangle=28];
)";
constexpr const char* kParameter = R"(fillcolor="#d9f2dd" color="#2e7d32")";
constexpr const char* kConstant = R"(fillcolor="#eeeeee" color="#757575")";
constexpr const char* kOperation = R"(fillcolor="#e3edfb" color="#1f5fa8")";
constexpr const char* kOutput = R"(fillcolor="#ffe8c7" color="#b8660a")";
constexpr const char* kNoGradient = R"( [style=dashed color="#9aa5b1"])";
constexpr const char* kValueText = "#000000";
constexpr const char* kGradientText = "#b3261e";
constexpr const char* kSpace = "&#160;";  // one that stays where it stands

using Nodes = std::map<std::uint64_t, const Node*>;  // by serial number: arguments before results
using Path = std::vector<std::string>;               // scopes, outermost first
using Rows = std::vector<std::vector<std::string>>;  // of printed numbers

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&' || c == '<' || c == '>' || c == '"')
      result += fmt::format("&#{};", static_cast<int>(c));
    else if (c == '\\')
      result += "\\\\";  // a single one and an N would be replaced by the name of the box
    else if (c == '\n')
      result += "<BR/>";
    else
      result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;  // XML has no other control characters
  }
  return result;
}

std::string printed(Scalar x) { return fmt::format("{:.4g}", x == 0 ? Scalar{0} : x); }  // no -0

Rows rows_of(const Tensor& x) {
  if (x.size() == 0) return {{"no elements"}};
  if (x.size() > kPrintedInFull) {
    Scalar low = x.data()[0], high = low;
    for (const Scalar v : x) {
      low = std::fmin(low, v);  // these pass over NaN; the mean shows it
      high = std::fmax(high, v);
    }
    return {{fmt::format("{} … {}, mean {}", printed(low), printed(high), printed(mean(x).item()))}};
  }
  const std::size_t columns = x.dimension() == 0 ? 1 : x.shape().back();
  Rows rows(x.size() / columns);
  for (std::size_t i = 0; i < x.size(); ++i) rows[i / columns].push_back(printed(x.data()[i]));
  return rows;
}

/// What the nodes do not know themselves.
struct Facts {
  const Variable& output;
  const GraphOptions& options;
  std::map<const Node*, std::pair<std::string, Variable>> handles;
  std::map<const Node*, Rows> gradients;

  std::string name(const Node* node) const {
    const auto found = handles.find(node);
    return found == handles.end() ? "" : found->second.first;
  }
};

Nodes nodes_behind(const Variable& output) {
  Nodes nodes = {{output.node()->serial, output.node().get()}};
  std::vector<const Node*> open = {output.node().get()};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    require(!node->released,
            "to_graphviz: the graph of '{}' was released by an earlier backward; draw it before, or set retain_graph "
            "there",
            node->name);
    for (const Node::Input& input : node->inputs)
      if (input.node && nodes.emplace(input.node->serial, input.node.get()).second) open.push_back(input.node.get());
  }
  return nodes;
}

Facts facts_of(const Variable& output, const GraphOptions& options) {
  Facts facts{output, options, {}, {}};
  for (const auto& named : options.names)
    if (named.second.defined()) facts.handles.emplace(named.second.node().get(), named);
  facts.handles.emplace(output.node().get(), std::make_pair("", output));
  if (!options.gradients) return facts;
  require<ShapeError>(options.dy.defined() || output.size() == 1,
                      "to_graphviz: the gradients of an output of shape {} need weights for its elements, dy in the "
                      "options",
                      to_string(output.shape()));
  visit_gradients(output, options.dy,
                  [&](const Node& node, const Tensor& gradient) { facts.gradients.emplace(&node, rows_of(gradient)); });
  return facts;
}

Rows value_of(const Node& node, const Facts& facts) {
  if (node.output && node.output->version != node.output_version) return {{"modified since"}};
  if (node.output) return rows_of(node.output->value);
  const auto handle = facts.handles.find(&node);
  return handle == facts.handles.end() ? Rows{{"not kept"}} : rows_of(handle->second.second.value());
}

Rows gradient_of(const Node& node, const Facts& facts) {
  const auto found = facts.gradients.find(&node);
  return found == facts.gradients.end() ? Rows{{"none"}} : found->second;
}

std::string table(const std::string& rows) {
  return R"(<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">)" + rows + "</TABLE>";
}

std::string line(const std::string& content, const char* colour) {
  return fmt::format(R"(<TR><TD><FONT COLOR="{}">{}</FONT></TD></TR>)", colour, content);
}

/// "what 3" in a line, or a line "what" and below it a matrix.
std::string lines(const std::string& what, const Rows& rows, const char* colour) {
  if (rows.size() == 1 && rows[0].size() == 1) return line(what + " " + rows[0][0], colour);
  const std::string cell = R"(<TD ALIGN="RIGHT">)";
  std::string matrix;
  for (const std::vector<std::string>& row : rows)
    matrix += "<TR>" + cell + fmt::format("{}", fmt::join(row, kSpace + ("</TD>" + cell))) + "</TD></TR>";
  return line(what, colour) + line(table(matrix), colour);
}

/// <B>x </B>(4, 2), or for a result with a name <B>y </B>= square (4, 2).
std::string title(const Node& node, const Facts& facts) {
  std::string bold = facts.name(&node), rest = node.shape.empty() ? "" : to_string(node.shape);
  const std::string kind = !node.is_leaf() ? node.name : node.requires_grad ? "parameter" : "constant";
  if (bold.empty())
    bold = kind;
  else if (!node.is_leaf())
    rest = "= " + kind + (rest.empty() ? "" : " ") + rest;
  return "<B>" + escaped(bold) + (rest.empty() ? "" : kSpace) + "</B>" + escaped(rest);
}

std::string box(const Node& node, const Facts& facts) {
  std::string rows = line(title(node, facts), kValueText);
  if (facts.options.values) rows += lines("value", value_of(node, facts), kValueText);
  if (facts.options.gradients && node.requires_grad) rows += lines("gradient", gradient_of(node, facts), kGradientText);
  const char* style = node.is_leaf() ? (node.requires_grad ? kParameter : kConstant)
                                     : (&node == facts.output.node().get() ? kOutput : kOperation);
  return fmt::format("n{} [{} label=<{}>];\n", node.serial, style, table(rows));
}

Path split(const std::string& name) {
  Path path;
  for (std::size_t begin = 0, end = 0; !name.empty() && end != std::string::npos; begin = end + 1) {
    end = name.find('.', begin);
    path.push_back(name.substr(begin, end - begin));
  }
  return path;
}

Path scope_of(const Node& node) { return split(node.notes ? node.notes->scope : ""); }

/// The boxes in every frame, by serial number; a frame stands before those inside it.
std::map<Path, std::string> frames(const Nodes& nodes, const Facts& facts) {
  std::map<Path, std::string> boxes = {{Path(), ""}};
  for (const auto& [serial, node] : nodes)
    for (Path path = scope_of(*node); !path.empty(); path.pop_back()) boxes[path];
  for (const auto& [serial, node] : nodes) {
    Path path = node->is_leaf() ? split(facts.name(node)) : scope_of(*node);
    if (node->is_leaf() && !path.empty()) path.pop_back();
    if (boxes.count(path) == 0) path.clear();
    boxes[path] += std::string(2 * path.size() + 2, ' ') + box(*node, facts);
  }
  return boxes;
}

/// With several arguments, arrows bear their places, counted from 0 as in error messages.
std::string arrows(const Node& node) {
  std::string text;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Node::Input& input = node.inputs[i];
    if (!input.node) continue;
    text += fmt::format("  n{} -> n{}", input.node->serial, node.serial);
    if (node.inputs.size() > 1) text += fmt::format(" [headlabel=\"{}\"]", i);
    if (input.constant) text += kNoGradient;
    text += ";\n";
  }
  return text;
}

std::string drawing(const Nodes& nodes, const Facts& facts) {
  std::string text = "digraph tape {\n  graph [rankdir=";
  text += (facts.options.top_down ? "TB" : "LR") + std::string(kStyle);
  std::size_t depth = 0, number = 0;
  const auto close_until = [&](std::size_t wanted) {
    for (; depth > wanted; --depth) text += std::string(2 * depth, ' ') + "}\n";
  };
  for (const auto& [path, boxes] : frames(nodes, facts)) {
    if (!path.empty()) {
      close_until(path.size() - 1);
      const std::string label = escaped(fmt::format("{}", fmt::join(path, ".")));
      text += std::string(2 * ++depth, ' ') + fmt::format("subgraph cluster{} {{ label=<{}>;\n", ++number, label);
    }
    text += boxes;
  }
  close_until(0);
  for (const auto& [serial, node] : nodes) text += arrows(*node);
  return text + "}\n";
}

}  // namespace

std::string to_graphviz(const Variable& output, const GraphOptions& options) {
  require(output.requires_grad(),
          "to_graphviz: nothing was recorded for this Variable; no input required a gradient, or recording was off "
          "(NoGrad)");
  const Nodes nodes = nodes_behind(output);  // looks for released ones before facts_of walks the graph
  return drawing(nodes, facts_of(output, options));
}

void write_graphviz(const Variable& output, const std::string& path, const GraphOptions& options) {
  const std::string text = to_graphviz(output, options);
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace xtg
