#pragma once

// Which of oneDNN's algorithms a convolution gets: a table made from measurements, so that no result depends on timing.

#include <string>
#include <vector>

#include "../conv2d.hpp"

namespace xtg::kernels {

/// What the table says, or what set_conv2d_algorithm put in its place; never Winograd under exact_convolutions().
Conv2dAlgorithm chosen_algorithm(const Conv2dGeometry& geometry, Conv2dPass pass, bool bfloat16);

/// What the table says.
Conv2dAlgorithm table_algorithm(const Conv2dGeometry& geometry, Conv2dPass pass, bool bfloat16);

}  // namespace xtg::kernels
