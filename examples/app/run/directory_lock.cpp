#include "examples/app/run/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace xtg::app {

DirectoryLock::DirectoryLock(const std::string& path) {
  directory_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  require<FormatError>(directory_ >= 0, "{}: cannot open: {}", path, std::strerror(errno));
  // A program that was killed while it started gnuplot still holds the lock for a moment, in the process to be.
  for (int attempt = 0; flock(directory_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; ++attempt) {
    if (attempt == 20) {
      close(directory_);
      throw InUse(fmt::format("another program is training in {}", path));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

DirectoryLock::~DirectoryLock() { close(directory_); }

}  // namespace xtg::app
