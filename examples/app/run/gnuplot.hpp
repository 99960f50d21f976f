#pragma once

// gnuplot as a program that is run: a script goes in, an SVG comes out.

#include <optional>
#include <string>

namespace xtg::app {

/// A text in gnuplot's single quotes.
std::string gnuplot_quoted(const std::string& text);

/// The SVG that a script draws; it sets the terminal and no output. Nothing if gnuplot is not installed, fails, or
/// takes longer than ten seconds; after that it is not started again. No file is written on the way.
std::optional<std::string> gnuplot_svg(const std::string& script);

}  // namespace xtg::app
