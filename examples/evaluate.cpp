// What a network trained by resnet_cifar has learned: accuracy of each class, confusions, calibration; or what it takes
// your own images for. The measures are in nn/train/metrics.cpp; the texts are made in training/evaluation_text.cpp.

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <optional>

#include "examples/training/data.hpp"
#include "examples/training/evaluation_text.hpp"
#include "examples/training/network.hpp"
#include "examples/training/options.hpp"
#include "examples/training/plan.hpp"
#include "examples/training/png.hpp"
#include "examples/training/program.hpp"
#include "examples/training/progress.hpp"
#include "examples/training/resize.hpp"
#include "examples/training/waiting.hpp"
#include "tensor/file.hpp"

namespace {

using namespace xtg::nn;

constexpr std::size_t side = 32;  // of the images that the networks take

const char* const help = R"(usage: evaluate RUN_DIR [IMAGE.png ...] [options]

Shows what a network that resnet_cifar trained has learned. RUN_DIR is the directory of the run; the weights come from
its checkpoint (their moving average, if the run kept one), the settings from its config.toml. Nothing in it changes.

Without images, the network answers all test images, and you see
  loss and accuracy        as resnet_cifar --eval prints them
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
  evaluate runs/shapes-1
  evaluate runs/cifar10-1 --flip --csv confusion.csv
  evaluate runs/cifar10-1 cat.png dog.png
)";

struct Arguments {
  std::string run, data, csv;
  std::vector<std::string> images;
  bool flip = false;
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments result;
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
  xtg::require(!paths.empty(), "expected the directory of a run (see --help)");
  result.run = paths.front();
  result.images.assign(paths.begin() + 1, paths.end());
  xtg::require(result.csv.empty() || result.images.empty(), "--csv is for the test images, not for images of your own");
  return result;
}

/// The run and its checkpoint, as resnet_cifar --eval finds them.
Plan find_run(const Arguments& arguments) {
  CommandLine line;
  line.eval = true;
  line.out = arguments.run;
  if (!arguments.data.empty()) line.given["data"] = arguments.data;
  if (arguments.flip) line.given["flip-test"] = true;
  Plan plan = make_plan(line);
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
  std::optional<xtg::AtomicFile> file;  // first: whether it can be written is better known before the work than after
  if (!csv.empty()) file.emplace(csv);
  const Data data = load_data(plan.settings);
  const Predictions found = answers(plan, data.test, data.standardization);
  const std::vector<std::string>& names = data.test.class_names;
  const xtg::Indices confusion = confusion_matrix(predicted_classes(found.logits), found.labels, names.size());

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

int main(int argc, char** argv) {
  wait_without_spinning(argv);
  return run_program("evaluate", [&] {
    const std::optional<Arguments> arguments = parse(argc, argv);
    if (!arguments) return success;
    const Plan plan = find_run(*arguments);
    if (arguments->images.empty())
      report_on_test_images(plan, arguments->csv);
    else
      report_on_own_images(plan, arguments->images);
    return success;
  });
}
