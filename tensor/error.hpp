#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace xtg {

/// An array has a shape that the operation cannot take.
struct ShapeError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// An argument other than a shape is out of its range, or an object is in the wrong state for the call.
struct ValueError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A file is missing, truncated, damaged or not what its name says.
struct FormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws `E` with the formatted message unless `condition` holds. Messages name the operation, what was expected and
/// what came: `require<ShapeError>(c % g == 0, "group_norm: {} channels are not divisible into {} groups", c, g)`.
/// The message is only built when it is needed.
template <class E = ValueError, class... Args>
void require(bool condition, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) throw E(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace xtg
