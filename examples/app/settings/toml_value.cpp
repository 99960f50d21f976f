#include "examples/app/settings/toml_value.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>
#include <system_error>

#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::app {

namespace {

constexpr std::size_t longest_file = 1'000'000;      // bytes
constexpr std::size_t most_dots = 16, deepest = 16;  // in a key; brackets within brackets

/// The end of the string that begins at `at`, behind its last quote; that of the text if it is not closed.
std::size_t end_of_string(const std::string& text, std::size_t at) {
  const char quote = text[at];
  const bool several_lines = text.compare(at, 3, std::string(3, quote)) == 0;
  const std::string end(several_lines ? 3 : 1, quote);
  for (at += end.size(); at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == '\n' && !several_lines) {
      return at;
    } else if (text.compare(at, end.size(), end) == 0) {
      at += end.size();
      while (several_lines && at < text.size() && text[at] == quote) ++at;  // quotes may stand before the last three
      return at;
    }
  }
  return text.size();
}

/// Whether a number begins at `at` that a double cannot hold: 1e400, or 1e-400, of which the parser makes 0.
bool is_out_of_range(const std::string& text, std::size_t at) {
  const std::size_t end = text.find_first_not_of("0123456789_.eE+-", at);
  std::string number = text.substr(at, std::min(end, text.size()) - at);
  number.erase(std::remove(number.begin(), number.end(), '_'), number.end());
  if (number[0] == '+') number.erase(0, 1);  // which from_chars does not know
  double value = 0;
  return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc::result_out_of_range;
}

/// Whether the brackets at `at`, with which a line begins, have a key in them, as [settings] and [[grid]] do.
bool is_header(const std::string& text, std::size_t at) {
  if (text.compare(at, 2, "[[") == 0) ++at;
  at = text.find_first_not_of(" \t", at + 1);
  return at != std::string::npos && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '-' ||
                                     text[at] == '_' || text[at] == '"' || text[at] == '\'');
}

/// Refuses what the parser below us does not survive: its stack holds every part of a dotted key and every bracket, it
/// shifts by too much for some letters outside of texts, and takes for granted that a key stands behind [ and that
/// brackets match; and numbers that it makes others of. Texts and comments may hold anything, so we must see them begin
/// and end where the parser does: a quote, or a second =, within a word is refused; so is, in a text, a \ at the end of
/// a line, behind which the parser looks at letters as it does outside.
void check_text(const std::string& text, const std::string& source) {
  require<FormatError>(text.size() <= longest_file, "{}: {} bytes are too many for settings, expected at most {}",
                       source, text.size(), longest_file);
  std::size_t line = 1, dots = 0;
  std::string open;  // brackets
  // What stands at `at`: a key, or a value; and whether it is the first character of one, of a part of a dotted key, or
  // a space before it.
  bool in_key = true, begins = true;
  bool line_begins = true;
  const bool has_mark = text.compare(0, 3, "\xef\xbb\xbf") == 0;  // U+FEFF: some editors put it before everything
  for (std::size_t at = has_mark ? 3 : 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      require<FormatError>(begins, "{}:{}: a quote within a word", source, line);
      const std::size_t end = end_of_string(text, at);
      for (; at + 1 < end; ++at) {
        line += text[at] == '\n';
        if (c == '\'' || text[at] != '\\') continue;
        ++at;
        require<FormatError>(at < end && std::string_view("btnfr\"\\uU").find(text[at]) != std::string_view::npos,
                             "{}:{}: in a text, one of b t n f r \" \\ u U must stand behind a \\", source, line);
      }
      begins = line_begins = false;
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size()) - 1;
      continue;
    }
    line += c == '\n';
    require<FormatError>(!line_begins || !open.empty() || c != '[' || is_header(text, at),
                         "{}:{}: expected a key behind [", source, line);
    line_begins = c == '\n' || (line_begins && (c == ' ' || c == '\t'));
    require<FormatError>(c != '=' || in_key, "{}:{}: a second = behind a key", source, line);
    const bool number_begins = begins && !in_key && std::string_view("0123456789+-").find(c) != std::string_view::npos;
    require<FormatError>(!number_begins || !is_out_of_range(text, at), "{}:{}: a number that a double cannot hold",
                         source, line);
    const bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';
    if (closes) {
      require<FormatError>(!open.empty() && open.back() == (c == ']' ? '[' : '{'), "{}:{}: {} closes what is not open",
                           source, line, c);
      open.pop_back();
    }
    if (opens) open += c;
    if (opens || closes || c == '=' || c == ',' || c == '\n') dots = 0;
    dots += c == '.';
    const bool space = c == ' ' || c == '\t' || c == '\r';
    begins = opens || c == '=' || c == ',' || c == '\n' || (c == '.' && in_key) || (space && begins);
    if (c == '=') in_key = false;
    if (c == '{' || (c == '\n' && open.empty())) in_key = true;
    if (c == ',') in_key = !open.empty() && open.back() == '{';
    require<FormatError>(static_cast<unsigned char>(c) < 0x80,
                         "{}:{}: a letter outside of ASCII, or a damaged one: it can only stand in \"quotes\"", source,
                         line);
    require<FormatError>(dots <= most_dots, "{}:{}: a key has more than {} dots", source, line, most_dots);
    require<FormatError>(open.size() <= deepest, "{}:{}: brackets are nested more than {} deep", source, line, deepest);
  }
}

}  // namespace

toml::table parse_toml(const std::string& text, const std::string& source) {
  check_text(text, source);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw FormatError(
        fmt::format("{}:{}: {}", source, error.source().begin.line, excerpt(std::string(error.description()))));
  }
}

Value to_value(const toml::node& node, const std::string& source, const std::string& name) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  throw FormatError(fmt::format("{}: {} is neither a text nor a number nor true or false", source, excerpt(name)));
}

}  // namespace xtg::app
