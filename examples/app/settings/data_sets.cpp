#include "examples/app/settings/data_sets.hpp"

#include <algorithm>

#include "nn/data/cifar.hpp"
#include "nn/data/shapes.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::app {

namespace {

nn::Dataset draw_shapes(const Part& part) {
  const std::size_t all = part.train ? 10'000 : 2'000;
  return nn::make_shapes(part.limit == 0 ? all : std::min(part.limit, all), part.seed, part.train);
}

nn::Dataset limited(nn::Dataset dataset, const Part& part) {
  if (part.limit > 0) dataset.limit(part.limit);
  return dataset;
}

}  // namespace

const std::vector<DataSet>& data_sets() {
  static const std::vector<DataSet> all = {
      {"shapes", "drawn by the program, 10,000 + 2,000 images", "resnet8", 8, nullptr, false, {}, nullptr, draw_shapes},
      {"cifar10", "50,000 + 10,000 photographs", "resnet20", 14, "tools/get-cifar 10", false,
       nn::Standardization{{0.4914, 0.4822, 0.4465}, {0.247, 0.2435, 0.2616}}, [](bool) { return nn::cifar10_names(); },
       [](const Part& part) { return limited(nn::load_cifar10(part.directory, part.train), part); }},
      {"cifar100", "as many, in 100 classes", "resnet20", 14, "tools/get-cifar 100", true,
       nn::Standardization{{0.5071, 0.4865, 0.4409}, {0.2673, 0.2564, 0.2762}}, nn::cifar100_names,
       [](const Part& part) { return limited(nn::load_cifar100(part.directory, part.train, part.coarse), part); }},
  };
  return all;
}

std::string data_set_list() {
  std::string text;
  for (const DataSet& set : data_sets()) {
    if (&set != &data_sets().front()) text += &set == &data_sets().back() ? " or " : ", ";
    text += fmt::format("{} ({})", set.name, set.about);
  }
  return text;
}

const DataSet& find_data_set(const std::string& name) {
  std::string names;
  for (const DataSet& known : data_sets()) {
    if (known.name == name) return known;
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  throw ValueError(fmt::format("unknown dataset '{}', expected {}", excerpt(name), names));
}

}  // namespace xtg::app
