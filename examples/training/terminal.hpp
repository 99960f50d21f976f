#pragma once

#include <cstddef>

struct TerminalSize {
  std::size_t columns = 80, rows = 24;
};

/// Of standard output; the values above if it is no terminal.
TerminalSize terminal_size();
