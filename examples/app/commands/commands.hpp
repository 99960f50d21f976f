#pragma once

// The subcommands of xtgrad. Each takes the words behind its name in argv[1] … argv[argc − 1], and returns the exit
// status. What goes wrong is an exception, for run_program.

namespace xtg::app {

int train(int argc, char** argv);
int evaluate(int argc, char** argv);
int compare(int argc, char** argv);
int report(int argc, char** argv);
int find_lr(int argc, char** argv);

}  // namespace xtg::app
