#include "autograd/graph.hpp"

namespace xtg {}  // namespace xtg
