#include "examples/training/metrics.hpp"

#include <algorithm>
#include <cstdlib>

#include "tensor/error.hpp"

using xtg::FormatError;
using xtg::require;

const char* const metrics_columns =
    "epoch,train_loss,train_accuracy,test_loss,test_accuracy,learning_rate,seconds,images_per_second";

std::string metrics_row(const xtg::nn::EpochResult& e) {
  return fmt::format("{},{:.6f},{:.4f},{:.6f},{:.4f},{:.6g},{:.2f},{:.1f}", e.epoch, e.train_loss, e.train_accuracy,
                     e.test_loss, e.test_accuracy, e.learning_rate, e.seconds, e.images_per_second);
}

std::vector<std::vector<std::string>> parse_csv(const std::string& text, const std::string& source) {
  std::vector<std::vector<std::string>> rows;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::vector<std::string> fields(1);
    bool quoted = false;
    for (; at < end; ++at) {
      const char c = text[at];
      if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        fields.emplace_back();
      } else if (c != '\r') {
        fields.back() += c;
      }
    }
    require<FormatError>(!quoted, "{}:{}: a quote is not closed", source, rows.size() + 1);
    require<FormatError>(rows.empty() || fields.size() == rows[0].size(), "{}:{}: expected {} fields, got {}", source,
                         rows.size() + 1, rows.empty() ? 0 : rows[0].size(), fields.size());
    rows.push_back(std::move(fields));
    at = end + 1;
  }
  return rows;
}

xtg::nn::EpochResult parse_metrics(const std::vector<std::string>& fields, std::size_t first,
                                   const std::string& where) {
  const auto number = [&](std::size_t i) {
    require<FormatError>(first + i < fields.size(), "{}: fields are missing", where);
    const std::string& text = fields[first + i];
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    require<FormatError>(!text.empty() && *end == '\0', "{}: '{}' is no number", where, text);
    return value;
  };
  const double epoch = number(0);
  require<FormatError>(epoch >= 1 && epoch <= 1e6, "{}: '{}' is no epoch", where, fields[first]);
  return {static_cast<std::size_t>(epoch), number(1), number(2), number(3), number(4), number(5), number(6), number(7)};
}
