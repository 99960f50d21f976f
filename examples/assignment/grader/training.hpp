#pragma once

#include <vector>

#include "nn/data/dataset.hpp"
#include "nn/module.hpp"

namespace xtg::assignment {

struct TrainingSettings {
  double lr;
  std::size_t batch_size, steps;
  std::size_t images = 256;  // drawn figures (nn::make_shapes), seed 0
};

/// The loss of each of a few steps of SGD with momentum 0.9, without augmentation. Ends early, with the last loss,
/// where the loss is no longer finite. The same network, settings and machine give the same numbers.
std::vector<double> train(nn::Module& network, const TrainingSettings& settings);

/// The mean of the last quarter of the losses.
double tail_mean(const std::vector<double>& losses);

}  // namespace xtg::assignment
