#pragma once

#include <string>
#include <utility>
#include <vector>

#include "variable.hpp"

namespace xtg {

/// What a drawing of the tape shows besides operations and shapes.
struct GraphOptions {
  /// Names for Variables, leaves or results: {{"a", a}, {"loss", loss}}, or a module's named_parameters(). Of several
  /// names the first counts; Variables that are undefined or not in the graph are ignored.
  std::vector<std::pair<std::string, Variable>> names;
  /// The numbers of every node: all of up to 12, else the least, the greatest and the mean. What was recorded under
  /// KeepValues has them; otherwise only what is named, the output, and what a backward needs.
  bool values = false;
  /// The gradient of the output with respect to every node, from visit_gradients (which runs hooks).
  bool gradients = false;
  /// Weights for the elements of the output in those gradients, of its shape; not needed for one element.
  Variable dy;
  /// From top to bottom, which suits large graphs; else from left to right.
  bool top_down = false;
};

/// The tape behind `output` as a text for Graphviz; `dot -Tsvg file.dot -o file.svg` makes a picture of it. A box for
/// every leaf and operation (n17 in the file is operation 17 of error messages), an arrow from every argument to its
/// result, dashed where no gradient flows back; where an operation has several arguments, arrows bear their places,
/// from 0. A number that is not a Variable (x + 1) has no box. The same graph gives the same bytes.
///
/// An operation with an analytic backward is one box; recorded under DerivedGradients it is its definition instead.
/// Scopes recorded under KeepValues (modules open theirs) are frames inside one another, so this gives the definition
/// of batch norm in a frame of its own:
///     const KeepValues keep;
///     const DerivedGradients mode;
///     const Scope scope("batch_norm");
///     const Variable y = nn::batch_norm(x, gamma, beta, 1e-5);
/// A leaf stands in the frame that its name leads to, layer1.0.conv1.weight in layer1.0.conv1, or outside of all.
///
/// The graph is kept, and no leaf's grad() is touched. Throws ValueError if nothing was recorded for `output`, or if
/// backward() has released its graph: draw it before, or set retain_graph. Throws ShapeError as backward() does for dy.
std::string to_graphviz(const Variable& output, const GraphOptions& options = {});

/// The same into a file, which appears whole or not at all. Throws FormatError, "path: cannot write: reason", too.
void write_graphviz(const Variable& output, const std::string& path, const GraphOptions& options = {});

}  // namespace xtg
