#include "nn/pytorch.hpp"

namespace xtg {}  // namespace xtg
