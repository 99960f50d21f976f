#pragma once

#include <pthread.h>

#include <exception>
#include <functional>
#include <stdexcept>
#include <utility>

namespace xtg::testing {

/// Runs work on a thread with a stack of 256 KiB, on which a recursion over a long graph does not fit.
inline void on_small_stack(const std::function<void()>& work) {
  std::pair<const std::function<void()>&, std::exception_ptr> job{work, nullptr};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_t thread;
  const auto start = [](void* argument) -> void* {
    auto& [call, error] = *static_cast<decltype(job)*>(argument);
    try {
      call();
    } catch (...) {
      error = std::current_exception();
    }
    return nullptr;
  };
  if (pthread_create(&thread, &attributes, start, &job) != 0) throw std::runtime_error("no thread");
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (job.second) std::rethrow_exception(job.second);
}

}  // namespace xtg::testing
