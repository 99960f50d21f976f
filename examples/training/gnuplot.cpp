#include "examples/training/gnuplot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tensor/file.hpp"

namespace {

/// Runs gnuplot on a script, its output thrown away. In a process group of its own: Ctrl-C is not meant for it. (And
/// not by std::system, which would swallow a Ctrl-C.)
bool run_gnuplot(std::string script_path) {
  char name[] = "gnuplot";
  char* arguments[] = {name, script_path.data(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t process = 0;
  const bool started = posix_spawnp(&process, name, &files, &attributes, arguments, environ) == 0;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (!started) return false;
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::string gnuplot_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

bool gnuplot_file(const std::string& path, const std::function<std::string(const std::string&)>& script_for) {
  const std::string temporary = path + ".tmp", script_path = path + ".gnuplot";
  const std::string text = script_for(temporary);
  std::FILE* file = std::fopen(script_path.c_str(), "w");
  if (!file) return false;
  bool done = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  done = std::fclose(file) == 0 && done;
  done = done && run_gnuplot(script_path);
  std::remove(script_path.c_str());
  done = done && std::rename(temporary.c_str(), path.c_str()) == 0;
  if (!done) std::remove(temporary.c_str());
  return done;
}

std::optional<std::string> gnuplot_text(const std::string& script) {
  std::error_code error;
  std::string directory = (std::filesystem::temp_directory_path(error) / "xtgrad-plot.XXXXXX").string();
  if (error || !mkdtemp(directory.data())) return std::nullopt;
  const std::string path = directory + "/plot.svg";
  const bool drawn = gnuplot_file(path, [&](const std::string& temporary) {
    return "set output " + gnuplot_quoted(temporary) + "\n" + script + "\nunset output\n";
  });
  std::optional<std::string> result;
  if (drawn) result = xtg::read_file(path);
  std::filesystem::remove_all(directory, error);
  return result;
}
