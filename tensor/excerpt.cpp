#include "tensor/excerpt.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace xtg {

namespace {

/// How many bytes the printable character at `at` takes in UTF-8; 0 if there is none.
std::size_t printable(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > text.size()) return 0;
  std::uint32_t character = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
    character = character << 6 | (byte(at + i) & 0x3fu);
  }
  const bool control = character < 0xa0 || character == 0x2028 || character == 0x2029;  // C1; line, paragraph separator
  const bool shortest = character >= (size == 4 ? 0x10000u : size == 3 ? 0x800u : 0x80u);
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  return !control && shortest && !surrogate && character <= 0x10ffff ? size : 0;
}

}  // namespace

std::string excerpt(const std::string& text, std::size_t most) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = printable(text, at);
    const std::string next =
        size > 0 ? text.substr(at, size) : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
    if (result.size() + next.size() > most) return result + "…";
    result += next;
    at += size > 0 ? size : 1;
  }
  return result;
}

}  // namespace xtg
