#include "examples/app/terminal/waiting.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace xtg::app {

void wait_without_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  std::error_code unknown;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown && setenv("GOMP_SPINCOUNT", "1000", 0) == 0) execv(self.c_str(), argv);
}

}  // namespace xtg::app
