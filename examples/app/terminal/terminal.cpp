#include "examples/app/terminal/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace xtg::app {

TerminalSize terminal_size() {
  winsize size{};
  TerminalSize result;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return result;
  if (size.ws_col > 0) result.columns = size.ws_col;
  if (size.ws_row > 0) result.rows = size.ws_row;
  return result;
}

}  // namespace xtg::app
