#include "nn/train/evaluation.hpp"

#include <algorithm>
#include <utility>

#include "autograd/grad_mode.hpp"
#include "nn/data/loader.hpp"
#include "nn/train/metrics.hpp"
#include "tensor/create.hpp"
#include "tensor/error.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

namespace {

constexpr std::size_t batch_size = 256;

}  // namespace

std::size_t count_correct(const Tensor& logits, const Indices& labels) {
  require<ShapeError>(logits.dimension() == 2 && labels.shape() == Shape{logits.shape()[0]},
                      "count_correct: expected logits (N, K) and N labels, got {} and labels {}",
                      to_string(logits.shape()), to_string(labels.shape()));
  const Indices answers = predicted_classes(logits);
  std::size_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) correct += answers.data()[i] == labels.data()[i];
  return correct;
}

Predictions predict(Module& network, const Dataset& dataset, const Standardization& standardization, bool flip,
                    const std::function<void(std::size_t, std::size_t)>& on_batch) {
  LoaderOptions batches;
  batches.batch_size = batch_size;
  Loader loader(dataset, standardization, batches);
  const NoGrad off_the_tape;
  const EvaluationMode mode(network);

  Predictions result{Tensor(Shape{0}), Indices(Shape{dataset.size()}, 0)};
  std::size_t images = 0, classes = 0;
  const auto logits_of = [&](Tensor batch) {
    const std::size_t count = batch.shape()[0];
    Tensor logits = network(Variable(std::move(batch))).value();
    const bool first = result.logits.dimension() == 1, ranks = logits.dimension() == 2;
    require<ShapeError>(ranks && logits.shape()[0] == count && (first || logits.shape()[1] == classes),
                        "predict: expected logits ({}, K), the same K for all images, got {}", count,
                        to_string(logits.shape()));
    classes = logits.shape()[1];
    if (first) result.logits = zeros({dataset.size(), classes});
    return logits;
  };
  loader.start(0);
  for (Batch batch; loader.next(batch);) {
    const std::size_t count = batch.labels.size();
    Tensor mirror = flip ? mirrored(batch.images) : Tensor(Shape{0});
    Tensor logits = logits_of(std::move(batch.images));  // (count, K)
    if (flip) {
      const Tensor others = logits_of(std::move(mirror));
      for (std::size_t i = 0; i < logits.size(); ++i) logits.data()[i] = (logits.data()[i] + others.data()[i]) / 2;
    }
    std::copy(logits.begin(), logits.end(), result.logits.begin() + static_cast<std::ptrdiff_t>(images * classes));
    std::copy(batch.labels.begin(), batch.labels.end(), result.labels.begin() + static_cast<std::ptrdiff_t>(images));
    images += count;
    if (on_batch) on_batch(images, dataset.size());
  }
  return result;
}

Evaluation score(const Predictions& predictions, LossKind loss) {
  const Shape& shape = predictions.logits.shape();
  require<ShapeError>(shape.size() == 2 && predictions.labels.shape() == Shape{shape[0]},
                      "score: expected logits (N, K) and N labels, got {} and labels {}", to_string(shape),
                      to_string(predictions.labels.shape()));
  require(shape[0] > 0, "score: expected at least 1 prediction, got 0");
  const NoGrad off_the_tape;
  const Variable mean = classification_loss(loss, Variable(predictions.logits), predictions.labels);
  return {
      static_cast<double>(mean.item()),
      100 * static_cast<double>(count_correct(predictions.logits, predictions.labels)) / static_cast<double>(shape[0])};
}

Evaluation evaluate(Module& network, const Dataset& dataset, const Standardization& standardization,
                    const std::function<void(std::size_t, std::size_t)>& on_batch, LossKind loss, bool flip) {
  return score(predict(network, dataset, standardization, flip, on_batch), loss);
}

}  // namespace xtg::nn
