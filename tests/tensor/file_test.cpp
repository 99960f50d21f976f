#include "tensor/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "tensor/error.hpp"
#include "tests/temporary_directory.hpp"

using namespace xtg;
using namespace xtg::testing;
namespace fs = std::filesystem;

namespace {

/// What happens before a file is locked the next time: so another writer can come in between.
std::function<void()> before_next_lock;

}  // namespace

/// The library's call comes here, and then goes to the system.
extern "C" int flock(int file, int operation) noexcept {
  if (before_next_lock) std::exchange(before_next_lock, nullptr)();
  return static_cast<int>(::syscall(SYS_flock, file, operation));
}

namespace {

void write(const std::string& path, const std::string& text, bool commit) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  if (commit) file.commit();
}

std::size_t entries(const TemporaryDirectory& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()));
}

mode_t mode_of(const std::string& path) {
  struct stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

/// Runs `work` in a child process, which is then killed; returns when it is dead.
template <class Work>
void killed_after(Work work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    work();
    ::raise(SIGKILL);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
}

}  // namespace

TEST_CASE("file: a committed file replaces the old one, an abandoned one leaves it as it was") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  write(path, "first", true);
  CHECK(read_file(path) == "first");
  write(path, "abandoned", false);
  CHECK(read_file(path) == "first");
  write(path, std::string(100000, 'x') + '\0' + "end", true);
  CHECK(read_file(path) == std::string(100000, 'x') + '\0' + "end");
  CHECK(entries(folder) == 1);
}

TEST_CASE("file: what cannot be read or written says why") {
  const TemporaryDirectory folder;
  CHECK_THROWS_WITH_AS(read_file(folder / "none"), (folder / "none: cannot open: No such file or directory").c_str(),
                       FormatError);
  CHECK_THROWS_WITH_AS(read_file(folder.path.string()),
                       (folder.path.string() + ": cannot read: not a regular file").c_str(), FormatError);
  CHECK_THROWS_WITH_AS(read_file("/proc/self/mem"), "/proc/self/mem: cannot read: not a regular file", FormatError);
  CHECK_THROWS_WITH_AS(read_file("/proc/self/maps"), "/proc/self/maps: cannot read: not a regular file", FormatError);
  write_file(folder / "empty", "");
  CHECK(read_file(folder / "empty") == "");
  CHECK_THROWS_WITH_AS(AtomicFile(folder / "none/a"),
                       (folder / "none/a: cannot write: No such file or directory").c_str(), FormatError);
}

TEST_CASE("file: two writers of one path have temporary files of their own, and the last to commit wins") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  {
    AtomicFile first(path), second(path);
    CHECK(entries(folder) == 2);
    first.write("first", 5);
    second.write("sec", 3);
    first.commit();
    CHECK(read_file(path) == "first");
    AtomicFile third(path);  // while the second is under way
    second.write("ond", 3);
    third.write("third", 5);
    second.commit();
    CHECK(read_file(path) == "second");
    CHECK(entries(folder) == 2);
  }
  CHECK(read_file(path) == "second");  // the third was abandoned
  CHECK(entries(folder) == 1);
}

TEST_CASE("file: what killed writers have left is removed by the next, and what is not theirs stays") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  AtomicFile alive(path);
  alive.write("alive", 5);
  killed_after([&] {
    AtomicFile* dead = new AtomicFile(path);
    dead->write("dead", 4);
  });
  CHECK(entries(folder) == 2);
  write(path, "next", true);
  CHECK(entries(folder) == 2);  // the one alive, and the file
  CHECK(read_file(path) == "next");
  alive.commit();
  CHECK(read_file(path) == "alive");
  CHECK(entries(folder) == 1);

  fs::create_directory(path + ".xtgrad-1.tmp");
  std::ofstream(folder / "precious") << "precious";
  fs::create_symlink("precious", path + ".xtgrad-2.tmp");
  REQUIRE(::mkfifo((path + ".xtgrad-3.tmp").c_str(), 0600) == 0);
  write(path, "new", true);
  CHECK(read_file(path) == "new");
  CHECK(read_file(folder / "precious") == "precious");
  CHECK(entries(folder) == 5);
}

TEST_CASE("file: many writers at once, in threads, lose nothing") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  const std::string letters = "abcd";
  std::vector<std::thread> writers;
  for (const char letter : letters)
    writers.emplace_back([&path, letter] {
      for (int i = 0; i < 50; ++i) write(path, std::string(1000, letter), true);
    });
  for (std::thread& writer : writers) writer.join();
  const std::string text = read_file(path);
  CHECK(letters.find(text[0]) != std::string::npos);
  CHECK(text == std::string(1000, text[0]));
  CHECK(entries(folder) == 1);
}

