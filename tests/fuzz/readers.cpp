#include "tests/fuzz/readers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "examples/app/commands/compare_options.hpp"
#include "examples/app/commands/train_options.hpp"
#include "examples/app/grid/grid.hpp"
#include "examples/app/grid/results.hpp"
#include "examples/app/report/png.hpp"
#include "examples/app/run/layer_statistics.hpp"
#include "examples/app/run/metrics.hpp"
#include "examples/app/settings/config.hpp"
#include "nn/conv2d.hpp"
#include "nn/data/cifar.hpp"
#include "nn/pytorch.hpp"
#include "nn/train/checkpoint.hpp"
#include "tensor/conv2d.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"
#include "tensor/random.hpp"
#include "tensor/safetensors.hpp"

namespace {

using namespace xtg;
using namespace xtg::app;

void read_cifar(const std::string& path) {
  nn::Dataset ten, hundred;
  try {
    nn::read_cifar_file(path, {"cifar10", 1, 0, 10}, 0, ten);
  } catch (const FormatError&) {
    nn::read_cifar_file(path, {"cifar100", 2, 1, 100}, 0, hundred);
  }
}

void read_pytorch(const std::string& path) {
  Generator random(1);
  nn::Conv2d convolution(3, 2, 3, {}, random);
  nn::load_pytorch(convolution, path, false);
}

void read_config(const std::string& path) {
  const Settings settings = resolve(parse_config(read_file(path), path));
  const std::string text = to_config(settings);
  if (to_config(resolve(parse_config(text, path))) != text) throw std::logic_error("to_config does not repeat it");
}

void read_metrics(const std::string& path) {
  const auto rows = parse_csv(read_file(path), path);
  for (std::size_t r = 1; r < rows.size(); ++r) metrics_row(parse_metrics(rows[r], 0, path));
}

/// The file's lines are the words.
template <class Parse>
void read_words(const std::string& path, Parse parse) {
  std::vector<std::string> words = {"program"};
  std::istringstream text(read_file(path));
  for (std::string word; std::getline(text, word);) words.push_back(word.c_str());  // no word of a call has a NUL
  const auto prints_help = [](const std::string& word) { return word.rfind("-h", 0) == 0 || word == "--help"; };
  if (std::any_of(words.begin(), words.end(), prints_help)) return;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  parse(static_cast<int>(pointers.size()), pointers.data());
}

void read_train_options(const std::string& path) {
  read_words(path, [](int argc, char** argv) {
    if (const auto options = parse_train_options(argc, argv)) resolve(options->request.given);
  });
}

void read_compare_options(const std::string& path) { read_words(path, parse_compare_options); }

}  // namespace

const std::vector<Reader>& readers() {
  static const std::vector<Reader> all = {
      {"safetensors", [](const std::string& path) { load_safetensors(path); }},
      {"checkpoint", [](const std::string& path) { nn::load_checkpoint(path); }},
      {"pytorch", read_pytorch},
      {"cifar", read_cifar},
      {"config", read_config},
      {"grid", [](const std::string& path) { read_grid(path, {}); }},
      {"results", [](const std::string& path) { to_csv(read_grid_results(path)); }},
      {"metrics", read_metrics},
      {"layers", [](const std::string& path) { to_csv(read_layers(path)); }},
      {"png", [](const std::string& path) { read_png(path); }},
      {"algorithms", [](const std::string& path) { set_conv2d_algorithms(read_file(path)); }},
      {"train_options", read_train_options},
      {"compare_options", read_compare_options},
  };
  return all;
}

const Reader& reader_of(const std::string& name) {
  for (const Reader& reader : readers())
    if (reader.name == name) return reader;
  throw std::logic_error("no reader " + name);
}

bool takes(const Reader& reader, const std::string& path) {
  const auto check = [&](const std::exception& error) {
    const std::string words = error.what();
    if (words.empty() || words.size() > path.size() + 8000 || xtg::excerpt(words, words.size()) != words)
      throw std::logic_error(fmt::format("{}: words that may not be shown: {}", reader.name, xtg::excerpt(words, 300)));
    return false;
  };
  try {
    reader.read(path);
    return true;
  } catch (const xtg::FormatError& error) {
    return check(error);
  } catch (const xtg::ValueError& error) {
    return check(error);
  } catch (const xtg::ShapeError& error) {
    return check(error);
  }
}
