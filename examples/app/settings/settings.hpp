#pragma once

// The settings of a training: what they are called, what they may be, and where they come from. One table, fields(),
// serves the command line, config.toml and the comparison of two runs.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace xtg::app {

struct Settings {
  // Data
  std::string dataset = "shapes", labels = "fine", data = "data";
  std::int64_t limit_train = 0, limit_test = 0;  // images; 0: all
  std::int64_t validation = 0;  // training images set aside, which take the test images' place; 0: none
  std::string augment = "crop-flip";
  std::int64_t cutout = 0;        // pixels
  double erasing = 0, mixup = 0;  // probability; alpha
  // Network
  std::string arch = "resnet8", stem = "cifar";
  std::int64_t width = 0;  // channels of the first stage; 0: the network's own
  std::string norm = "batch";
  std::int64_t groups = 8;
  bool zero_init = false, fixup = false;
  // Training
  std::int64_t epochs = 8, batch_size = 128;
  std::string optimizer = "sgd";
  double lr = 0.4;
  std::string schedule = "one-cycle";
  double momentum = 0.9;
  bool nesterov = true;
  double weight_decay = 5e-4;
  bool decay_norms = true;
  std::string loss = "cross-entropy";
  double label_smoothing = 0, clip_norm = 0, ema = 0;
  bool flip_test = false;
  std::int64_t seed = 0;
  std::string gradients = "fused", precision = "fp32", convolution = "fast", conv_algorithms;
  // Run
  std::int64_t threads = 1;
  double save_every = 60;        // seconds
  std::string layer_statistics;  // epochs: "1,10,20"; empty: none
};

/// What two runs must share.
enum class Shared {
  Never,     // where and how it runs
  ToResume,  // the path of the training, and so its numbers
  ToEval,    // the network and the images: a checkpoint means nothing without them
};

struct Field {
  const char* group;  // heading in --help and config.toml
  const char* name;   // the option is --name, the key in config.toml is name
  std::variant<std::string Settings::*, std::int64_t Settings::*, double Settings::*, bool Settings::*> member;
  Shared shared;
  const char* placeholder;
  std::string help;
};

const std::vector<Field>& fields();

/// Throws FormatError, "where: there is no setting 'nrom': did you mean norm?", unless a field has this name.
void require_setting(const std::string& name, const std::string& where);

/// Settings that somebody gave, by name; what is not in it takes its default.
using Value = std::variant<std::string, std::int64_t, double, bool>;
using Values = std::map<std::string, Value>;

/// A setting under its name of today: `derived = true` of earlier versions is `gradients = "derived"`.
std::pair<std::string, Value> renamed(const std::string& name, const Value& value);

/// `given` over the defaults, which depend on its dataset and norm. Throws ValueError that names the setting for
/// an unknown name, a value of the wrong type or one that is out of range.
Settings resolve(const Values& given);

/// The settings that two runs must share and do not: "norm is group, the run has batch; …". Empty if there are none.
std::string conflicts(const Settings& wanted, const Settings& run, Shared at_least);

/// The network in words: "resnet20, group norm (8 groups)".
std::string describe(const Settings& settings);

/// The epochs of layer_statistics, "1,10,20" -> {0, 1, 10, 20}: in order, with epoch 0 always; "" -> {}. Throws
/// ValueError unless they are whole numbers of 0 … epochs.
std::vector<std::size_t> layer_epochs(const Settings& settings);

}  // namespace xtg::app
