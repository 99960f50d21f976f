#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>

#include "examples/training/run_directory.hpp"
#include "tensor/error.hpp"

namespace {

/// A text in gnuplot's single quotes.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

std::string script(const std::string& path, const std::string& title, const std::vector<xtg::nn::EpochResult>& epochs) {
  std::string rows;
  for (const xtg::nn::EpochResult& e : epochs) {
    rows += fmt::format("{} {} {} {} {}\n", e.epoch, e.train_loss, e.train_accuracy, e.test_loss, e.test_accuracy);
  }
  return fmt::format(
      R"(set terminal svg size 960,420 font 'Helvetica,Arial,sans-serif,14' \
    noenhanced background rgb 'white'
set output {path}
$rows << end_of_rows
{rows}end_of_rows
set multiplot layout 1,2 title {title} font ',17'
set border 3 linecolor rgb '#888888'
set tics nomirror out scale 0.6 textcolor rgb '#444444'
set grid ytics linetype 1 linecolor rgb '#e6e6e6'
set xlabel 'epoch' textcolor rgb '#444444'
set xrange [{first}:{last}]
set xtics {step}
set style line 1 linecolor rgb '#7f9fbf' linewidth 2 pointtype 7 pointsize 0.5
set style line 2 linecolor rgb '#c44e24' linewidth 2.5 pointtype 7 pointsize 0.5
set ylabel 'loss (nats)' textcolor rgb '#444444'
set yrange [0:*]
set key top right samplen 2
plot $rows using 1:2 with linespoints linestyle 1 title 'training', \
     '' using 1:4 with linespoints linestyle 2 title 'test'
set ylabel 'accuracy (%)' textcolor rgb '#444444'
set yrange [*:100<*]
set key bottom right samplen 2
plot $rows using 1:3 with linespoints linestyle 1 title 'training', \
     '' using 1:5 with linespoints linestyle 2 title 'test'
unset multiplot
)",
      fmt::arg("path", quoted(path)), fmt::arg("title", quoted(title)), fmt::arg("rows", rows),
      fmt::arg("first", epochs.size() > 1 ? 1.0 : 0.5),
      fmt::arg("last", epochs.size() > 1 ? static_cast<double>(epochs.size()) : 1.5),
      fmt::arg("step", (epochs.size() + 9) / 10));
}

std::string range_script(const std::string& path, const std::string& title,
                         const std::vector<xtg::nn::RangePoint>& points) {
  std::string rows;
  for (const xtg::nn::RangePoint& p : points) rows += fmt::format("{} {}\n", p.learning_rate, p.loss);
  return fmt::format(
      R"(set terminal svg size 720,420 font 'Helvetica,Arial,sans-serif,14' \
    noenhanced background rgb 'white'
set output {path}
$rows << end_of_rows
{rows}end_of_rows
set title {title} font ',17'
set border 3 linecolor rgb '#888888'
set tics nomirror out scale 0.6 textcolor rgb '#444444'
set grid linetype 1 linecolor rgb '#e6e6e6'
set xlabel 'learning rate' textcolor rgb '#444444'
set logscale x
set xrange [{first}:{last}]
set format x '%g'
set ylabel 'loss (nats), smoothed' textcolor rgb '#444444'
unset key
plot $rows using 1:2 with linespoints linecolor rgb '#c44e24' linewidth 2.5 pointtype 7 pointsize 0.3
)",
      fmt::arg("path", quoted(path)), fmt::arg("title", quoted(title)), fmt::arg("rows", rows),
      fmt::arg("first", points.front().learning_rate), fmt::arg("last", points.back().learning_rate));
}

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

/// Draws `path` by the script that `script_for` makes for a temporary name.
bool plot(const std::string& path, const std::function<std::string(const std::string&)>& script_for) {
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

}  // namespace

bool plot_curves(const std::string& path, const std::string& title, const std::vector<xtg::nn::EpochResult>& epochs) {
  if (epochs.empty()) return true;
  return plot(path, [&](const std::string& temporary) { return script(temporary, title, epochs); });
}

bool plot_learning_rates(const std::string& path, const std::string& title,
                         const std::vector<xtg::nn::RangePoint>& points) {
  return plot(path, [&](const std::string& temporary) { return range_script(temporary, title, points); });
}
