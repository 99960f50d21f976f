#include "examples/resnet_cifar/settings.hpp"

#include <algorithm>
#include <cmath>

#include "nn/models/resnet.hpp"
#include "nn/norm/norm.hpp"
#include "nn/optim/schedule.hpp"
#include "tensor/error.hpp"
#include "tensor/parallel.hpp"

using xtg::require;
using xtg::ValueError;

const std::vector<Field>& fields() {
  using S = Settings;
  using Sh = Shared;
  static const std::vector<Field> all = {
      {"Data", "dataset", &S::dataset, Sh::ToEval, "NAME",
       "shapes (drawn by the program, 10,000 + 2,000 images), cifar10 or cifar100 (50,000 + 10,000 photographs)"},
      {"Data", "labels", &S::labels, Sh::ToEval, "NAME", "of cifar100: fine (100 classes) or coarse (20)"},
      {"Data", "data", &S::data, Sh::Never, "DIR",
       "where the CIFAR files are, default data; tools/get-cifar fetches them"},
      {"Data", "limit-train", &S::limit_train, Sh::ToEval, "N", "use the first N training images; 0: all"},
      {"Data", "limit-test", &S::limit_test, Sh::ToResume, "N", "use the first N test images; 0: all"},
      {"Data", "augment", &S::augment, Sh::ToResume, "NAME",
       "crop-flip (random crops and mirror images of the training images) or none"},

      {"Network", "arch", &S::arch, Sh::ToEval, "NAME",
       "resnet8, 20, 32, 44, 56 or 110, such as resnet20; default resnet8 for shapes, else resnet20"},
      {"Network", "norm", &S::norm, Sh::ToEval, "NAME", "batch, layer, instance, group or none; default batch"},
      {"Network", "groups", &S::groups, Sh::ToEval, "G",
       "channel groups of --norm group, default 8; they must divide 16, 32 and 64"},

      {"Training", "epochs", &S::epochs, Sh::ToResume, "N",
       "passes over the training images, default 8 for shapes, else 14"},
      {"Training", "batch-size", &S::batch_size, Sh::ToResume, "B", "images a step, default 128"},
      {"Training", "lr", &S::lr, Sh::ToResume, "X",
       "peak learning rate, default 0.4; with --norm none 0.05, since 0.4 diverges there"},
      {"Training", "schedule", &S::schedule, Sh::ToResume, "NAME",
       "one-cycle (up for a fifth of the steps, then down to 0), step, cosine or constant"},
      {"Training", "momentum", &S::momentum, Sh::ToResume, "X", "of the gradient descent, default 0.9"},
      {"Training", "nesterov", &S::nesterov, Sh::ToResume, "",
       "Nesterov's momentum, the default, or the plain one; off if --momentum is 0"},
      {"Training", "weight-decay", &S::weight_decay, Sh::ToResume, "X", "L2 penalty on all parameters, default 5e-4"},
      {"Training", "label-smoothing", &S::label_smoothing, Sh::ToResume, "X",
       "share of the target spread over all classes, default 0"},
      {"Training", "seed", &S::seed, Sh::ToEval, "S", "of everything random, default 0"},
      {"Training", "derived", &S::derived, Sh::ToResume, "",
       "every gradient derived by the tape, none written by hand: the same losses, more slowly"},

      {"Training", "precision", &S::precision, Sh::ToResume, "NAME",
       "fp32, or bf16: convolutions and matrix products read 16-bit numbers, sums stay in 32; about a quarter faster "
       "on "
       "processors that have it"},

      {"Run", "conv-algorithms", &S::conv_algorithms, Sh::ToResume, "TEXT",
       "what --autotune chose, in place of the built-in table; to be copied, not written"},
      {"Run", "threads", &S::threads, Sh::ToResume, "T",
       "default: one for each processor; sums are split by it, so it changes last digits"},
      {"Run", "save-every", &S::save_every, Sh::Never, "SECONDS",
       "a checkpoint that often within an epoch, default 60; there is one after each epoch in any case"},
  };
  return all;
}

