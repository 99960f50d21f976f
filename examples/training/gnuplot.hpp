#pragma once

// gnuplot as a program that is run: a script goes in, an SVG comes out.

#include <functional>
#include <optional>
#include <string>

/// A text in gnuplot's single quotes.
std::string gnuplot_quoted(const std::string& text);

/// Draws the file `path`, whole or not at all, by the script that `script_for` makes for a temporary name. False, and no
/// picture, if gnuplot is not installed or fails.
bool gnuplot_file(const std::string& path, const std::function<std::string(const std::string&)>& script_for);

/// What a script draws that sets no output. Nothing if gnuplot is not installed or fails.
std::optional<std::string> gnuplot_text(const std::string& script);
