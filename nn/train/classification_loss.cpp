#include "nn/train/classification_loss.hpp"

#include <utility>

#include "autograd/ops/elementwise.hpp"
#include "autograd/ops/loss.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/indexing.hpp"
#include "tensor/shape.hpp"

namespace xtg::nn {

LossKind parse_loss(const std::string& name) {
  if (name == "cross-entropy") return LossKind::CrossEntropy;
  if (name == "bce") return LossKind::BinaryCrossEntropy;
  throw ValueError(fmt::format("unknown loss '{}', expected cross-entropy or bce", excerpt(name)));
}

Variable classification_loss(LossKind kind, const Variable& logits, const Indices& labels, double label_smoothing) {
  if (kind == LossKind::CrossEntropy) return cross_entropy(logits, labels, label_smoothing);
  const Shape& shape = logits.shape();
  require<ShapeError>(shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && labels.shape() == Shape{shape[0]},
                      "binary cross-entropy: expected logits (N, K) and N labels, got {} and labels {}",
                      to_string(shape), to_string(labels.shape()));
  return classification_loss(kind, logits, one_hot("binary cross-entropy", labels, shape[1]), label_smoothing);
}

Variable classification_loss(LossKind kind, const Variable& logits, Tensor targets, double label_smoothing) {
  if (kind == LossKind::CrossEntropy) return cross_entropy(logits, Variable(std::move(targets)), label_smoothing);
  const Shape& shape = logits.shape();
  require<ShapeError>(shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && targets.shape() == shape,
                      "binary cross-entropy: expected logits (N, K) and as many targets, got {} and {}",
                      to_string(shape), to_string(targets.shape()));
  require(label_smoothing >= 0 && label_smoothing <= 1, "binary cross-entropy: label smoothing {} is not within [0, 1]",
          label_smoothing);
  const double classes = static_cast<double>(shape[1]), elsewhere = label_smoothing / classes;
  for (Scalar& t : targets) t = static_cast<Scalar>(static_cast<double>(t) * (1 - label_smoothing) + elsewhere);
  return binary_cross_entropy_with_logits(logits, Variable(std::move(targets))) * static_cast<Scalar>(classes);
}

}  // namespace xtg::nn
