#include "examples/training/text.hpp"

#include <cmath>

#include "nn/models/model.hpp"

std::string with_commas(std::size_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string count(std::size_t n, const char* thing) {
  return fmt::format("{} {}{}", with_commas(n), thing, n == 1 ? "" : "s");
}

std::string duration(double seconds) {
  const auto s = static_cast<long>(std::lround(seconds));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string progress_bar(std::size_t done, std::size_t total) {
  const std::size_t width = 10, filled = width * done / total;
  return "[" + std::string(filled, '=') + std::string(width - filled, ' ') + "]";
}

std::string describe(const Settings& s) {
  std::string text = s.arch;
  if (s.width != 0) text += fmt::format(" of width {}", s.width);
  if (xtg::nn::find_architecture(s.arch).has_stem())
    text += fmt::format(", {} stem", s.stem == "cifar" ? "CIFAR" : "ImageNet");
  text += s.norm == "none" ? ", no norm" : fmt::format(", {} norm", s.norm);
  if (s.norm == "group") text += s.groups == 0 ? " (a group per channel)" : fmt::format(" ({} groups)", s.groups);
  if (s.fixup) text += ", Fixup";
  if (s.zero_init) text += ", gamma 0 at the end of blocks";
  return text;
}
