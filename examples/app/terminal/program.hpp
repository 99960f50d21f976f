#pragma once

#include <functional>

namespace xtg::app {

// What the main functions have in common.

constexpr int success = 0, failure = 1, user_error = 2, interrupted = 130;  // exit statuses

/// `main` without its exceptions: each becomes one line on standard error, "name: what went wrong" (at most 2000 bytes
/// of it, without control characters), and an exit status, user_error unless it is DivergedError or a lack of memory or
/// threads (failure); the latter end the process at once. A limit on file sizes is made an error like a full disk, not
/// the end of the program.
int run_program(const char* name, const std::function<int()>& main);

}  // namespace xtg::app
