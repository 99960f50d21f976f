#include "examples/training/program.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>

#include "nn/train/trainer.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

int run_program(const char* name, const std::function<int()>& main) {
  const auto fail = [name](int status, std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    fmt::print(stderr, "{}: {}\n", name, xtg::excerpt(message, 2000));
    return status;
  };
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return main();
  } catch (const xtg::nn::DivergedError& error) {
    return fail(failure, std::string(error.what()) + "; a smaller --lr may help");
  } catch (const std::bad_alloc&) {
    return fail(failure, "not enough memory");
  } catch (const std::exception& error) {
    return fail(user_error, error.what());
  }
}
