// What a trained network has learned: accuracy of each class, confusions, calibration; or what it takes your own images
// for. The measures are in nn/train/metrics.cpp; the texts are made in report/evaluation_text.cpp.

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <optional>

#include "examples/app/commands/commands.hpp"
#include "examples/app/report/evaluation_text.hpp"
#include "examples/app/report/png.hpp"
#include "examples/app/report/resize.hpp"
#include "examples/app/run/data.hpp"
#include "examples/app/run/network.hpp"
#include "examples/app/run/plan.hpp"
#include "examples/app/terminal/options.hpp"
#include "examples/app/terminal/program.hpp"
#include "examples/app/terminal/progress.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

using namespace nn;

constexpr std::size_t side = 32;  // of the images that the networks take

const char* const help = R"(usage: xtgrad evaluate RUN_DIR [IMAGE.png ...] [options]

Shows what a network that xtgrad train made has learned. RUN_DIR is the directory of the run; the weights come from its
checkpoint (their moving average, if the run kept one), the settings from its config.toml. Nothing in it changes.

Without images, the network answers all test images, and you see
  loss and accuracy        as in the last row of metrics.csv
  accuracy of each class   the worst first: what is hard, or rare in training
  calibration error        whether an answer given with 80 % confidence is right four times in five. Confidence is the
                           largest softmax probability. Answers are sorted by it into 15 bins; in a row of the table,
                           a mean above the share of right answers is overconfidence (Guo et al. 2017)
  confusion matrix         what is taken for what: a row for each class, right answers on the diagonal; for more than
                           20 classes only the most frequent confusions
With PNG files, it says what it takes each of them for: the three likeliest classes and their probabilities. An image
that is not 32x32 is resized, as a whole. It knows no others than its classes, and has no answer for "none of these".

Options
  --data DIR    where the CIFAR files are; default: where the training had them
  --flip        answer with the mean of the logits of each image and its mirror image: often a little better
  --csv FILE    also write the confusion matrix there, whatever the number of classes
  -h, --help    this text

Examples
  xtgrad evaluate runs/shapes-1
  xtgrad evaluate runs/cifar10-1 --flip --csv confusion.csv
  xtgrad evaluate runs/cifar10-1 cat.png dog.png
)";

struct EvaluateOptions {
  std::string run, data, csv;
  std::vector<std::string> images;
  bool flip = false;
};

std::optional<EvaluateOptions> parse(int argc, char** argv) {
  EvaluateOptions result;
  std::vector<std::string> paths;
  Options options;
  options.words(paths);
  options.path("--data", result.data);
  options.output("--csv", result.csv);
  options.flag("--flip", result.flip);
  if (!options.parse(argc, argv)) {
    fmt::print("{}", help);
    return std::nullopt;
  }
  require(!paths.empty(), "expected the directory of a run (see --help)");
  result.run = paths.front();
  result.images.assign(paths.begin() + 1, paths.end());
  require(result.csv.empty() || result.images.empty(), "--csv is for the test images, not for images of your own");
  return result;
}

Plan find_run(const EvaluateOptions& options) {
  Values given;
  if (!options.data.empty()) given["data"] = options.data;
  if (options.flip) given["flip-test"] = true;
  Plan plan = open_run(options.run, given);
  if (!prepare_arithmetic(plan.settings)) {
    fmt::print("the run was in bf16, which this build or processor does not have; going on in fp32\n");
  }
  return plan;
}

Predictions answers(const Plan& plan, const Dataset& images, const Standardization& standardization) {
  const auto network = trained_network(plan.settings, *plan.checkpoint, images.classes());
  Progress progress;
  Predictions result = predict(*network, images, standardization, plan.settings.flip_test,
                               [&](std::size_t done, std::size_t total) { progress.evaluation(done, total); });
  progress.clear();
  return result;
}

void report_on_test_images(const Plan& plan, const std::string& csv) {
  std::optional<AtomicFile> file;  // first: whether it can be written is better known before the work than after
  if (!csv.empty()) file.emplace(csv);
  const Data data = load_data(plan.settings);
  const Predictions found = answers(plan, data.test, data.standardization);
  const std::vector<std::string>& names = data.test.class_names;
  const Indices confusion = confusion_matrix(predicted_classes(found.logits), found.labels, names.size());

  fmt::print("{}\n{}\n{}\n{}", result_text(plan.settings, found), class_text(confusion, names),
             calibration_text(expected_calibration_error(found.logits, found.labels)),
             confusion_text(confusion, names));
  if (!file) return;
  const std::string text = confusion_csv(confusion, names);
  file->write(text.data(), text.size());
  file->commit();
}

/// "cat 71.2 %, dog 20.3 %, horse 3.1 %".
std::string likeliest(const std::vector<double>& probability, const std::vector<std::string>& names) {
  std::vector<std::size_t> order(probability.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return probability[a] > probability[b]; });
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, order.size()); ++i)
    text += fmt::format("{}{} {:.1f} %", i == 0 ? "" : ", ", names[order[i]], 100 * probability[order[i]]);
  return text;
}

void report_on_own_images(const Plan& plan, const std::vector<std::string>& paths) {
  const Data data = describe_data(plan.settings);
  Dataset images;
  images.class_names = data.train.class_names;
  std::vector<std::string> remarks;
  std::size_t width = 0;
  for (const std::string& path : paths) {
    const RgbImage original = read_png(path), small = resized(original, side, side);
    images.images.insert(images.images.end(), small.pixels.begin(), small.pixels.end());
    images.labels.push_back(0);  // not known, and not used
    remarks.push_back(original.height == side && original.width == side
                          ? ""
                          : fmt::format("  (resized from {}x{}{})", original.width, original.height,
                                        original.width == original.height ? "" : ", proportions not kept"));
    width = std::max(width, path.size());
  }
  const Predictions found = answers(plan, images, data.standardization);
  const std::size_t classes = images.classes();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    fmt::print("{:<{}}  {}{}\n", paths[i], width,
               likeliest(probabilities(found.logits.data() + i * classes, classes, parse_loss(plan.settings.loss)),
                         images.class_names),
               remarks[i]);
  }
}

}  // namespace

int evaluate(int argc, char** argv) {
  const std::optional<EvaluateOptions> options = parse(argc, argv);
  if (!options) return success;
  const Plan plan = find_run(*options);
  if (options->images.empty())
    report_on_test_images(plan, options->csv);
  else
    report_on_own_images(plan, options->images);
  return success;
}

}  // namespace xtg::app
