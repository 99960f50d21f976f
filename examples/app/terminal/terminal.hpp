#pragma once

#include <cstddef>

namespace xtg::app {

struct TerminalSize {
  std::size_t columns = 80, rows = 24;
};

/// Of standard output; the values above if it is no terminal.
TerminalSize terminal_size();

}  // namespace xtg::app
