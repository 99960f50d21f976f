#pragma once

// What a classifier's answers tell beyond loss and accuracy: which classes it confuses, and whether it knows when it is
// right. Numbers in, numbers out; predict() makes the logits.

#include <vector>

#include "../../tensor/tensor.hpp"

namespace xtg::nn {

/// The class of the first largest logit of each row: logits (N, K) -> (N). Throws ShapeError for other than two axes or
/// no classes.
Indices predicted_classes(const Tensor& logits);

/// How often images of each class were taken for each class: predictions (N), labels (N) -> counts (K, K), the row the
/// label, the column the prediction. The diagonal is what is right, a row's sum the images of a class. Throws
/// ShapeError unless both are lists of equal size, ValueError for 0 classes, or a prediction or label outside 0 … K−1.
Indices confusion_matrix(const Indices& predictions, const Indices& labels, std::size_t classes);

/// How much of each class was recognized (its recall), in percent: 100·C_kk/Σ_j C_kj for a confusion matrix C (K, K).
/// NaN for a class without images, which has none. Throws ShapeError unless the matrix is square.
std::vector<double> class_accuracy(const Indices& confusion);

/// The images whose confidence lies above `from` and not above `to`.
struct CalibrationBin {
  double from = 0, to = 0;  // percent
  std::size_t count = 0;
  double confidence = 0;  // the mean, percent; 0 in an empty bin
  double accuracy = 0;    // percent; 0 in an empty bin
};

struct Calibration {
  double error = 0;  // percent
  std::vector<CalibrationBin> bins;
};

/// Whether a classifier is right as often as it says. Its confidence in an answer is the largest softmax probability;
/// images are sorted by it into bins of equal width from 0 to 1, and the expected calibration error is
///   Σ_b n_b/N · |accuracy_b − confidence_b|
/// for the n_b images of each bin (Guo et al. 2017, arXiv:1706.04599), here in percent, as accuracies are. 0: of the
/// answers given with confidence 80 % four in five are right. Logits (N, K), labels (N).
/// Throws ShapeError for other shapes, ValueError for no images, no bins, a label outside 0 … K−1, or logits that have
/// no softmax: a NaN or an infinite largest one.
Calibration expected_calibration_error(const Tensor& logits, const Indices& labels, std::size_t bins = 15);

}  // namespace xtg::nn
