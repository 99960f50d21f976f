#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace xtg::app {

// Numbers as people and files write them: on the command line and in CSV files. The whole text is the number, in
// decimal; there may be a sign before it, and nothing else.

/// "12", "-3", "+5", "010" (ten: nobody means eight). Nothing for any other text, such as "", "1.0", "1e3" and "0x10",
/// and for a number that 64 bits do not hold.
std::optional<std::int64_t> whole_number(const std::string& text);

/// "12", "-0.1", ".5", "1e-3", "inf", "nan". Nothing for any other text, such as "", "1,5" and "0x1p3", and for a
/// number that a double cannot hold: 1e400, and 1e-400, which would become 0.
std::optional<double> real_number(const std::string& text);

}  // namespace xtg::app
