#pragma once

// How large activations and gradients are in every layer of a network: what a norm keeps in bounds.

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "nn/module.hpp"
#include "nn/train/classification_loss.hpp"

namespace xtg::app {

/// The arrays looked at for each convolution, in the order of the file.
enum class LayerArray {
  Convolution,          // its result
  ConvolutionGradient,  // dLoss/d(that)
  Activation,           // the result of the relu that follows, after norm and shortcut where there are any
  ActivationGradient,
};

/// "convolution", "convolution gradient", "activation" or "activation gradient".
std::string to_string(LayerArray array);

/// The shares whose quantiles are kept, in percent.
constexpr std::array<int, 7> layer_quantiles = {1, 5, 25, 50, 75, 95, 99};

/// One array in one layer after one epoch; epoch 0 is before the first step.
struct LayerRow {
  std::size_t epoch = 0;
  std::string layer;  // the path of the convolution: "layer1.0.conv1"
  LayerArray array = LayerArray::Convolution;
  double mean = 0, sd = 0;                             // of all its elements
  double zeros = 0;                                    // percent of its elements that are exactly 0, as relu makes them
  std::array<double, layer_quantiles.size()> sizes{};  // quantiles of the absolute values of the others; 0 if none
};

/// Sends `images` (N, H, W, C) through a clone of the network in training mode, and back from the mean loss over them;
/// nothing of `network` changes. Layers come in the order in which they are computed; a convolution that no relu
/// follows before the next one (a shortcut's) has two rows, the others four.
std::vector<LayerRow> measure_layers(const nn::Module& network, const Tensor& images, const Indices& labels,
                                     nn::LossKind loss, double label_smoothing);

/// The file layers.csv: a row an array. Throws FormatError that names the file and line.
std::string to_csv(const std::vector<LayerRow>& rows);
std::vector<LayerRow> read_layers(const std::string& path);

}  // namespace xtg::app
