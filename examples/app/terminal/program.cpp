#include "examples/app/terminal/program.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
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

}  // namespace

int run_program(const char* name, const std::function<int()>& main) {
  const auto fail = [name](int status, std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    fmt::print(stderr, "{}: {}\n", name, excerpt(message, 2000));
    return status;
  };
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    require_address_space();
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
