#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace xtg::app {

/// 50000 -> "50,000".
std::string with_commas(std::size_t n);

/// "1 epoch", "3 epochs".
std::string count(std::size_t n, const char* thing);

/// "47 s", "3:20", "1:05:00".
std::string duration(double seconds);

/// ": did you mean --norm?" if one of the `known` is written nearly like `word`, else "".
std::string did_you_mean(const std::string& word, const std::vector<std::string>& known);

/// "[===       ]"
std::string progress_bar(std::size_t done, std::size_t total);

}  // namespace xtg::app
