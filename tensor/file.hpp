#pragma once

#include <string>

namespace xtg {

/// A file that appears whole or not at all: it is written under a temporary name in the same directory, and commit()
/// flushes it to the disk and renames it over `path`. Until then an older file of that name is untouched, and without
/// commit() the destructor removes what was written. One writer for a path at a time.
/// All throw FormatError, "path: cannot write: reason". A limit on file sizes is such a reason only in a program that
/// ignores the signal SIGXFSZ.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::size_t n);
  void commit();

 private:
  void check(bool done) const;
  void flush_directory() const;

  std::string path_, temporary_;
  int file_ = -1;
  bool committed_ = false;
};

/// Makes `text` the whole of the file, by AtomicFile; throws as it does.
void write_file(const std::string& path, const std::string& text);

/// The whole of a regular file. Throws FormatError, "path: cannot open: reason" or "path: cannot read: reason".
std::string read_file(const std::string& path);

}  // namespace xtg
