#include "examples/app/settings/settings.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include "examples/app/settings/data_sets.hpp"
#include "examples/app/terminal/number.hpp"
#include "examples/app/terminal/text.hpp"
#include "nn/models/model.hpp"
#include "nn/optim/optimizer.hpp"
#include "nn/optim/schedule.hpp"
#include "nn/train/classification_loss.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/parallel.hpp"

namespace xtg::app {

const std::vector<Field>& fields() {
  using S = Settings;
  using Sh = Shared;
  static const std::vector<Field> all = {
      {"Data", "dataset", &S::dataset, Sh::ToEval, "NAME", data_set_list()},
      {"Data", "labels", &S::labels, Sh::ToEval, "NAME", "of cifar100: fine (100 classes) or coarse (20)"},
      {"Data", "data", &S::data, Sh::Never, "DIR",
       "where the CIFAR files are, default data; tools/get-cifar fetches them"},
      {"Data", "limit-train", &S::limit_train, Sh::ToEval, "N", "use the first N training images; 0: all"},
      {"Data", "limit-test", &S::limit_test, Sh::ToResume, "N", "use the first N test images; 0: all"},
      {"Data", "augment", &S::augment, Sh::ToResume, "NAME",
       "crop-flip (random crops and mirror images of the training images) or none"},
      {"Data", "cutout", &S::cutout, Sh::ToResume, "PIXELS",
       "side of a square cut out of every training image (DeVries & Taylor 2017 use 16); 0: none"},
      {"Data", "erasing", &S::erasing, Sh::ToResume, "P",
       "probability that a training image loses a random rectangle (Zhong et al. 2017 use 0.5); 0: none"},
      {"Data", "mixup", &S::mixup, Sh::ToResume, "ALPHA",
       "blend pairs of training images and their labels, the share from Beta(ALPHA, ALPHA) (Zhang et al. 2017 use 1); "
       "0: none"},
      {"Data", "validation", &S::validation, Sh::ToEval, "N",
       "set N training images aside, of every class as many, and report on them instead of the test images: to choose "
       "a recipe without having seen the test; 0: none"},

      {"Network", "arch", &S::arch, Sh::ToEval, "NAME",
       "for 32x32 images: resnet8, resnet20, 32, 44, 56, 110; made for ImageNet: resnet18, 34, 50, 101, preresnet18 "
       "(norm and relu before each convolution); without shortcuts: vgg11, 13, 16; default resnet8 for shapes, else "
       "resnet20"},
      {"Network", "stem", &S::stem, Sh::ToEval, "NAME",
       "how resnet18 ... resnet101 begin: cifar (3x3 convolution, the default) or imagenet (7x7 of stride 2 and "
       "max-pooling, which leave 8x8 of 32x32)"},
      {"Network", "width", &S::width, Sh::ToEval, "C",
       "channels of the first stage; 0, the default, is the network's own: 16 (resnet20 ...) or 64 (resnet18 ..., "
       "vgg)"},
      {"Network", "norm", &S::norm, Sh::ToEval, "NAME",
       "batch, layer, instance, group or none, in the stem and the shortcuts too; default batch"},
      {"Network", "groups", &S::groups, Sh::ToEval, "G",
       "channel groups of --norm group, default 8; they must divide the channels of every layer; 0: one for each "
       "channel"},
      {"Network", "zero-init", &S::zero_init, Sh::ToResume, "",
       "gamma of each block's last norm starts at 0: every block begins as the identity (Goyal et al. 2017)"},
      {"Network", "fixup", &S::fixup, Sh::ToEval, "",
       "with --norm none: Fixup's initialization, scalar biases and scales (Zhang et al. 2019), a network's best case "
       "without norm"},

      {"Training", "epochs", &S::epochs, Sh::ToResume, "N",
       "passes over the training images, default 8 for shapes, else 14"},
      {"Training", "batch-size", &S::batch_size, Sh::ToResume, "B", "images a step, default 128"},
      {"Training", "optimizer", &S::optimizer, Sh::ToResume, "NAME", "sgd, adam or adamw; default sgd"},
      {"Training", "lr", &S::lr, Sh::ToResume, "X",
       "peak learning rate, default 0.4; with --norm none 0.05, since 0.4 diverges there; with adam and adamw 0.001"},
      {"Training", "schedule", &S::schedule, Sh::ToResume, "NAME",
       "one-cycle (up for a fifth of the steps, then down to 0), step, cosine or constant"},
      {"Training", "momentum", &S::momentum, Sh::ToResume, "X",
       "of sgd, default 0.9 (adam and adamw have their betas: 0.9 and 0.999)"},
      {"Training", "nesterov", &S::nesterov, Sh::ToResume, "",
       "Nesterov's momentum, the default, or the plain one; off if --momentum is 0"},
      {"Training", "weight-decay", &S::weight_decay, Sh::ToResume, "X",
       "L2 penalty on the weights, default 5e-4; with adamw the decay per step and learning rate, default 0.05"},
      {"Training", "decay-norms", &S::decay_norms, Sh::ToResume, "",
       "decay gamma, beta and biases as well, the default, or weights only"},
      {"Training", "loss", &S::loss, Sh::ToResume, "NAME",
       "cross-entropy (softmax: the classes compete), or bce (sigmoid: a yes-or-no question for each class, of which "
       "nine in ten have the answer no, so that it learns more slowly)"},
      {"Training", "label-smoothing", &S::label_smoothing, Sh::ToResume, "X",
       "share of the target spread over all classes, default 0"},
      {"Training", "clip-norm", &S::clip_norm, Sh::ToResume, "X",
       "scale the gradients down where the norm of all of them together exceeds X; 0: never"},
      {"Training", "ema", &S::ema, Sh::ToResume, "DECAY",
       "evaluate a moving average of the weights, such as 0.999 (about the last 1000 steps); 0: the weights"},
      {"Training", "flip-test", &S::flip_test, Sh::ToResume, "",
       "evaluate on the mean of the logits of each image and its mirror image; takes twice the time"},
      {"Training", "seed", &S::seed, Sh::ToEval, "S", "of everything random, default 0"},
      {"Training", "gradients", &S::gradients, Sh::ToResume, "FORM",
       "how every operation with several forms runs: fused, one kernel each; by-hand, forward and backward as on "
       "paper; "
       "or derived, where the tape derives the gradient from the definition; the same losses, each time more slowly "
       "(--derived is the last one)"},
      {"Training", "precision", &S::precision, Sh::ToResume, "NAME",
       "fp32, or bf16: convolutions and matrix products read 16-bit numbers, sums stay in 32; about a quarter faster "
       "on processors that have it"},
      {"Training", "convolution", &S::convolution, Sh::ToResume, "NAME",
       "fast, or exact: without Winograd's method, by which a huge value changes outputs that do not see it, and zeros "
       "beside large values become not quite 0; about a tenth slower"},

      {"Run", "conv-algorithms", &S::conv_algorithms, Sh::ToResume, "TEXT",
       "what --autotune chose, in place of the built-in table; to be copied, not written"},
      {"Run", "threads", &S::threads, Sh::ToResume, "T",
       "default: one for each processor; sums are split by it, so it changes last digits"},
      {"Run", "save-every", &S::save_every, Sh::Never, "SECONDS",
       "a checkpoint that often within an epoch, default 60; there is one after each epoch in any case"},
      {"Run", "layer-statistics", &S::layer_statistics, Sh::Never, "EPOCHS",
       "before the first step and after these epochs, such as 1,10,20, write to layers.csv how large activations and "
       "gradients are in each layer; the training itself stays the same"},
  };
  return all;
}

void require_setting(const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const Field& field : fields()) names.push_back(field.name);
  require<FormatError>(std::find(names.begin(), names.end(), name) != names.end(), "{}: there is no setting '{}'{}",
                       where, excerpt(name), did_you_mean(name, names));
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
  const bool plain = std::none_of(text->begin(), text->end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  require(plain, "{}: '{}' has control characters", name, excerpt(*text));
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
    throw ValueError(fmt::format("unknown {} '{}', expected {}", name, excerpt(value), fmt::join(valid, ", ")));
  }
}

