#include "tensor/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <system_error>
#include <utility>

#include "tensor/error.hpp"

namespace xtg {

namespace {

std::string system_reason() { return std::generic_category().message(errno); }

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

/// The directory of a path, with a slash at its end; "" for a plain name.
std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

/// Where the symbolic links at the end of a path lead to, also if nothing is there.
std::string follow_links(std::string path) {
  char target[PATH_MAX];
  for (int links = 0; links < 40; ++links) {  // no more than the system follows
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
    if (length < 0) break;
    const std::string next(target, static_cast<std::size_t>(length));
    path = next.rfind('/', 0) == 0 ? next : directory_of(path) + next;
  }
  return path;
}

/// Removes the temporary file of a writer that was killed. False if it is not that: its writer is alive and holds its
/// lock, or it is not a regular file.
bool remove_abandoned(const std::string& temporary) {
  const int file = ::open(temporary.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return errno == ENOENT;
  struct stat opened, named;
  bool removed = ::fstat(file, &opened) == 0 && S_ISREG(opened.st_mode) && ::flock(file, LOCK_EX | LOCK_NB) == 0;
  // Before we had the lock, its writer may have committed it: then the name is free, or another's.
  if (removed && ::lstat(temporary.c_str(), &named) == 0 && same_file(opened, named))
    removed = ::unlink(temporary.c_str()) == 0 || errno == ENOENT;
  ::close(file);
  return removed;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(follow_links(path)) {
  if (!open_in_place()) open_temporary();
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());  // while we hold its lock, so the name is ours
  if (file_ >= 0) ::close(file_);
}

void AtomicFile::check(bool done) const {
  require<FormatError>(done, "{}: cannot write: {}", path_, done ? std::string() : system_reason());
}

/// Opens what must not be replaced; false if it is a regular file, or nothing yet.
bool AtomicFile::open_in_place() {
  struct stat status, standard;
  if (::stat(path_.c_str(), &status) != 0) {
    check(errno == ENOENT);
    return false;
  }
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::fstat(descriptor, &standard) != 0 || !same_file(status, standard)) continue;
    std::fflush(descriptor == STDOUT_FILENO ? stdout : stderr);  // what was printed before comes first
    file_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);  // opened anew, it would be written to from its beginning
    check(file_ >= 0);
    return true;
  }
  if (S_ISREG(status.st_mode)) return false;
  file_ = ::open(path_.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);  // waits for the reader of a named pipe
  check(file_ >= 0);
  return true;
}

/// The writer keeps its temporary file locked: so whoever finds one that is not knows that its writer is dead.
void AtomicFile::open_temporary() {
  struct stat old;
  const bool replaces = ::stat(target_.c_str(), &old) == 0;
  const mode_t mode = replaces ? old.st_mode & 07777 : 0666;
  for (int n = 1;;) {
    const std::string name = fmt::format("{}.xtgrad-{}.tmp", target_, n);
    file_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file_ < 0) {
      check(errno == EEXIST && n < 1000);
      if (!remove_abandoned(name)) ++n;
      continue;
    }
    while (::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }  // a file system without locks goes without
    // Before we had the lock, another writer may have taken it for abandoned.
    struct stat own;
    check(::fstat(file_, &own) == 0);
    if (own.st_nlink > 0) {
      temporary_ = name;
      break;
    }
    ::close(std::exchange(file_, -1));
  }
  if (!replaces) return;
  // Only root may give a file to somebody else; who may not keeps it.
  [[maybe_unused]] const int given = ::fchown(file_, old.st_uid, old.st_gid);
  ::fchmod(file_, mode);  // exactly: open() subtracts the umask
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
/// The lock is kept until the renaming is done.
void AtomicFile::commit() {
  if (temporary_.empty()) return;  // written to as it is
  int result;
  do result = ::fsync(file_);
  while (result < 0 && errno == EINTR);
  check(result == 0);
  check(std::rename(temporary_.c_str(), target_.c_str()) == 0);
  temporary_.clear();
  flush_directory();
}

/// Makes the new name survive a power failure. No error comes from here: the file is whole under its name already,
/// some file systems cannot flush a directory, and a directory may be writable and yet not readable.
void AtomicFile::flush_directory() const {
  const std::string directory = directory_of(target_);
  const int fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  while (::fsync(fd) < 0 && errno == EINTR) {
  }
  ::close(fd);
}

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
  // In /proc there are regular files of size 0 that are not empty, some of them without end.
  char more;
  require<FormatError>(S_ISREG(status.st_mode) && (status.st_size > 0 || ::read(file.fd, &more, 1) == 0),
                       "{}: cannot read: not a regular file", path);
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
