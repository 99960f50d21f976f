#pragma once

#include <cstddef>
#include <string>

namespace xtg {

/// What came from outside, as an error message may quote it: no more than a line. At most `most` bytes, then "…" if
/// there is more; control characters and bytes that are not UTF-8 are written \x1b.
std::string excerpt(const std::string& text, std::size_t most = 100);

}  // namespace xtg