void in_range(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  require(value >= low, "{} must be at least {}, got {}", name, low, value);
  require(value <= high, "{} must be at most {}, got {}", name, high, value);
}

void not_negative(const char* name, double value) {
  require(std::isfinite(value) && value >= 0, "{} must be finite and at least 0, got {}", name, value);
}

/// What a network's constructor would refuse, before it is made.
void check_network(const Settings& s) {
  const nn::Architecture& made = nn::find_architecture(s.arch);
  const std::int64_t most = 1'000'000'000;
  in_range("width", s.width, 0, 4096);
  if (nn::parse_norm(s.norm) == nn::NormKind::Group) {
    in_range("groups", s.groups, 0, most);
    const auto width = s.width != 0 ? s.width : static_cast<std::int64_t>(made.width);
    require(s.groups == 0 || width % s.groups == 0, "groups: {} do not divide the {} channels of the first layers",
            s.groups, width);
  }
  require(nn::parse_stem(s.stem) == nn::Stem::Cifar || made.has_stem(), "stem: {} has no imagenet stem", s.arch);
  require(!s.fixup || (s.norm == "none" && made.is_postactivation()),
          "fixup is for residual networks with --norm none, not for {} with norm {}", s.arch, s.norm);
  require(!s.zero_init || (s.norm != "none" && made.is_postactivation()),
          "zero-init is for residual networks with a norm at the end of each block, not for {} with norm {}", s.arch,
          s.norm);
}

