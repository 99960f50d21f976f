#include "assignment/grader/report.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <vector>

namespace xtg::assignment {
namespace {

constexpr std::size_t kLongest = 4000;  // characters of a hint

struct Verdict {
  std::string status;  // right, wrong, not written, exception, crash, time, exit
  std::string hint;
};

/// Text as a JSON string. Bytes that are not printable ASCII or part of UTF-8 text become '?'.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      result += std::string("\\") + c;
    else if (c == '\n')
      result += "\\n";
    else
      result += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return result + '"';
}

void write_all(int descriptor, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(descriptor, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

std::string random_word() {
  std::random_device device;
  std::string word;
  for (int i = 0; i < 4; ++i) word += std::to_string(device()) + "-";
  return word;
}

/// What the judge says, in the forked process: a letter for the status, then the hint.
std::string judged(const std::function<std::string()>& judge) {
  try {
    const std::string hint = judge();
    return (hint.empty() ? "r" : "w") + hint;
  } catch (const NotImplemented& e) {
    return "n" + std::string(e.what());
  } catch (const std::bad_alloc&) {
    return "eran out of memory: it asked for more than the grader allows";
  } catch (const std::exception& e) {
    return "ethrew an exception: " + std::string(e.what());
  } catch (...) {
    return "ethrew something that is no std::exception";
  }
}

[[noreturn]] void run_child(int out, const std::string& word, double seconds,
                            const std::function<std::string()>& judge) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  const auto cpu = static_cast<rlim_t>(std::max(1.0, seconds));
  const rlimit cpu_limit = {cpu, cpu + 1}, no_core = {0, 0};
  ::setrlimit(RLIMIT_CPU, &cpu_limit);
  ::setrlimit(RLIMIT_CORE, &no_core);
  const std::string text = judged(judge);
  std::fflush(nullptr);
  write_all(out, word + text.substr(0, kLongest));
  ::_exit(0);
}

/// Everything the pipe has to say until it closes; false if that takes more than `seconds`.
bool read_all(int in, double seconds, std::string& text) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return false;
    pollfd poll_in = {in, POLLIN, 0};
    if (::poll(&poll_in, 1, static_cast<int>(left)) <= 0) continue;
    char buffer[4096];
    const ssize_t n = ::read(in, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    if (text.size() < 4 * kLongest) text.append(buffer, static_cast<std::size_t>(n));
  }
}

Verdict verdict_of(const std::string& text, const std::string& word, bool in_time, int status) {
  if (!in_time || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
    return {"time", "did not come to an end: the grader stopped it. Is there a loop that never ends?"};
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const std::string more = signal == SIGSEGV ? ": an index out of range, or a recursion without end?"
                             : signal == SIGABRT
                                 ? ": an index too large, an exception that nobody caught, or a damaged heap?"
                                 : "";
    return {"crash", "crashed with signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")" + more};
  }
  if (text.compare(0, word.size(), word) != 0 || text.size() <= word.size())
    return {"exit", "the program ended in the middle of the check: is there an exit() in your code?"};
  const std::string hint = text.substr(word.size() + 1);
  switch (text[word.size()]) {
    case 'r':
      return {"right", ""};
    case 'n':
      return {"not written", hint};
    case 'e':
      return {"exception", hint};
    default:
      return {"wrong", hint};
  }
}

/// Forks, lets the child judge, and waits for what comes of it.
Verdict judge_apart(const std::function<std::string()>& judge, double seconds, int report_descriptor) {
  int ends[2];
  if (::pipe(ends) != 0) return {"crash", std::string("the grader has no pipe: ") + std::strerror(errno)};
  const std::string word = random_word();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return {"crash", std::string("the grader cannot fork: ") + std::strerror(errno)};
  if (child == 0) {
    ::close(ends[0]);
    if (report_descriptor >= 0) ::close(report_descriptor);
    run_child(ends[1], word, seconds, judge);
  }
  ::close(ends[1]);
  std::string text;
  const bool in_time = read_all(ends[0], 4 * seconds, text);
  ::close(ends[0]);
  ::kill(-child, SIGKILL);  // what it has started, too
  ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return verdict_of(text, word, in_time, status);
}

std::string number(double x) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", x);
  return buffer;
}

}  // namespace

Report::Report(const std::string& title) {
  if (const char* descriptor = std::getenv("XTGRAD_REPORT_FD")) {
    descriptor_ = std::atoi(descriptor);
    ::unsetenv("XTGRAD_REPORT_FD");
    ::fcntl(descriptor_, F_SETFD, FD_CLOEXEC);
    write_all(descriptor_, "{\"title\": " + quoted(title) + "}\n");
  } else {
    std::printf("%s\n", title.c_str());
  }
}

Report::~Report() { std::fflush(stdout); }

void Report::check(const std::string& id, const std::string& what, double points,
                   const std::function<std::string()>& judge, double seconds) {
  // Who hangs once will hang again: the others need not wait as long.
  const Verdict verdict = judge_apart(judge, too_slow_ ? std::min(seconds, 0.5) : seconds, descriptor_);
  const bool right = verdict.status == "right";
  too_slow_ = too_slow_ || verdict.status == "time";
  all_right_ = all_right_ && right;
  possible_ += points;
  if (right) points_ += points;
  if (descriptor_ >= 0) {
    write_all(descriptor_, "{\"id\": " + quoted(id) + ", \"what\": " + quoted(what) +
                               ", \"points\": " + number(right ? points : 0) + ", \"possible\": " + number(points) +
                               ", \"status\": " + quoted(verdict.status) + ", \"hint\": " + quoted(verdict.hint) +
                               "}\n");
    return;
  }
  std::printf("%-6s %4s of %-4s %s: %s\n", right ? "ok" : "not ok", number(right ? points : 0).c_str(),
              number(points).c_str(), id.c_str(), what.c_str());
  if (!right) std::printf("       %s: %s\n", verdict.status.c_str(), verdict.hint.c_str());
}

int Report::finish() {
  if (descriptor_ >= 0)
    write_all(descriptor_, "{\"finished\": true}\n");
  else
    std::printf("%s of %s points\n", number(points_).c_str(), number(possible_).c_str());
  return all_right_ ? 0 : 1;
}

}  // namespace xtg::assignment
