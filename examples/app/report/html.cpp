#include "examples/app/report/html.hpp"

#include "tensor/error.hpp"

namespace xtg::app {

const std::array<Colour, 15> palette = {{
    {"page", "#ffffff", "#15181c"},
    {"text", "#1b1f24", "#e6e9ec"},
    {"quiet", "#57606a", "#a3acb5"},
    {"line", "#d0d7de", "#3b434c"},
    {"soft", "#f3f5f7", "#1e2328"},
    {"tics", "#57606a", "#a3acb5"},
    {"s1", "#0072b2", "#56b4e9"},
    {"s2", "#d55e00", "#f08035"},
    {"s3", "#009e73", "#2bc79a"},
    {"s4", "#b3588c", "#e39ac4"},
    {"s5", "#1b1f24", "#e6e9ec"},
    {"s6", "#b87900", "#e6b000"},
    {"s7", "#3a94cc", "#8fd0f5"},
    {"hit", "0 114 178", "0 130 200"},  // with an opacity: rgb(var(--hit)/0.5)
    {"miss", "213 94 0", "213 94 0"},
}};

namespace {

const char* const style = R"(*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1rem 1rem 3rem;background:var(--page);color:var(--text);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.2rem 0 .4rem}
p{margin:.5rem 0;max-width:46rem}
.lead{font-size:1.1rem}
.quiet,figcaption,summary small{color:var(--quiet);font-size:.875rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:.5rem 1.5rem}
.small.figures{grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr))}
figure{margin:.5rem 0;min-width:0}
figure svg{display:block;width:100%;height:auto;max-width:40rem}
svg text{font-family:inherit}
.scroll{overflow-x:auto;max-width:100%;margin:.6rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
thead th{border-bottom:2px solid var(--line);vertical-align:bottom}
tbody th{font-weight:400;min-width:6.5rem}
.right{text-align:right;white-space:nowrap}
.matrix th,.matrix td{padding:.2rem .35rem;font-size:.8rem;text-align:right;min-width:2.4rem;border:1px solid var(--page)}
.matrix thead th{font-weight:400;border-bottom:2px solid var(--line)}
.matrix tbody th{position:sticky;left:0;background:var(--page);white-space:nowrap}
.matrix{--a:0}
.matrix td.hit{background:rgb(var(--hit)/var(--a));font-weight:600}
.matrix td.miss{background:rgb(var(--miss)/var(--a))}
.matrix .turned{vertical-align:bottom;padding-bottom:.3rem}
.turned span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap}
.bars td.bar{width:12rem;min-width:8rem}
.bars i{display:block;height:.8rem;margin-top:.3rem;background:var(--s1)}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(6.5rem,1fr));gap:.9rem .8rem;margin:.6rem 0}
.strip figure{margin:0}
.strip img{display:block;width:100%;max-width:7rem;height:auto;image-rendering:pixelated;border-radius:3px}
.strip figcaption{line-height:1.3;margin-top:.25rem;overflow-wrap:anywhere}
.strip b{color:var(--text)}
pre{overflow-x:auto;background:var(--soft);padding:.6rem .8rem;border-radius:4px;font-size:.85rem;margin:.5rem 0}
pre.wrap{white-space:pre-wrap;overflow-wrap:anywhere}
code{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
details{margin:.6rem 0}
summary{cursor:pointer}
:focus-visible{outline:2px solid var(--s1);outline-offset:2px}
@media print{details>*{display:block}}
)";

/// The palette as variables of the page's style sheet.
std::string variables() {
  std::string light, dark;
  for (const Colour& colour : palette) {
    light += fmt::format("--{}:{};", colour.name, colour.light);
    dark += fmt::format("--{}:{};", colour.name, colour.dark);
  }
  return fmt::format("\n:root{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n",
                     light, dark);
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
      result += fmt::format("&#{};", static_cast<int>(c));
    else
      result += static_cast<unsigned char>(c) < ' ' && c != '\n' ? ' ' : c;
  }
  return result;
}

std::string base64(const std::string& bytes) {
  const char* const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

TableCell text_cell(const std::string& text) { return {escaped(text), ""}; }
TableCell number_cell(const std::string& text) { return {escaped(text), " class=\"right\""}; }

std::string table(const std::string& what, const std::vector<std::string>& heads,
                  const std::vector<std::vector<TableCell>>& rows, const std::string& kind) {
  std::string html = fmt::format("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table{1}>\n",
                                 escaped(what), kind.empty() ? "" : " class=\"" + kind + "\"");
  if (!heads.empty()) {
    html += "<thead><tr>";
    for (std::size_t i = 0; i < heads.size(); ++i) {
      const bool number =
          !rows.empty() && i < rows[0].size() && rows[0][i].attributes.find("right") != std::string::npos;
      html += fmt::format("<th scope=\"col\"{}>{}</th>", number ? " class=\"right\"" : "", heads[i]);
    }
    html += "</tr></thead>\n";
  }
  html += "<tbody>\n";
  for (const std::vector<TableCell>& row : rows) {
    html += "<tr>";
    for (const TableCell& cell : row)
      html += &cell == row.data() ? fmt::format("<th scope=\"row\"{}>{}</th>", cell.attributes, cell.html)
                                  : fmt::format("<td{}>{}</td>", cell.attributes, cell.html);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string section(const std::string& heading, const std::string& html) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", escaped(heading), html);
}

std::string details(const std::string& summary, const std::string& html) {
  return fmt::format("<details>\n<summary>{}</summary>\n{}</details>\n", escaped(summary), html);
}

std::string command(const std::string& text) {
  return fmt::format("<pre class=\"wrap\"><code>{}</code></pre>\n", escaped(text));
}

std::string page(const std::string& title, const std::string& lead, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{0}</title>\n<style>{1}{2}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n<p class=\"lead\">{3}</p>\n{4}"
      "</main>\n</body>\n</html>\n",
      escaped(title), variables(), style, escaped(lead), body);
}

}  // namespace xtg::app