void check(const Settings& s) {
  one_of("labels", s.labels, {"fine", "coarse"});
  require(s.labels == "fine" || find_data_set(s.dataset).has_coarse_labels, "labels: {} has no coarse ones", s.dataset);
  one_of("augment", s.augment, {"crop-flip", "none"});
  require(!s.data.empty(), "data needs the name of a directory, got an empty one");
  const std::int64_t most = 1'000'000'000;
  in_range("limit-train", s.limit_train, 0, most);
  in_range("limit-test", s.limit_test, 0, most);
  in_range("validation", s.validation, 0, most);
  in_range("cutout", s.cutout, 0, 32);
  not_negative("erasing", s.erasing);
  require(s.erasing <= 1, "erasing must be at most 1, got {}", s.erasing);
  not_negative("mixup", s.mixup);
  check_network(s);
  in_range("epochs", s.epochs, 1, 1'000'000);
  in_range("batch-size", s.batch_size, 1, 1'000'000);
  nn::parse_optimizer(s.optimizer);
  not_negative("lr", s.lr);
  nn::parse_schedule(s.schedule);
  not_negative("momentum", s.momentum);
  require(s.momentum < 1, "momentum must be below 1, got {}", s.momentum);
  require(!s.nesterov || s.momentum > 0, "nesterov needs a momentum above 0");
  not_negative("weight-decay", s.weight_decay);
  nn::parse_loss(s.loss);
  not_negative("label-smoothing", s.label_smoothing);
  require(s.label_smoothing <= 1, "label-smoothing must be at most 1, got {}", s.label_smoothing);
  not_negative("clip-norm", s.clip_norm);
  not_negative("ema", s.ema);
  require(s.ema < 1, "ema must be below 1, got {}", s.ema);
  one_of("gradients", s.gradients, {"fused", "by-hand", "derived"});
  one_of("precision", s.precision, {"fp32", "bf16"});
  one_of("convolution", s.convolution, {"fast", "exact"});
  in_range("seed", s.seed, 0, INT64_MAX);
  in_range("threads", s.threads, 1, 1024);
  not_negative("save-every", s.save_every);
  layer_epochs(s);
}

}  // namespace

std::pair<std::string, Value> renamed(const std::string& name, const Value& value) {
  if (name != "derived") return {name, value};
  bool derived = false;
  assign(derived, value, name);
  return {"gradients", std::string(derived ? "derived" : "fused")};
}

Settings resolve(const Values& given) {
  Settings settings;
  const DataSet& data_set = find_data_set(get(given, "dataset", settings.dataset));
  settings.arch = data_set.arch;
  settings.epochs = data_set.epochs;
  if (get<std::string>(given, "norm", "batch") == "none") settings.lr = get(given, "fixup", false) ? 0.1 : 0.05;
  const std::string optimizer = get<std::string>(given, "optimizer", "sgd");
  if (optimizer != "sgd") settings.lr = 1e-3;
  if (optimizer == "adamw") settings.weight_decay = 0.05;
  settings.threads = num_threads();

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
          const auto shown = [&](const Settings& s) { return excerpt(fmt::format("{}", s.*member)); };
          result += fmt::format("{}{} is {}, the run has {}", result.empty() ? "" : "; ", field.name, shown(wanted),
                                shown(run));
        },
        field.member);
  }
  return result;
}

std::string describe(const Settings& s) {
  std::string text = s.arch;
  if (s.width != 0) text += fmt::format(" of width {}", s.width);
  if (nn::find_architecture(s.arch).has_stem())
    text += fmt::format(", {} stem", s.stem == "cifar" ? "CIFAR" : "ImageNet");
  text += s.norm == "none" ? ", no norm" : fmt::format(", {} norm", s.norm);
  if (s.norm == "group") text += s.groups == 0 ? " (a group per channel)" : fmt::format(" ({} groups)", s.groups);
  if (s.fixup) text += ", Fixup";
  if (s.zero_init) text += ", gamma 0 at the end of blocks";
  return text;
}

std::vector<std::size_t> layer_epochs(const Settings& s) {
  std::vector<std::size_t> result;
  if (s.layer_statistics.empty()) return result;
  result.push_back(0);
  std::istringstream parts(s.layer_statistics + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    const std::optional<std::int64_t> epoch = whole_number(part);
    require(epoch && *epoch >= 0 && *epoch <= s.epochs,
            "layer-statistics: expected epochs of 0 to {} such as 1,5,20, got '{}'", s.epochs,
            excerpt(s.layer_statistics));
    result.push_back(static_cast<std::size_t>(*epoch));
  }
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

}  // namespace xtg::app
