#pragma once

// A page of HTML that needs nothing else: no network, no scripts, no other files. Its colours follow the reader's light
// or dark mode; text stands at least 4.5 : 1 from its ground, and colours of lines are Okabe and Ito's, which
// colour-blind readers tell apart.

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace xtg::app {

/// A colour in light and in dark mode; pages know it as var(--name).
struct Colour {
  const char *name, *light, *dark;
};
extern const std::array<Colour, 15> palette;

/// Text with the characters of HTML's own made harmless.
std::string escaped(const std::string& text);

/// Base64, RFC 4648.
std::string base64(const std::string& bytes);

/// A cell of a table, its content HTML.
struct TableCell {
  std::string html;
  std::string attributes;  // ' class="right" style="…"'
};
TableCell text_cell(const std::string& text);
TableCell number_cell(const std::string& text);

/// A table in a box of its own, which scrolls sideways where the page is narrower. The first cell of each row is its
/// heading. `what` names it to readers who do not see it.
std::string table(const std::string& what, const std::vector<std::string>& heads,
                  const std::vector<std::vector<TableCell>>& rows, const std::string& kind = "");

/// A section under a heading.
std::string section(const std::string& heading, const std::string& html);

/// Shown only when opened; `open`: from the beginning.
std::string details(const std::string& summary, const std::string& html);

/// A line to copy.
std::string command(const std::string& text);

/// The whole page. `lead`, plain text, says in a sentence what came out.
std::string page(const std::string& title, const std::string& lead, const std::string& body);

}  // namespace xtg::app
