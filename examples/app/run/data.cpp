#include "examples/app/run/data.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "nn/data/cifar.hpp"
#include "nn/data/shapes.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

nn::Dataset load(const Settings& settings, bool train) {
  const auto limit = static_cast<std::size_t>(train ? settings.limit_train : settings.limit_test);
  if (settings.dataset == "shapes") {
    const std::size_t all = train ? 10'000 : 2'000;
    return nn::make_shapes(limit == 0 ? all : std::min(limit, all), static_cast<std::uint64_t>(settings.seed), train);
  }
  std::error_code error;
  require<FormatError>(std::filesystem::is_directory(settings.data, error),
                       "there is no directory {}: tools/get-cifar {} {} would fetch the images into it", settings.data,
                       settings.dataset.substr(5), settings.data);
  nn::Dataset dataset = settings.dataset == "cifar10"
                        ? nn::load_cifar10(settings.data, train)
                        : nn::load_cifar100(settings.data, train, settings.labels == "coarse");
  if (limit > 0) dataset.limit(limit);
  return dataset;
}

/// The constants that everybody uses for CIFAR, even where --limit-train leaves only a part of it.
nn::Standardization cifar_standardization(const Settings& settings) {
  if (settings.dataset == "cifar10") return {{0.4914, 0.4822, 0.4465}, {0.247, 0.2435, 0.2616}};
  return {{0.5071, 0.4865, 0.4409}, {0.2673, 0.2564, 0.2762}};
}

}  // namespace

Data load_data(const Settings& settings) {
  Data data{load(settings, true), {}, {}};
  if (settings.validation > 0) {
    nn::Split split = nn::split(data.train, static_cast<std::size_t>(settings.validation), 0);
    data.train = std::move(split.train);
    data.test = std::move(split.validation);
  } else {
    data.test = load(settings, false);
  }
  data.standardization = settings.dataset == "shapes" ? nn::measure(data.train) : cifar_standardization(settings);
  return data;
}

Data describe_data(const Settings& settings) {
  if (settings.dataset == "shapes") return load_data(settings);
  Data data{{}, {}, cifar_standardization(settings)};
  data.train.class_names =
      settings.dataset == "cifar10" ? nn::cifar10_names() : nn::cifar100_names(settings.labels == "coarse");
  data.test.class_names = data.train.class_names;
  return data;
}

std::string fingerprint(const nn::Dataset& dataset) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, eight bytes at a time
  const auto add = [&hash](const void* bytes, std::size_t n) {
    const char* next = static_cast<const char*>(bytes);
    for (; n > 0; n -= std::min<std::size_t>(n, 8), next += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, next, std::min<std::size_t>(n, 8));
      hash = (hash ^ word) * 0x100000001b3;
    }
  };
  add(dataset.labels.data(), dataset.labels.size() * sizeof(dataset.labels[0]));
  add(dataset.images.data(), dataset.images.size());
  return fmt::format("{:016x}", hash);
}

}  // namespace xtg::app
