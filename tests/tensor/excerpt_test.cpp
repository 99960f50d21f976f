#include "tensor/excerpt.hpp"

#include <doctest/doctest.h>

using xtg::excerpt;

TEST_CASE("excerpt: plain words stay as they are") {
  CHECK(excerpt("") == "");
  CHECK(excerpt("a b,c") == "a b,c");
  CHECK(excerpt("naïve ≤ 𝛾") == "naïve ≤ 𝛾");
  CHECK(excerpt(std::string(100, 'x')) == std::string(100, 'x'));
}

TEST_CASE("excerpt: control characters and bytes that are not UTF-8 are written as numbers") {
  CHECK(excerpt("\x1b[31m\n\t\x7f") == "\\x1b[31m\\x0a\\x09\\x7f");
  CHECK(excerpt(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(excerpt("\xc2\x9b") == "\\xc2\\x9b");           // U+009B, which terminals take for ESC [
  CHECK(excerpt("\xe2\x80\xa8") == "\\xe2\\x80\\xa8");  // U+2028, a line's end
  CHECK(excerpt("\xff\xfe") == "\\xff\\xfe");
  CHECK(excerpt("\xc0\xaf") == "\\xc0\\xaf");                    // overlong
  CHECK(excerpt("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");           // overlong
  CHECK(excerpt("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(excerpt("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  CHECK(excerpt("\xe2\x89") == "\\xe2\\x89");                    // cut off
}

TEST_CASE("excerpt: what is too long is cut between characters") {
  CHECK(excerpt(std::string(101, 'x')) == std::string(100, 'x') + "…");
  CHECK(excerpt("abcd", 3) == "abc…");
  CHECK(excerpt("ab≤", 4) == "ab…");
  CHECK(excerpt("ab\n", 5) == "ab…");
  CHECK(excerpt("ab", 0) == "…");
}
