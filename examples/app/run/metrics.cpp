#include "examples/app/run/metrics.hpp"

#include <algorithm>
#include <optional>

#include "examples/app/terminal/number.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::app {

const char* const metrics_columns =
    "epoch,train_loss,train_accuracy,test_loss,test_accuracy,learning_rate,seconds,images_per_second";

std::string metrics_row(const nn::EpochResult& e) {
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

double parse_number(const std::string& text, const std::string& where) {
  const std::optional<double> number = real_number(text);
  require<FormatError>(number.has_value(), "{}: expected a number, got '{}'", where, excerpt(text));
  return *number;
}

std::size_t parse_epoch(const std::string& text, std::size_t first, const std::string& where) {
  const std::optional<std::int64_t> number = whole_number(text);
  const std::size_t most = 1'000'000;  // as of the setting
  require<FormatError>(
      number && *number >= static_cast<std::int64_t>(first) && *number <= static_cast<std::int64_t>(most),
      "{}: expected an epoch from {} to {}, got '{}'", where, first, most, excerpt(text));
  return static_cast<std::size_t>(*number);
}

nn::EpochResult parse_metrics(const std::vector<std::string>& fields, std::size_t first, const std::string& where) {
  require<FormatError>(first + 8 <= fields.size(), "{}: fields are missing", where);
  const auto number = [&](std::size_t i) { return parse_number(fields[first + i], where); };
  const auto not_negative = [&](std::size_t i) {
    const double value = number(i);
    require<FormatError>(value >= 0, "{}: expected a number of at least 0, got '{}'", where,
                         excerpt(fields[first + i]));
    return value;
  };
  return {parse_epoch(fields[first], 1, where),
          number(1),
          number(2),
          number(3),
          number(4),
          not_negative(5),
          not_negative(6),
          not_negative(7)};
}

}  // namespace xtg::app
