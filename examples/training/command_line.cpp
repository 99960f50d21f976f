#include "examples/training/command_line.hpp"

#include <sstream>

#include "examples/training/options.hpp"
#include "tensor/error.hpp"

namespace {

const char* const introduction = R"(usage: resnet_cifar [options]

Trains a residual network (He et al. 2015) to tell 32x32 images apart, with a normalization layer of your choice.
Without options: a small network on drawn shapes, a minute or two. What it learns is left in a directory:
  metrics.csv              loss and accuracy, a row an epoch (test_...: with --validation, of those images)
  curves.svg               the same as a picture
  layers.csv               with --layer-statistics: sizes of activations and gradients in each layer
  config.toml              all settings; --config repeats the run
  machine.txt              processor, system and compiler, a line for each machine that trained
  checkpoint.safetensors   weights, and what --resume needs
Ctrl-C stops after the step at hand and saves.
)";

const char* const examples = R"(
Examples
  resnet_cifar --norm group                          another normalization layer
  resnet_cifar --dataset cifar10 --out runs/cifar    photographs, about 85 % after 14 epochs
  resnet_cifar --out runs/cifar --resume             goes on where it was stopped
  resnet_cifar --out runs/cifar --eval               test loss and accuracy of what was learned
  resnet_cifar --norm layer --lr-range --out runs/range    which learning rate?
  resnet_cifar --config runs/cifar/config.toml --seed 1 --out runs/cifar-1
)";

/// Whether it is a flag that is on by default, and so needs a --no-….
bool is_on(const Field& field) {
  const auto* flag = std::get_if<bool Settings::*>(&field.member);
  return flag && Settings().**flag;
}

/// One option and its explanation, words wrapped to 100 columns.
void print_option(const std::string& option, const std::string& explanation) {
  const std::size_t indent = 29, width = 100;
  std::string line = fmt::format("  {:<{}}", option, indent - 2);
  bool first = true;
  std::istringstream words(explanation);
  for (std::string word; words >> word; first = false) {
    if (!first && line.size() + 1 + word.size() > width) {
      fmt::print("{}\n", line);
      line = std::string(indent, ' ');
    } else if (!first) {
      line += ' ';
    }
    line += word;
  }
  fmt::print("{}\n", line);
}

void print_help() {
  fmt::print("{}", introduction);
  std::string group;
  for (const Field& field : fields()) {
    if (group != field.group) fmt::print("\n{}\n", group = field.group);
    const std::string no = is_on(field) ? fmt::format(", --no-{}", field.name) : "";
    print_option(fmt::format("--{}{}{}{}", field.name, no, *field.placeholder ? " " : "", field.placeholder),
                 field.help);
  }
  print_option("--out DIR",
               "where the run is left; without it a new run gets a directory of its own, the first free one of "
               "runs/shapes-1, runs/shapes-2 and so on, by the name of the dataset");
  print_option("--runs DIR", "another directory for these than runs");
  print_option("--resume", "go on with the run in --out; its settings need not be repeated, and may not be changed");
  print_option("--eval", "only evaluate the checkpoint in --out on the test images; writes nothing");
  print_option("--lr-range",
               "train nothing, but look for a good --lr: a copy of the network takes 100 steps of sgd while the rate "
               "rises from 0.0001 to 10 (without mixup, label smoothing and clipping); writes lr-range.csv and "
               "lr-range.svg");
  print_option("--config FILE", "take settings from a config.toml; options given as well come first");
  print_option("--verbose",
               "say how each convolution is computed, and at the end how long the training waited for images");
  print_option("--autotune",
               "time the ways to compute each convolution on this machine, show them, and use the fastest in this run, "
               "which records them; without it, a built-in table decides");
  print_option("-h, --help", "this text");
  fmt::print("{}", examples);
}

/// Puts what is given for `field` into `given`; T is the type of the field.
template <class T>
void add_option(Options& options, const Field& field, Values& given) {
  const std::string option = std::string("--") + field.name;
  const auto put = [&](const auto& value) { given[field.name] = T(value); };
  if constexpr (std::is_same_v<T, bool>) {
    options.flag(option, put);
    if (is_on(field)) options.flag(fmt::format("--no-{}", field.name), [put](bool value) { put(!value); });
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    options.whole(option, put);
  } else if constexpr (std::is_same_v<T, double>) {
    options.real(option, put);
  } else {
    options.text(option, put);
  }
}

}  // namespace

std::optional<CommandLine> parse_command_line(int argc, char** argv) {
  CommandLine result;
  Options options;
  for (const Field& field : fields()) {
    std::visit(
        [&](auto member) { add_option<std::decay_t<decltype(Settings().*member)>>(options, field, result.given); },
        field.member);
  }
  options.flag("--derived", [&](bool derived) {
    result.given.insert_or_assign("gradients", std::string(derived ? "derived" : "fused"));
  });
  options.path("--out", result.out);
  options.path("--runs", result.runs);
  options.path("--config", result.config, "file");
  options.flag("--resume", result.resume);
  options.flag("--eval", result.eval);
  options.flag("--lr-range", result.lr_range);
  options.flag("--verbose", result.verbose);
  options.flag("--autotune", result.autotune);
  if (!options.parse(argc, argv)) {
    print_help();
    return std::nullopt;
  }
  xtg::require(!result.resume || !result.eval, "--resume goes on training and --eval does not: give one of them");
  xtg::require(!result.lr_range || !(result.resume || result.eval),
               "--lr-range looks for the learning rate of a new run: give it without --resume and --eval");
  xtg::require(!result.autotune || !(result.resume || result.eval),
               "--autotune is for a new run: one that goes on keeps the convolutions that it began with");
  xtg::require(!(result.resume || result.eval) || !result.out.empty(), "{} needs --out and the directory of the run",
               result.resume ? "--resume" : "--eval");
  return result;
}
