#pragma once

#include <atomic>

namespace xtg::app {

/// From now on the first Ctrl-C, or SIGTERM, sets the flag that is returned; the second ends the program as usual.
const std::atomic<bool>& stop_on_signals();

}  // namespace xtg::app
