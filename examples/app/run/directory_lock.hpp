#pragma once

#include <string>

#include "tensor/error.hpp"

namespace xtg::app {

/// Another program has the lock.
struct InUse : ValueError {
  using ValueError::ValueError;
};

/// Keeps a directory to one program at a time: two would write the same files. The lock is on the directory itself and
/// leaves nothing there; the system takes it back when the program ends, however it ends, and programs that it starts
/// do not inherit it. A file system without such locks (some network file systems) goes without.
class DirectoryLock {
 public:
  /// Of a directory that is there. Throws InUse, or FormatError if it cannot be opened.
  explicit DirectoryLock(const std::string& path);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int directory_ = -1;
};

}  // namespace xtg::app
