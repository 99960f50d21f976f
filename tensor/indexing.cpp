#include "tensor/indexing.hpp"

namespace xtg {}  // namespace xtg
