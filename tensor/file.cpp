#include "tensor/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "tensor/error.hpp"

namespace xtg {

namespace {

std::string system_reason() { return std::generic_category().message(errno); }

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(path + ".tmp") {
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  check(file_ >= 0);
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::check(bool done) const {
  require<FormatError>(done, "{}: cannot write: {}", path_, done ? std::string() : system_reason());
}

void AtomicFile::write(const void* bytes, std::size_t n) {
  const char* next = static_cast<const char*>(bytes);
  while (n > 0) {  // a write may be short: a full disk, or a file size limit, is reported by the one after it
    const ssize_t written = ::write(file_, next, n);
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = EIO;
    check(written > 0);
    next += written;
    n -= static_cast<std::size_t>(written);
  }
}

/// The data must be on the disk before the name is, or a power failure could leave the name with an empty file.
void AtomicFile::commit() {
  int result;
  do result = ::fsync(file_);
  while (result < 0 && errno == EINTR);
  check(result == 0);
  result = ::close(std::exchange(file_, -1));  // on Linux the descriptor is gone even after EINTR
  check(result == 0 || errno == EINTR);
  check(std::rename(temporary_.c_str(), path_.c_str()) == 0);
  committed_ = true;
  flush_directory();
}

/// Makes the new name survive a power failure. No error comes from here: the file is whole under its name already,
/// some file systems cannot flush a directory, and a directory may be writable and yet not readable.
void AtomicFile::flush_directory() const {
  const std::size_t slash = path_.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  while (::fsync(fd) < 0 && errno == EINTR) {
  }
  ::close(fd);
}

// The size comes from the file system and never from the contents.
void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

std::string read_file(const std::string& path) {
  struct Descriptor {
    int fd;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);
    }
  } file{
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // without O_NONBLOCK opening a named pipe would wait
  if (file.fd < 0) throw FormatError(fmt::format("{}: cannot open: {}", path, system_reason()));
  struct stat status;
  if (::fstat(file.fd, &status) != 0) throw FormatError(fmt::format("{}: cannot read: {}", path, system_reason()));
  require<FormatError>(S_ISREG(status.st_mode), "{}: cannot read: not a regular file", path);
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(file.fd, &bytes[have], bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw FormatError(fmt::format("{}: cannot read: {}", path, system_reason()));
    if (got == 0) break;  // it became shorter while we read
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace xtg