namespace {

template <class T>
T get(const Values& given, const char* name, T otherwise) {
  const auto found = given.find(name);
  const T* value = found == given.end() ? nullptr : std::get_if<T>(&found->second);
  return value ? *value : otherwise;
}

void assign(std::string& member, const Value& value, const std::string& name) {
  const auto* text = std::get_if<std::string>(&value);
  require(text, "{}: expected a text", name);
  member = *text;
}

void assign(std::int64_t& member, const Value& value, const std::string& name) {
  const auto* number = std::get_if<std::int64_t>(&value);
  require(number, "{}: expected a whole number", name);
  member = *number;
}

void assign(double& member, const Value& value, const std::string& name) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    member = static_cast<double>(*whole);
    return;
  }
  const auto* number = std::get_if<double>(&value);
  require(number, "{}: expected a number", name);
  member = *number;
}

void assign(bool& member, const Value& value, const std::string& name) {
  const auto* flag = std::get_if<bool>(&value);
  require(flag, "{}: expected true or false", name);
  member = *flag;
}

void one_of(const char* name, const std::string& value, const std::vector<std::string>& valid) {
  if (std::find(valid.begin(), valid.end(), value) == valid.end()) {
    throw ValueError(fmt::format("unknown {} '{}', expected {}", name, value, fmt::join(valid, ", ")));
  }
}

void in_range(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  require(value >= low, "{} must be at least {}, got {}", name, low, value);
  require(value <= high, "{} must be at most {}, got {}", name, high, value);
}

void not_negative(const char* name, double value) {
  require(std::isfinite(value) && value >= 0, "{} must be finite and at least 0, got {}", name, value);
}

void check(const Settings& s) {
  one_of("dataset", s.dataset, {"shapes", "cifar10", "cifar100"});
  one_of("labels", s.labels, {"fine", "coarse"});
  require(s.labels == "fine" || s.dataset == "cifar100", "labels: only cifar100 has coarse ones, not {}", s.dataset);
  one_of("augment", s.augment, {"crop-flip", "none"});
  const std::int64_t most = 1'000'000'000;
  in_range("limit-train", s.limit_train, 0, most);
  in_range("limit-test", s.limit_test, 0, most);
  xtg::nn::parse_resnet(s.arch);
  if (xtg::nn::parse_norm(s.norm) == xtg::nn::NormKind::Group) {
    in_range("groups", s.groups, 1, most);
    require(16 % s.groups == 0, "groups: {} do not divide the 16 channels of the first layers", s.groups);
  }
  in_range("epochs", s.epochs, 1, 1'000'000);
  in_range("batch-size", s.batch_size, 1, 1'000'000);
  not_negative("lr", s.lr);
  xtg::nn::parse_schedule(s.schedule);
  not_negative("momentum", s.momentum);
  require(s.momentum < 1, "momentum must be below 1, got {}", s.momentum);
  require(!s.nesterov || s.momentum > 0, "nesterov needs a momentum above 0");
  not_negative("weight-decay", s.weight_decay);
  not_negative("label-smoothing", s.label_smoothing);
  require(s.label_smoothing <= 1, "label-smoothing must be at most 1, got {}", s.label_smoothing);
  one_of("precision", s.precision, {"fp32", "bf16"});
  in_range("seed", s.seed, 0, INT64_MAX);
  in_range("threads", s.threads, 1, 1024);
  not_negative("save-every", s.save_every);
}

}  // namespace

Settings resolve(const Values& given) {
  Settings settings;
  if (get<std::string>(given, "dataset", "shapes") != "shapes") {
    settings.arch = "resnet20";
    settings.epochs = 14;
  }
  if (get<std::string>(given, "norm", "batch") == "none") settings.lr = 0.05;
  settings.threads = xtg::num_threads();

  for (const auto& entry : given) {  // not [name, value]: clang 14 captures no structured bindings
    const std::string& name = entry.first;
    const auto field = std::find_if(fields().begin(), fields().end(), [&](const Field& f) { return f.name == name; });
    require(field != fields().end(), "there is no setting '{}'", name);
    std::visit([&](auto member) { assign(settings.*member, entry.second, name); }, field->member);
  }
  if (!given.count("nesterov")) settings.nesterov = settings.momentum > 0;
  check(settings);
  return settings;
}

std::string conflicts(const Settings& wanted, const Settings& run, Shared at_least) {
  std::string result;
  for (const Field& field : fields()) {
    if (field.shared < at_least) continue;
    std::visit(
        [&](auto member) {
          if (wanted.*member == run.*member) return;
          result += fmt::format("{}{} is {}, the run has {}", result.empty() ? "" : "; ", field.name, wanted.*member,
                                run.*member);
        },
        field.member);
  }
  return result;
}
