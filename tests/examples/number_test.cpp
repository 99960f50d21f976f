#include "examples/app/terminal/number.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace xtg::app;

TEST_CASE("numbers: a whole number is decimal digits, all of the text, in 64 bits") {
  CHECK(whole_number("0") == 0);
  CHECK(whole_number("-0") == 0);
  CHECK(whole_number("12") == 12);
  CHECK(whole_number("-12") == -12);
  CHECK(whole_number("+5") == 5);
  CHECK(whole_number("010") == 10);  // not the octal 8
  CHECK(whole_number("08") == 8);
  CHECK(whole_number("-010") == -10);
  CHECK(whole_number("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  CHECK(whole_number("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"",
                           " ",
                           "+",
                           "-",
                           "+-5",
                           "-+5",
                           "++5",
                           "--5",
                           " 5",
                           "5 ",
                           "5\n",
                           "5x",
                           "1.0",
                           "1.",
                           "1e3",
                           "0x10",
                           "0b1",
                           "0o7",
                           "1_000",
                           "1'000",
                           "1,000",
                           "٣",
                           "nan",
                           "inf",
                           "true",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "18446744073709551617",
                           "99999999999999999999999"})
    CHECK_MESSAGE(!whole_number(text), text);
  CHECK_FALSE(whole_number(std::string("5\0", 2)));
}

TEST_CASE("numbers: a real number is decimal, all of the text, and what a double holds") {
  CHECK(real_number("0.1") == 0.1);
  CHECK(real_number("-3") == -3.0);
  CHECK(real_number("+.5") == 0.5);
  CHECK(real_number("5.") == 5.0);
  CHECK(real_number("010") == 10.0);
  CHECK(real_number("1e-3") == 1e-3);
  CHECK(real_number("1E+3") == 1e3);
  CHECK(real_number("5e-324") == std::numeric_limits<double>::denorm_min());
  CHECK(real_number("1.7976931348623157e308") == std::numeric_limits<double>::max());
  CHECK(real_number("inf") == std::numeric_limits<double>::infinity());
  CHECK(real_number("-inf") == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(real_number("nan").value()));
  CHECK(std::isnan(real_number("-nan").value()));
  for (const char* text :
       {"",   " ",     "+",    "-",   ".",     "e5",     "1e",     "1,5",    "1.2.3", " 1",      "1 ",
        "1x", "0x1p3", "0x10", "1_0", "1e400", "-1e400", "1e-400", "nan(1)", "nano",  "infinit", "+-1"})
    CHECK_MESSAGE(!real_number(text), text);
}
