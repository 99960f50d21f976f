#include "autograd/functional.hpp"

namespace xtg {}  // namespace xtg
