#pragma once

#include <string>

#include "tensor.hpp"

namespace xtg {

/// The numbers in nested braces and, after them, the shape: `{{1, 2}, {3, 4}} (2, 2)`. Long axes are shortened to their
/// first and last three entries.
/// precision: significant digits. Throws ValueError unless they are 0 to 100.
std::string to_string(const Tensor& x, int precision = 6);

}  // namespace xtg
