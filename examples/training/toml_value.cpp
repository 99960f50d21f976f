#include "examples/training/toml_value.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>

#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

using xtg::FormatError;
using xtg::require;

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

/// Refuses what the parser below us does not survive: its stack holds every part of a dotted key and every bracket, and
/// it shifts by too much for some letters; and numbers that it makes others of. What it takes for a string or a comment
/// may hold anything.
void check_text(const std::string& text, const std::string& source) {
  require<FormatError>(text.size() <= longest_file, "{}: {} bytes are too many for settings, expected at most {}",
                       source, text.size(), longest_file);
  std::size_t line = 1, dots = 0, depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const std::size_t end = end_of_string(text, at);
      for (; at + 1 < end; ++at) line += text[at] == '\n';
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size()) - 1;
      continue;
    }
    line += c == '\n';
    const bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';
    if (opens) ++depth;
    if (closes && depth > 0) --depth;
    if (opens || closes || c == '=' || c == ',' || c == '\n') dots = 0;
    dots += c == '.';
    const auto is_in = [&](const char* characters, std::size_t i) {
      return std::strchr(characters, text[i]) != nullptr;
    };
    const bool begins = at == 0 || is_in(" \t\n=,[", at - 1);
    require<FormatError>(!begins || !is_in("0123456789+-", at) || !is_out_of_range(text, at),
                         "{}:{}: a number that a double cannot hold", source, line);
    require<FormatError>(static_cast<unsigned char>(c) < 0x80,
                         "{}:{}: a letter outside of ASCII, or a damaged one: it can only stand in \"quotes\"", source,
                         line);
    require<FormatError>(dots <= most_dots, "{}:{}: a key has more than {} dots", source, line, most_dots);
    require<FormatError>(depth <= deepest, "{}:{}: brackets are nested more than {} deep", source, line, deepest);
  }
}

}  // namespace

toml::table parse_toml(const std::string& text, const std::string& source) {
  check_text(text, source);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw FormatError(
        fmt::format("{}:{}: {}", source, error.source().begin.line, xtg::excerpt(std::string(error.description()))));
  }
}

Value to_value(const toml::node& node, const std::string& source, const std::string& name) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  throw FormatError(fmt::format("{}: {} is neither a text nor a number nor true or false", source, xtg::excerpt(name)));
}
