#pragma once

#include <functional>

#include "../data/dataset.hpp"
#include "../module.hpp"
#include "classification_loss.hpp"

namespace xtg::nn {

/// What a classifier says of every image of a data set, in its order.
struct Predictions {
  Tensor logits;   // (N, K)
  Indices labels;  // (N), the right answers
};

/// Runs the classifier over all images of `dataset`, the last incomplete batch included, in evaluation mode and off the
/// tape. With `flip` the logits are the means of those of the image and of its mirror image. Each module's mode is as
/// before afterwards. `on_batch(done, total)` is called with image counts after every batch; what it throws ends the
/// evaluation. Throws as Loader does, and ShapeError if the network's results are not logits of one K.
Predictions predict(Module& network, const Dataset& dataset, const Standardization& standardization, bool flip = false,
                    const std::function<void(std::size_t, std::size_t)>& on_batch = {});

struct Evaluation {
  double loss = 0;      // nats per image, without label smoothing
  double accuracy = 0;  // percent; whatever the loss, the answer is the class of the largest logit
};

/// Mean loss and accuracy of predictions. Throws ShapeError unless there is a row of logits for each label, ValueError
/// for no predictions or a label outside 0 … K−1.
Evaluation score(const Predictions& predictions, LossKind loss = LossKind::CrossEntropy);

/// score(predict(…)): see both.
Evaluation evaluate(Module& network, const Dataset& dataset, const Standardization& standardization,
                    const std::function<void(std::size_t, std::size_t)>& on_batch = {},
                    LossKind loss = LossKind::CrossEntropy, bool flip = false);

/// In how many rows of logits (N, K) the first largest entry stands at the label. Throws ShapeError unless there is a
/// row for each of the labels (N).
std::size_t count_correct(const Tensor& logits, const Indices& labels);

}  // namespace xtg::nn
