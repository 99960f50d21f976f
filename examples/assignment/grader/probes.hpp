#pragma once

// The inputs that answers are tried on. Sizes along the axes all differ, gammas have both signs, upstream gradients are
// random: with a loss like Σ y² or gamma = 1 half of the wrong backwards would pass.

#include <vector>

#include "assignment/batch_norm.hpp"

namespace xtg::assignment {

struct Probe {
  Tensor x, gamma, beta, dy;
  double eps;
};

/// 6 × 5, columns of scale 0.5 … 8 about 12; eps 1e-5 or another.
Probe matrix_probe(double eps = 1e-5);
/// The same with a constant third column.
Probe constant_column_probe();
/// Whether that column of y, and no other, has a NaN or infinity.
bool only_constant_column_blows_up(const Tensor& y);
/// Images: (3, 4, 2, 6).
Probe image_probe(double eps = 1e-5);
/// Rows × columns of a seed's own numbers.
Probe random_probe(std::size_t rows, std::size_t columns, std::uint64_t seed, double eps = 1e-3);

/// Matrix at eps 1e-5 and 0.1, images at 1e-5: what mistakes are told apart by.
const std::vector<Probe>& telling_probes();

}  // namespace xtg::assignment
