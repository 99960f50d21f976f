#pragma once

#include <string>

namespace xtg::app {

/// The machine that this runs on, in a line: processor, how many threads it runs at once, system, compiler.
std::string describe_machine();

}  // namespace xtg::app
