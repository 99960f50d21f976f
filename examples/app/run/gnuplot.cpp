#include "examples/app/run/gnuplot.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

namespace xtg::app {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{10};
constexpr std::size_t largest_output = 100'000'000;  // bytes

struct Descriptor {
  int number = -1;

  ~Descriptor() { close(); }
  void close() {
    if (number >= 0) ::close(number);
    number = -1;
  }
};

/// A file without a name, only in memory, that is read from its beginning.
bool fill(Descriptor& file, const std::string& text) {
  file.number = memfd_create("gnuplot script", MFD_CLOEXEC);
  std::size_t written = 0;
  while (file.number >= 0 && written < text.size()) {
    const ssize_t n = write(file.number, text.data() + written, text.size() - written);
    if (n < 0) return false;
    written += static_cast<std::size_t>(n);
  }
  return file.number >= 0 && lseek(file.number, 0, SEEK_SET) == 0;
}

/// Starts gnuplot in a process group of its own: Ctrl-C is not meant for it. (And not by std::system, which would
/// swallow a Ctrl-C.) It inherits no other open files of ours, and so no locks: those are all close-on-exec.
bool start(int input, int output, pid_t& process) {
  char name[] = "gnuplot";
  char* arguments[] = {name, nullptr};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const bool started = posix_spawnp(&process, name, &files, &attributes, arguments, environ) == 0;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return started;
}

/// Reads to the end of a pipe; false if that does not come before `deadline`, or only after too much.
bool read_all(int pipe, Clock::time_point deadline, std::string& text) {
  char buffer[65536];
  while (text.size() < largest_output) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wanted{pipe, POLLIN, 0};
    const int ready = poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t n = read(pipe, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return false;
}

/// Whether the process ends before `deadline`, by itself, and well; in any case it is gone afterwards.
bool ended_well(pid_t process, Clock::time_point deadline) {
  int status = 0;
  pid_t ended;
  while ((ended = waitpid(process, &status, WNOHANG)) == 0 && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (ended == 0) {
    kill(-process, SIGKILL);  // with all that it has started
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
  }
  return ended == process && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::string gnuplot_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

std::optional<std::string> gnuplot_svg(const std::string& script) {
  static bool hangs = false;  // then each further plot would cost as much time, and come to as much
  Descriptor input, output, output_end;
  int ends[2];
  pid_t process = 0;
  if (hangs || !fill(input, script) || pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  output.number = ends[0];
  output_end.number = ends[1];
  if (!start(input.number, output_end.number, process)) return std::nullopt;
  output_end.close();
  const Clock::time_point deadline = Clock::now() + patience;
  std::string svg;
  const bool complete = read_all(output.number, deadline, svg);
  const bool well = ended_well(process, complete ? deadline : Clock::now());
  hangs = Clock::now() >= deadline;
  if (!complete || !well || svg.find("</svg>") == std::string::npos) return std::nullopt;
  return svg;
}

}  // namespace xtg::app
