#include "examples/app/terminal/program.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

#include "nn/train/trainer.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/parallel.hpp"

namespace xtg::app {

namespace {

/// The end of a program that ran out of memory; nothing here needs any. Without destructors of libraries: the end of
/// OpenBLAS waits for threads that may still look for their memory.
[[noreturn]] void end(const char* name, const char* message) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s: %s\n", name, message);
  std::_Exit(failure);
}

/// How many threads OpenBLAS will start when it is loaded.
std::size_t threads_of_openblas(char** environment) {
  cpu_set_t set;
  std::size_t threads = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) threads = static_cast<std::size_t>(CPU_COUNT(&set));
  for (const char* const name : {"OPENBLAS_NUM_THREADS=", "GOTO_NUM_THREADS=", "OMP_NUM_THREADS="}) {
    const std::size_t length = std::strlen(name);
    for (char** variable = environment; *variable; ++variable) {
      const long number = std::strncmp(*variable, name, length) == 0 ? std::atol(*variable + length) : 0;
      if (number > 0) return std::min(threads, static_cast<std::size_t>(number));
    }
  }
  return threads;
}

/// Ends the process if it may not have what OpenBLAS takes when it is loaded: see require_address_space. Runs before
/// any library is initialized, and so uses the system's calls alone.
void require_room_for_libraries(int, char** argv, char** environment) {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const std::size_t threads = threads_of_openblas(environment), wanted = address_space_wanted(threads);
  if (limit.rlim_cur >= wanted) return;
  const char* const slash = std::strrchr(argv[0], '/');
  dprintf(STDERR_FILENO,
          "%s: not enough memory: OpenBLAS with %zu threads (OPENBLAS_NUM_THREADS sets their number) wants %zu bytes, "
          "and the process may have %zu (ulimit -v)\n",
          slash ? slash + 1 : argv[0], threads, wanted, static_cast<std::size_t>(limit.rlim_cur));
  _exit(failure);
}

__attribute__((section(".preinit_array"), used)) void (*const before_libraries)(int, char**,
                                                                                char**) = require_room_for_libraries;

}  // namespace

int run_program(const char* name, const std::function<int()>& main) {
  const auto fail = [name](int status, std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    fmt::print(stderr, "{}: {}\n", name, excerpt(message, 2000));
    return status;
  };
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return main();
  } catch (const nn::DivergedError& error) {
    return fail(failure, std::string(error.what()) + "; a smaller --lr may help");
  } catch (const OutOfMemoryError& error) {
    end(name, error.what());
  } catch (const std::bad_alloc&) {
    end(name, "not enough memory");
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) end(name, error.what());
    return fail(user_error, error.what());
  } catch (const std::exception& error) {
    return fail(user_error, error.what());
  }
}

}  // namespace xtg::app
