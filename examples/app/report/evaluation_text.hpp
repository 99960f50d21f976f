#pragma once

#include <string>
#include <vector>

#include "examples/app/settings/settings.hpp"
#include "nn/train/evaluation.hpp"
#include "nn/train/metrics.hpp"

namespace xtg::app {

// What a trained network answers, as text of whole lines.

/// "test loss 0.411520, test accuracy 86.2400 % (resnet20, batch norm, 10,000 cifar10 images)"; then superclass_text.
std::string result_text(const Settings& settings, const nn::Predictions& predictions);

/// Whether the labels are the fine ones of CIFAR-100.
bool has_superclasses(const Settings& settings);

/// If it has_superclasses "superclass accuracy 61.20 %", how often the answer is one of the right five
/// classes; for others nothing.
std::string superclass_text(const Settings& settings, const nn::Predictions& predictions);

/// Accuracy of each class with a bar, the worst first.
std::string class_text(const Indices& confusion, const std::vector<std::string>& names);

/// Calibration error, and the reliability of each bin with images.
std::string calibration_text(const nn::Calibration& calibration);

/// The confusion matrix for up to 20 classes, else its 20 largest entries off the diagonal.
std::string confusion_text(const Indices& confusion, const std::vector<std::string>& names);

/// The confusion matrix as CSV: a row for each label, a column for each prediction, both named.
std::string confusion_csv(const Indices& confusion, const std::vector<std::string>& names);

/// How likely each class is by a row of logits: their softmax, or for a network trained on a yes-or-no question for
/// each class their sigmoid.
std::vector<double> probabilities(const Scalar* logits, std::size_t classes, nn::LossKind loss);

/// How many images of the class `label` were taken for `prediction`.
struct Confusion {
  std::int64_t count;
  std::size_t label, prediction;
};
/// Those that occur, the most frequent first, at most `most` of them; `confusion` is a matrix as confusion_matrix makes
/// it.
std::vector<Confusion> most_frequent_confusions(const Indices& confusion, std::size_t most);

}  // namespace xtg::app
