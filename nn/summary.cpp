#include "nn/summary.hpp"

namespace xtg {}  // namespace xtg
