#include "autograd/ops/dropout.hpp"

namespace xtg {}  // namespace xtg
