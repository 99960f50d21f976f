#include "examples/app/terminal/stop.hpp"

#include <csignal>

namespace xtg::app {

namespace {

std::atomic<bool> stop_requested{false};

void request_stop(int) { stop_requested = true; }

}  // namespace

const std::atomic<bool>& stop_on_signals() {
  static const bool installed = [] {  // once: a second call must not make a second signal the first again
    struct sigaction action = {};
    action.sa_handler = request_stop;
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    return sigaction(SIGINT, &action, nullptr) == 0 && sigaction(SIGTERM, &action, nullptr) == 0;
  }();
  static_cast<void>(installed);
  return stop_requested;
}

}  // namespace xtg::app
