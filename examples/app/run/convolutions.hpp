#pragma once

#include <string>

#include "nn/module.hpp"

namespace xtg::app {

/// Runs one training step of `network` on `batch` empty images, and prints how each pass of each of its convolutions is
/// computed. With `measure` it also times every other way, and takes the fastest from now on where the built-in choice
/// is slower by a twentieth or more; returns what conv2d_algorithms() then says.
std::string show_convolutions(nn::Module& network, std::size_t batch, bool measure);

}  // namespace xtg::app
