#include "nn/train/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/reduce.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

void require_class(const char* operation, const char* what, std::int64_t value, std::size_t at, std::size_t classes) {
  require(value >= 0 && static_cast<std::size_t>(value) < classes, "{}: {} {} at {} is not within 0 … {}", operation,
          what, value, at, classes - 1);
}

/// The largest softmax probability of a row of K logits: exp(max − max)/Σ_k exp(x_k − max).
double confidence(const Scalar* row, std::size_t classes) {
  const double top = static_cast<double>(*std::max_element(row, row + classes));
  double total = 0;
  for (std::size_t k = 0; k < classes; ++k) total += std::exp(static_cast<double>(row[k]) - top);
  return 1 / total;
}

}  // namespace

Indices predicted_classes(const Tensor& logits) {
  require<ShapeError>(logits.dimension() == 2 && logits.shape()[1] > 0,
                      "predicted_classes: expected logits (N, K), got {}", to_string(logits.shape()));
  return argmax(logits, 1);
}

Indices confusion_matrix(const Indices& predictions, const Indices& labels, std::size_t classes) {
  require<ShapeError>(predictions.dimension() == 1 && predictions.shape() == labels.shape(),
                      "confusion_matrix: expected predictions (N) and labels (N), got {} and {}",
                      to_string(predictions.shape()), to_string(labels.shape()));
  require(classes > 0, "confusion_matrix: expected at least 1 class, got 0");
  require_size("confusion_matrix", "classes", classes);
  Indices counts(Shape{classes, classes}, 0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int64_t label = labels.data()[i], prediction = predictions.data()[i];
    require_class("confusion_matrix", "label", label, i, classes);
    require_class("confusion_matrix", "prediction", prediction, i, classes);
    ++counts(label, prediction);
  }
  return counts;
}

std::vector<double> class_accuracy(const Indices& confusion) {
  require<ShapeError>(confusion.dimension() == 2 && confusion.shape()[0] == confusion.shape()[1],
                      "class_accuracy: expected a confusion matrix (K, K), got {}", to_string(confusion.shape()));
  const std::size_t classes = confusion.shape()[0];
  std::vector<double> result;
  for (std::size_t k = 0; k < classes; ++k) {
    std::int64_t images = 0;
    for (std::size_t j = 0; j < classes; ++j) images += confusion(k, j);
    result.push_back(images == 0 ? std::numeric_limits<double>::quiet_NaN()
                                 : 100 * static_cast<double>(confusion(k, k)) / static_cast<double>(images));
  }
  return result;
}

Calibration expected_calibration_error(const Tensor& logits, const Indices& labels, std::size_t bins) {
  const char* const name = "expected_calibration_error";
  const Shape& shape = logits.shape();
  require<ShapeError>(shape.size() == 2 && shape[1] > 0 && labels.shape() == Shape{shape[0]},
                      "{}: expected logits (N, K) and N labels, got {} and labels {}", name, to_string(shape),
                      to_string(labels.shape()));
  require(shape[0] > 0, "{}: expected at least 1 image, got 0", name);
  require(bins > 0, "{}: expected at least 1 bin, got 0", name);
  require_size(name, "bins", bins);

  const std::size_t images = shape[0], classes = shape[1];
  const double width = 100 / static_cast<double>(bins);
  Calibration result;
  result.bins.reserve(bins);  // too many are std::bad_alloc at once
  for (std::size_t b = 0; b < bins; ++b) {
    const double next = static_cast<double>(b + 1);
    result.bins.push_back({static_cast<double>(b) * width, b + 1 == bins ? 100 : next * width, 0, 0, 0});
  }
  const Indices predictions = predicted_classes(logits);
  for (std::size_t i = 0; i < images; ++i) {
    require_class(name, "label", labels.data()[i], i, classes);
    const double p = confidence(logits.data() + i * classes, classes);
    require(!std::isnan(p), "{}: the logits at {} have no softmax", name, i);
    // Bin b holds b/B < p ≤ (b + 1)/B.
    const double above = std::ceil(p * static_cast<double>(bins)) - 1;
    CalibrationBin& bin = result.bins[std::min(static_cast<std::size_t>(std::max(above, 0.0)), bins - 1)];
    ++bin.count;
    bin.confidence += 100 * p;  // sums, until the end
    bin.accuracy += predictions.data()[i] == labels.data()[i] ? 100 : 0;
  }
  for (CalibrationBin& bin : result.bins) {
    if (bin.count == 0) continue;
    result.error += std::abs(bin.accuracy - bin.confidence) / static_cast<double>(images);
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return result;
}

}  // namespace xtg::nn
