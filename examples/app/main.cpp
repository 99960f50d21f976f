// The program xtgrad: trains networks on small images, and shows what they learned. Its folders, from the bottom up:
//   terminal/   what any program needs: options, numbers, progress, texts, Ctrl-C
//   settings/   what can be chosen about a training: one table for the command line, config.toml and help
//   run/        one training in its directory: data, network, checkpoints, curves
//   grid/       a training for every combination of settings
//   report/     what a network learned, as text and as an HTML page
//   commands/   the subcommands
// A file includes none of a folder further down this list. The training loop itself is nn/train/trainer.cpp.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "examples/app/commands/commands.hpp"
#include "examples/app/terminal/program.hpp"
#include "examples/app/terminal/text.hpp"
#include "examples/app/terminal/waiting.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::app {

namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(int argc, char** argv);
};

constexpr Command commands[] = {
    {"train", "train a network; with no options, a small one on drawn shapes in a minute or two", train},
    {"evaluate",
     "accuracy of each class, confusions and calibration of a trained network, or what it says of your images",
     evaluate},
    {"compare", "train a network for every combination of settings in a file, and compare them", compare},
    {"report", "one HTML page about a run or a comparison", report},
    {"find-lr", "look for a learning rate: a hundred steps while the rate rises", find_lr},
};

void print_help() {
  fmt::print(
      "usage: xtgrad COMMAND [options]\n\n"
      "Trains residual networks with each normalization layer and with none, and shows what they learned.\n\n");
  for (const Command& command : commands) fmt::print("  {:<10}{}\n", command.name, command.summary);
  fmt::print(
      "\nxtgrad COMMAND --help explains a command and its options; xtgrad --version says the version.\n\n"
      "Examples\n"
      "  xtgrad train --norm group                  leaves a network in runs/shapes-1\n"
      "  xtgrad evaluate runs/shapes-1\n"
      "  xtgrad report runs/shapes-1\n");
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  throw ValueError(
      fmt::format("there is no command '{}'{} (see xtgrad --help)", excerpt(name), did_you_mean(name, names)));
}

int run(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "--help";
  if (first == "-h" || first == "--help") {
    print_help();
    return success;
  }
  if (first == "--version") {
    fmt::print("xtgrad {}\n", XTGRAD_VERSION);
    return success;
  }
  const Command& command = find_command(first);
  return run_program(fmt::format("xtgrad {}", command.name).c_str(), [&] { return command.run(argc - 1, argv + 1); });
}

}  // namespace

}  // namespace xtg::app

int main(int argc, char** argv) {
  xtg::app::wait_without_spinning(argv);
  return xtg::app::run_program("xtgrad", [&] { return xtg::app::run(argc, argv); });
}
