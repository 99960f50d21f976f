#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

// What the main functions have in common.

constexpr int success = 0, failure = 1, user_error = 2, interrupted = 130;  // exit statuses

/// `main` without its exceptions: each becomes one line on standard error, "name: what went wrong", and an exit status,
/// user_error unless it is DivergedError or a lack of memory or threads (failure); the latter end the process at once.
/// A limit on file sizes is made an error like a full disk, not the end of the program.
int run_program(const char* name, const std::function<int()>& main);

/// Whether the command line has been parsed: false if --help was asked for, and `print_help` called. Throws
/// xtg::ValueError, in one line, for options that are not the app's.
bool parse_options(CLI::App& app, int argc, char** argv, const std::function<void()>& print_help);
