#include <algorithm>
#include <cmath>
#include <numeric>

#include "examples/app/report/evaluation_text.hpp"
#include "examples/app/report/html.hpp"
#include "examples/app/report/parts.hpp"
#include "examples/app/report/png.hpp"
#include "examples/app/terminal/text.hpp"
#include "nn/data/cifar.hpp"
#include "nn/train/metrics.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

using namespace nn;

namespace {

constexpr std::size_t images_shown = 12;  // of each kind

std::int64_t images_of(const Indices& confusion, std::size_t label) {
  std::int64_t images = 0;
  for (std::size_t k = 0; k < confusion.shape()[1]; ++k) images += confusion(label, k);
  return images;
}

/// Right answers blue, wrong ones orange, stronger the more of the class's images they are.
std::string matrix(const Indices& confusion, const std::vector<std::string>& names) {
  std::vector<std::string> heads = {"is ↓ &#160; taken for →"};
  for (const std::string& name : names) heads.push_back("<span>" + escaped(name) + "</span>");
  std::vector<std::vector<TableCell>> rows;
  for (std::size_t label = 0; label < names.size(); ++label) {
    rows.push_back({text_cell(names[label])});
    const auto images = static_cast<double>(std::max<std::int64_t>(1, images_of(confusion, label)));
    for (std::size_t k = 0; k < names.size(); ++k) {
      const double share = static_cast<double>(confusion(label, k)) / images;
      const double density = k == label ? 0.5 * share : 0.6 * std::min(1.0, std::sqrt(share));
      rows.back().push_back({std::to_string(confusion(label, k)),
                             confusion(label, k) == 0 ? std::string(" class=\"quiet\"")
                                                      : fmt::format(" class=\"{}\" style=\"--a:{:.2f}\"",
                                                                    k == label ? "hit" : "miss", density)});
    }
  }
  std::string html = table("confusion matrix", heads, rows, "matrix");
  for (std::size_t at = 0; (at = html.find("<th scope=\"col\"><span>", at)) != std::string::npos;)
    html.replace(at, 15, "<th scope=\"col\" class=\"turned\"");
  return html;
}

std::string pairs(const Indices& confusion, const std::vector<std::string>& names, std::size_t most) {
  std::vector<std::vector<TableCell>> rows;
  for (const Confusion& pair : most_frequent_confusions(confusion, most))
    rows.push_back({text_cell(names[pair.label]), text_cell(names[pair.prediction]),
                    number_cell(std::to_string(pair.count)),
                    number_cell(std::to_string(images_of(confusion, pair.label)))});
  return table("most frequent confusions", {"is", "taken for", "images", "of"}, rows);
}

std::string accuracies(const Indices& confusion, const std::vector<std::string>& names) {
  const std::vector<double> accuracy = class_accuracy(confusion);
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](std::size_t k) { return std::isnan(accuracy[k]) ? 101 : accuracy[k]; };  // no images: last
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  std::vector<std::vector<TableCell>> rows;
  for (const std::size_t k : order) {
    const bool none = std::isnan(accuracy[k]);
    rows.push_back({text_cell(names[k]),
                    number_cell(none ? "no images" : fmt::format("{:.1f} %", accuracy[k])),
                    {fmt::format("<i style=\"width:{:.1f}%\"></i>", none ? 0 : accuracy[k]), " class=\"bar\""}});
  }
  return table("accuracy of each class", {"class", "right", ""}, rows, "bars");
}

/// Labels of CIFAR-100 as those of their superclasses.
Indices superclasses(Indices labels) {
  for (std::int64_t& label : labels) label = cifar100_coarse(label);
  return labels;
}

struct Answer {
  std::size_t image, label, answer;
  double probability;  // of the answer
};

