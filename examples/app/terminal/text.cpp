#include "examples/app/terminal/text.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/error.hpp"

namespace xtg::app {

namespace {

/// How many letters must be put in, taken out, changed, or swapped with their neighbor, to make one word of the other.
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const auto letters = [](const std::string& text) {
    return text.substr(std::min(text.find_first_not_of('-'), text.size()));
  };
  const std::string wrong = letters(word);
  if (wrong.empty() || wrong.size() > 100) return "";
  std::string best;
  std::size_t fewest = 1 + std::max<std::size_t>(1, wrong.size() / 3);
  for (const std::string& candidate : known) {
    const std::string right = letters(candidate);
    const bool begun = wrong.size() > 1 && right.compare(0, wrong.size(), wrong) == 0;
    const std::size_t n = begun ? 1 : edits(wrong, right);
    if (n >= fewest) continue;
    fewest = n;
    best = candidate;
  }
  return best.empty() ? "" : fmt::format(": did you mean {}?", best);
}

std::string with_commas(std::size_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string count(std::size_t n, const char* thing) {
  return fmt::format("{} {}{}", with_commas(n), thing, n == 1 ? "" : "s");
}

std::string duration(double seconds) {
  if (!(seconds < 1e12)) return fmt::format("{} s", seconds);  // from a file, and no whole number holds it
  const auto s = static_cast<long>(std::lround(seconds));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string progress_bar(std::size_t done, std::size_t total) {
  const std::size_t width = 10, filled = width * done / total;
  return "[" + std::string(filled, '=') + std::string(width - filled, ' ') + "]";
}

}  // namespace xtg::app