TEST_CASE("file: permissions are kept, and those of a new file are the umask's") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  const mode_t before = ::umask(027);
  write(path, "new", true);
  CHECK(mode_of(path) == 0640);
  for (const mode_t mode : {0600, 0666, 0755, 0444}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    write(path, "newer", true);
    CHECK(mode_of(path) == mode);
  }
  ::umask(before);
  if (::geteuid() != 0) return;
  REQUIRE(::chown(path.c_str(), 12345, 12346) == 0);
  write(path, "newest", true);
  struct stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(status.st_uid == 12345);
  CHECK(status.st_gid == 12346);
}

TEST_CASE("file: a symbolic link stays, and the file that it leads to is replaced") {
  const TemporaryDirectory folder;
  fs::create_directory(folder / "there");
  fs::create_symlink("second", folder / "first");
  fs::create_symlink("there/a", folder / "second");
  for (const std::string text : {"new", "newer"}) {  // at first the link leads nowhere
    write(folder / "first", text, true);
    CHECK(fs::is_symlink(folder / "first"));
    CHECK(fs::is_symlink(folder / "second"));
    CHECK(fs::is_regular_file(fs::symlink_status(folder / "there/a")));
    CHECK(read_file(folder / "there/a") == text);
  }
  write(folder / "first", "abandoned", false);
  CHECK(read_file(folder / "there/a") == "newer");
  fs::create_symlink(folder / "there/absolute", folder / "absolute");
  write(folder / "absolute", "text", true);
  CHECK(read_file(folder / "there/absolute") == "text");
  CHECK(entries(folder) == 4);
  fs::create_symlink("loop", folder / "loop");
  CHECK_THROWS_WITH_AS(AtomicFile(folder / "loop"),
                       (folder / "loop: cannot write: Too many levels of symbolic links").c_str(), FormatError);
}

TEST_CASE("file: devices and named pipes are written to, never replaced") {
  const TemporaryDirectory folder;
  const std::string pipe = folder / "pipe", text(100'000, 'x');
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  fs::create_symlink("pipe", folder / "link");
  for (const std::string& path : {pipe, folder / "link"}) {
    std::string read;
    std::thread reader([&] {
      std::ifstream file(pipe);
      read.assign(std::istreambuf_iterator<char>(file), {});
    });
    write(path, text, true);
    reader.join();
    CHECK(read == text);
    CHECK(fs::is_fifo(fs::symlink_status(pipe)));
  }
  CHECK(entries(folder) == 2);

  // Devices of our own: root could replace those in /dev, if something is wrong here.
  const std::string null = folder / "null", full = folder / "full";
  if (::mknod(null.c_str(), S_IFCHR | 0600, ::makedev(1, 3)) == 0 && ::access(null.c_str(), W_OK) == 0 &&
      std::ofstream(null) && ::mknod(full.c_str(), S_IFCHR | 0600, ::makedev(1, 7)) == 0) {
    write(null, text, true);
    CHECK(fs::is_character_file(null));
    CHECK_THROWS_WITH_AS(write(full, text, true), (full + ": cannot write: No space left on device").c_str(),
                         FormatError);
    CHECK(fs::is_character_file(full));
  } else if (::geteuid() != 0) {
    write("/dev/null", text, true);
    CHECK(fs::is_character_file("/dev/null"));
  }
  CHECK_THROWS_WITH_AS(AtomicFile(folder.path.string()),
                       (folder.path.string() + ": cannot write: Is a directory").c_str(), FormatError);
}

TEST_CASE("file: this process's own standard output is written to behind what is there") {
  const TemporaryDirectory folder;
  const std::string path = folder / "output", link = folder / "stdout";
  fs::create_symlink("/proc/self/fd/1", link);  // as /dev/stdout is
  std::fflush(stdout);                          // or the child would print it again
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0666);
    if (::dup2(file, STDOUT_FILENO) < 0) ::_exit(1);
    std::printf("before, ");
    write(link, "the file, ", true);
    std::printf("after");
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(read_file(path) == "before, the file, after");
}

TEST_CASE("file: a temporary file that another writer takes for abandoned before its own has locked it") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  before_next_lock = [&] { write(path, "other", true); };
  AtomicFile file(path);
  CHECK(before_next_lock == nullptr);
  CHECK(read_file(path) == "other");
  file.write("own", 3);
  CHECK(entries(folder) == 2);
  file.commit();
  CHECK(read_file(path) == "own");
  CHECK(entries(folder) == 1);
}

TEST_CASE("file: a temporary file that is committed while another writer wonders whether it is abandoned") {
  const TemporaryDirectory folder;
  const std::string path = folder / "a";
  auto first = std::make_unique<AtomicFile>(path);
  first->write("first", 5);
  std::unique_ptr<AtomicFile> third;  // gets the first one's name as soon as that is free
  before_next_lock = [&] {
    first->commit();
    first.reset();
    third = std::make_unique<AtomicFile>(path);
    third->write("third", 5);
  };
  AtomicFile second(path);
  CHECK(first == nullptr);
  CHECK(read_file(path) == "first");
  CHECK(entries(folder) == 3);
  second.write("second", 6);
  second.commit();
  CHECK(read_file(path) == "second");
  third->commit();
  CHECK(read_file(path) == "third");
  CHECK(entries(folder) == 1);
}