std::string strip(const std::vector<Answer>& answers, const Dataset& images) {
  std::string html = "<div class=\"strip\">\n";
  for (const Answer& a : answers) {
    const std::string &is = images.class_names[a.label], &said = images.class_names[a.answer];
    const std::string probability = fmt::format("{:.1f} %", 100 * a.probability);
    const std::string alt = a.label == a.answer ? fmt::format("image {}, recognized as {}", a.image, is)
                                                : fmt::format("image {}, a {} taken for {}", a.image, is, said);
    html += fmt::format(
        "<figure><img width=\"{}\" height=\"{}\" alt=\"{}\" src=\"data:image/png;base64,{}\"/>"
        "<figcaption>{} <b>{}</b><br/>",
        images.width, images.height, escaped(alt),
        base64(write_png(images.image(a.image), images.height, images.width)), a.label == a.answer ? "✓" : "✗",
        escaped(said));
    html += (a.label == a.answer ? "" : "is: " + escaped(is) + "<br/>") + probability + "</figcaption></figure>\n";
  }
  return html + "</div>\n";
}

}  // namespace

std::string class_section(const Settings& settings, const Predictions& found, const std::vector<std::string>& names) {
  const Indices answers = predicted_classes(found.logits);
  const Indices confusion = confusion_matrix(answers, found.labels, names.size());
  const char* const legend =
      "<p class=\"quiet\">A row for each class, a column for each answer, in images. Blue: right. Orange: wrong, "
      "stronger the more.</p>\n";
  if (names.size() <= 20)
    return section("Classes", "<h3>Confusion matrix</h3>\n" + matrix(confusion, names) + legend +
                                  "<h3>Accuracy of each class, the worst first</h3>\n" + accuracies(confusion, names));
  std::string html = "<h3>The 20 most frequent confusions</h3>\n" + pairs(confusion, names, 20);
  if (has_superclasses(settings)) {
    const std::vector<std::string> coarse = cifar100_names(true);
    const Indices of_superclasses = confusion_matrix(superclasses(answers), superclasses(found.labels), coarse.size());
    html += fmt::format(
        "<h3>Superclasses</h3>\n<p>{:.2f} % of the answers are in the right superclass, of which each has five "
        "classes.</p>\n",
        superclass_accuracy(answers, found.labels));
    html += matrix(of_superclasses, coarse) + legend;
  }
  return section("Classes", html + details("Accuracy of each class, the worst first", accuracies(confusion, names)));
}

std::string image_section(const Settings& settings, const Predictions& found, const Dataset& images) {
  const std::size_t classes = images.classes();
  std::vector<Answer> right, wrong;
  std::vector<bool> seen(classes, false);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::vector<double> probability =
        probabilities(found.logits.data() + i * classes, classes, parse_loss(settings.loss));
    const auto best = std::max_element(probability.begin(), probability.end());
    const Answer answer{i, static_cast<std::size_t>(found.labels.data()[i]),
                        static_cast<std::size_t>(best - probability.begin()), *best};
    if (answer.label != answer.answer)
      wrong.push_back(answer);
    else if (!seen[answer.label] && right.size() < images_shown)
      right.push_back(answer);
    if (answer.label == answer.answer) seen[answer.label] = true;
  }
  std::stable_sort(right.begin(), right.end(), [](const Answer& a, const Answer& b) { return a.label < b.label; });
  std::stable_sort(wrong.begin(), wrong.end(),
                   [](const Answer& a, const Answer& b) { return a.probability > b.probability; });
  const std::size_t mistakes = wrong.size();
  wrong.resize(std::min(wrong.size(), images_shown));

  std::string html = "<h3>Right</h3>\n<p class=\"quiet\">The first image that was recognized of " +
                     (right.size() == 1 ? "one class" : fmt::format("each of {} classes", right.size())) +
                     ", and the probability that the network gave its answer.</p>\n";
  html = right.empty() ? "<h3>Right</h3>\n<p>None.</p>\n" : html + strip(right, images);
  html += "<h3>Wrong</h3>\n";
  html += wrong.empty() ? std::string("<p>None.</p>\n")
                        : fmt::format("<p class=\"quiet\">Of {} the {} that it was surest of.</p>\n",
                                      count(mistakes, "wrong answer"), wrong.size()) +
                              strip(wrong, images);
  return section("Images", html);
}

}  // namespace xtg::app
