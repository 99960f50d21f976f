#include "examples/app/terminal/number.hpp"

#include <charconv>
#include <system_error>

namespace xtg::app {

namespace {

template <class Number>
std::optional<Number> parse(const std::string& text) {
  const char *begin = text.data(), *const end = begin + text.size();
  if (end - begin > 1 && begin[0] == '+' && begin[1] != '-') ++begin;  // from_chars knows no plus
  Number value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  return error == std::errc() && stop == end ? std::optional<Number>(value) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> whole_number(const std::string& text) { return parse<std::int64_t>(text); }

std::optional<double> real_number(const std::string& text) {
  if (text.find('(') != std::string::npos) return std::nullopt;  // from_chars also takes nan(…)
  return parse<double>(text);
}

}  // namespace xtg::app
