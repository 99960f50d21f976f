#pragma once

#include <string>

namespace xtg {

/// A file that appears whole or not at all: it is written under a temporary name in the same directory, and commit()
/// flushes it to the disk and renames it over `path`. Until then an older file of that name is untouched, and without
/// commit() the destructor removes what was written. The new file has the old one's permissions (and its owner, where
/// the system allows it). A symbolic link stays: the file that it leads to is replaced.
///
/// What is no regular file, a device or a named pipe, is written to as it is: at once, and never replaced. So is a file
/// that this process has as its standard output or error (/dev/stdout).
///
/// The temporary name is `path` + ".xtgrad-N.tmp", of this object alone while it exists, so any number of writers can
/// work on one path, in one process or several; the last to commit wins. What a killed writer has left is removed by
/// the next one for that path.
///
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
  bool open_in_place();
  void open_temporary();
  void flush_directory() const;

  std::string path_;       // as it was given, for messages
  std::string target_;     // where its symbolic links lead to
  std::string temporary_;  // empty if there is none (any more)
  int file_ = -1;
};

/// Makes `text` the whole of the file, by AtomicFile; throws as it does.
void write_file(const std::string& path, const std::string& text);

/// The whole of a regular file. Throws FormatError, "path: cannot open: reason" or "path: cannot read: reason".
std::string read_file(const std::string& path);

}  // namespace xtg
