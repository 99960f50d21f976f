#include "examples/app/commands/train_options.hpp"

#include <sstream>

#include "examples/app/terminal/options.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

const char* const train_introduction = R"(usage: xtgrad train [options]

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

const char* const train_examples = R"(
Examples
  xtgrad train --norm group                          another normalization layer
  xtgrad train --dataset cifar10 --out runs/cifar    photographs, about 85 % after 14 epochs
  xtgrad train --out runs/cifar --resume             goes on where it was stopped
  xtgrad evaluate runs/cifar                         what it learned
  xtgrad train --config runs/cifar/config.toml --seed 1 --out runs/cifar-1
)";

const char* const find_lr_introduction = R"(usage: xtgrad find-lr [options]

Looks for a good --lr for xtgrad train with the same options, and trains nothing that is kept: a copy of the network
takes 100 steps of sgd while the rate rises from 0.0001 to 10 (without mixup, label smoothing and clipping). What came
of it is left in a directory: lr-range.csv, and lr-range.svg, its picture.
)";

const char* const find_lr_examples = R"(
Examples
  xtgrad find-lr --norm layer
  xtgrad find-lr --dataset cifar10 --norm none --out runs/range
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

/// The settings, under the headings of their groups.
void print_settings() {
  std::string group;
  for (const Field& field : fields()) {
    if (group != field.group) fmt::print("\n{}\n", group = field.group);
    const std::string no = is_on(field) ? fmt::format(", --no-{}", field.name) : "";
    print_option(fmt::format("--{}{}{}{}", field.name, no, *field.placeholder ? " " : "", field.placeholder),
                 field.help);
  }
}

void print_directories() {
  print_option("--out DIR",
               "where the run is left; without it a new run gets a directory of its own, the first free one of "
               "runs/shapes-1, runs/shapes-2 and so on, by the name of the dataset");
  print_option("--runs DIR", "another directory for these than runs");
  print_option("--config FILE", "take settings from a config.toml; options given as well come first");
}

void print_train_help() {
  fmt::print("{}", train_introduction);
  print_settings();
  print_directories();
  print_option("--resume", "go on with the run in --out; its settings need not be repeated, and may not be changed");
  print_option("--verbose",
               "say how each convolution is computed, and at the end how long the training waited for images");
  print_option("--autotune",
               "time the ways to compute each convolution on this machine, show them, and use the fastest in this run, "
               "which records them; without it, a built-in table decides");
  print_option("-h, --help", "this text");
  fmt::print("{}", train_examples);
}

void print_find_lr_help() {
  fmt::print("{}", find_lr_introduction);
  print_settings();
  print_directories();
  print_option("-h, --help", "this text");
  fmt::print("{}", find_lr_examples);
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

/// What xtgrad train and xtgrad find-lr have in common.
void add_request(Options& options, Request& request) {
  for (const Field& field : fields()) {
    std::visit(
        [&](auto member) { add_option<std::decay_t<decltype(Settings().*member)>>(options, field, request.given); },
        field.member);
  }
  options.flag("--derived", [&](bool derived) {
    request.given.insert_or_assign("gradients", std::string(derived ? "derived" : "fused"));
  });
  options.path("--out", request.out);
  options.path("--runs", request.runs);
  options.path("--config", request.config, "file");
}

/// An option of earlier versions that is a command now.
void add_moved(Options& options, const char* name, const char* now) {
  options.flag(name, [=](bool) { throw ValueError(fmt::format("{} is a command of its own now: {}", name, now)); });
}

}  // namespace

std::optional<TrainOptions> parse_train_options(int argc, char** argv) {
  TrainOptions result;
  Request& request = result.request;
  Options options;
  add_request(options, request);
  options.flag("--resume", request.resume);
  options.flag("--verbose", result.verbose);
  options.flag("--autotune", result.autotune);
  add_moved(options, "--eval", "xtgrad evaluate DIR");
  add_moved(options, "--lr-range", "xtgrad find-lr");
  if (!options.parse(argc, argv)) {
    print_train_help();
    return std::nullopt;
  }
  require(!result.autotune || !request.resume,
          "--autotune is for a new run: one that goes on keeps the convolutions that it began with");
  require(!request.resume || !request.out.empty(), "--resume needs --out and the directory of the run");
  return result;
}

std::optional<Request> parse_find_lr_options(int argc, char** argv) {
  Request result;
  Options options;
  add_request(options, result);
  if (!options.parse(argc, argv)) {
    print_find_lr_help();
    return std::nullopt;
  }
  return result;
}

}  // namespace xtg::app
