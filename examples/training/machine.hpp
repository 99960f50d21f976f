#pragma once

#include <string>

/// The machine that this runs on, in a line: processor, how many threads it runs at once, system, compiler.
std::string describe_machine();
