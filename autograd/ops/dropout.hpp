#pragma once

#include "../../tensor/random.hpp"
#include "../variable.hpp"

namespace xtg {

/// Each element is 0 with probability p, else x/(1 − p), so that the expectation stays (Srivastava et al. 2014). For
/// training; in evaluation leave it out. The generator is drawn from when this is called, one number an element in
/// their order, whatever p is (also for p = 0, which leaves x as it is): what is drawn after it does not depend on p.
/// The recorded function is a multiplication by the fixed mask, dx = dy·mask. Throws ValueError unless 0 ≤ p < 1.
Variable dropout(const Variable& x, double p, Generator& generator);

}  // namespace xtg
