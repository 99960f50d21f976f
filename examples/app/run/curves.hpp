#pragma once

// Pictures of a run, drawn by gnuplot.

#include <string>
#include <vector>

#include "nn/train/learning_rate_range.hpp"
#include "nn/train/trainer.hpp"

namespace xtg::app {

/// Draws loss and accuracy over the epochs with gnuplot, as SVG; `judge` names the images that are not trained on.
/// False, and no picture, if gnuplot is not installed, fails or hangs, or the file cannot be written.
bool plot_curves(const std::string& path, const std::string& title, const std::string& judge,
                 const std::vector<nn::EpochResult>& epochs);

/// The same for a learning-rate range test of at least one step: the loss over the learning rate, on a logarithmic
/// axis.
bool plot_learning_rates(const std::string& path, const std::string& title, const std::vector<nn::RangePoint>& points);

}  // namespace xtg::app
