#include "examples/app/report/evaluation_text.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "examples/app/terminal/text.hpp"
#include "nn/data/cifar.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

using namespace nn;

namespace {

std::size_t longest(const std::vector<std::string>& names) {
  std::size_t result = 0;
  for (const std::string& name : names) result = std::max(result, name.size());
  return result;
}

std::int64_t images_of(const Indices& confusion, std::size_t label) {
  std::int64_t images = 0;
  for (std::size_t k = 0; k < confusion.shape()[1]; ++k) images += confusion(label, k);
  return images;
}

std::string matrix_text(const Indices& confusion, const std::vector<std::string>& names) {
  const std::size_t classes = names.size(), name_width = longest(names);
  const std::int64_t largest = *std::max_element(confusion.begin(), confusion.end());
  const std::size_t width = std::max<std::size_t>(fmt::format("{}", largest).size(), 2) + 1;
  std::string text = "confusion matrix: a row for each class, a column for each answer, by number\n";
  text += fmt::format("{:{}}", "", name_width + 5);
  for (std::size_t k = 0; k < classes; ++k) text += fmt::format("{:>{}}", k, width);
  text += '\n';
  for (std::size_t label = 0; label < classes; ++label) {
    text += fmt::format("  {:>2} {:<{}}", label, names[label], name_width);
    for (std::size_t k = 0; k < classes; ++k)
      text += confusion(label, k) == 0 ? fmt::format("{:>{}}", '.', width)
                                       : fmt::format("{:>{}}", confusion(label, k), width);
    text += '\n';
  }
  return text;
}

std::string largest_confusions_text(const Indices& confusion, const std::vector<std::string>& names) {
  const std::vector<Confusion> all = most_frequent_confusions(confusion, 20);
  if (all.empty()) return "nothing was confused\n";

  std::string text = "most frequent confusions\n";
  const std::size_t name_width = longest(names);
  for (const Confusion& c : all) {
    text += fmt::format("  {:<{}}  taken for {:<{}}  {:>5} of {}\n", names[c.label], name_width, names[c.prediction],
                        name_width, c.count, images_of(confusion, c.label));
  }
  return text;
}

/// A field of CSV, in quotes where it must be.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace

std::string result_text(const Settings& s, const Predictions& predictions) {
  const Evaluation result = score(predictions, parse_loss(s.loss));
  const char* const judge = s.validation > 0 ? "validation" : "test";
  return fmt::format("{} loss {:.6f}, {} accuracy {:.4f} % ({}, {} {} images)\n", judge, result.loss, judge,
                     result.accuracy, describe(s), with_commas(predictions.labels.size()), s.dataset) +
         superclass_text(s, predictions);
}

bool has_superclasses(const Settings& s) { return s.dataset == "cifar100" && s.labels == "fine"; }

std::string superclass_text(const Settings& s, const Predictions& predictions) {
  if (!has_superclasses(s)) return "";
  return fmt::format("superclass accuracy {:.2f} %\n",
                     superclass_accuracy(predicted_classes(predictions.logits), predictions.labels));
}

std::vector<Confusion> most_frequent_confusions(const Indices& confusion, std::size_t most) {
  const std::size_t classes = confusion.shape()[0];
  std::vector<Confusion> all;
  for (std::size_t label = 0; label < classes; ++label)
    for (std::size_t k = 0; k < classes; ++k)
      if (k != label && confusion(label, k) > 0) all.push_back({confusion(label, k), label, k});
  std::stable_sort(all.begin(), all.end(), [](const Confusion& a, const Confusion& b) { return a.count > b.count; });
  all.resize(std::min(all.size(), most));
  return all;
}

std::string class_text(const Indices& confusion, const std::vector<std::string>& names) {
  const std::vector<double> accuracy = class_accuracy(confusion);
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](std::size_t k) { return std::isnan(accuracy[k]) ? 101 : accuracy[k]; };  // no images: last
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });

  std::string text = "accuracy of each class, the worst first\n";
  for (const std::size_t k : order) {
    text += fmt::format("  {:<{}}", names[k], longest(names));
    if (std::isnan(accuracy[k])) {
      text += "  no images\n";
      continue;
    }
    const std::string bar(static_cast<std::size_t>(std::lround(accuracy[k] * 0.4)), '=');
    text += fmt::format("  {:6.2f} %{}{}\n", accuracy[k], bar.empty() ? "" : "  ", bar);
  }
  return text;
}

std::string calibration_text(const Calibration& calibration) {
  std::string text = fmt::format(
      "calibration error {:.2f} %: how far, on average, the confidence in an answer is from the share of right ones\n"
      "  confidence (%)   images    mean   right (%)\n",
      calibration.error);
  for (const CalibrationBin& bin : calibration.bins) {
    if (bin.count == 0) continue;
    text += fmt::format("  {:5.1f} to {:5.1f}  {:>7}  {:6.2f}      {:6.2f}\n", bin.from, bin.to, with_commas(bin.count),
                        bin.confidence, bin.accuracy);
  }
  return text;
}

std::string confusion_text(const Indices& confusion, const std::vector<std::string>& names) {
  return names.size() <= 20 ? matrix_text(confusion, names) : largest_confusions_text(confusion, names);
}

std::string confusion_csv(const Indices& confusion, const std::vector<std::string>& names) {
  std::string text = "label";
  for (const std::string& name : names) text += ',' + field(name);
  text += '\n';
  for (std::size_t label = 0; label < names.size(); ++label) {
    text += field(names[label]);
    for (std::size_t k = 0; k < names.size(); ++k) text += fmt::format(",{}", confusion(label, k));
    text += '\n';
  }
  return text;
}

std::vector<double> probabilities(const Scalar* logits, std::size_t classes, LossKind loss) {
  std::vector<double> result(logits, logits + classes);
  if (loss == LossKind::BinaryCrossEntropy) {
    for (double& x : result) x = 1 / (1 + std::exp(-x));
    return result;
  }
  const double top = *std::max_element(result.begin(), result.end());
  double total = 0;
  for (double& x : result) total += x = std::exp(x - top);
  for (double& x : result) x /= total;
  return result;
}

}  // namespace xtg::app
