#pragma once

#include <stdexcept>
#include <string>

namespace xtg::assignment {

/// Thrown where a solution is still to be written: `throw NotImplemented("exercise 03: unbroadcast");`. The grader
/// gives no points for it, and no scolding.
struct NotImplemented : std::logic_error {
  using std::logic_error::logic_error;
};

}  // namespace xtg::assignment
