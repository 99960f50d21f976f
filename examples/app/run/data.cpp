#include "examples/app/run/data.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "examples/app/settings/data_sets.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

Part part(const Settings& s, bool train) {
  return {s.data, train, s.labels == "coarse", static_cast<std::size_t>(train ? s.limit_train : s.limit_test),
          static_cast<std::uint64_t>(s.seed)};
}

}  // namespace

Data load_data(const Settings& settings) {
  const DataSet& set = find_data_set(settings.dataset);
  std::error_code error;
  require<FormatError>(!set.fetched_by || std::filesystem::is_directory(settings.data, error),
                       "there is no directory {}: {} {} would fetch the images into it", settings.data,
                       set.fetched_by ? set.fetched_by : "", settings.data);
  Data data{set.load(part(settings, true)), {}, {}};
  if (settings.validation > 0) {
    nn::Split split = nn::split(data.train, static_cast<std::size_t>(settings.validation), 0);
    data.train = std::move(split.train);
    data.test = std::move(split.validation);
  } else {
    data.test = set.load(part(settings, false));
  }
  data.standardization = set.standardization ? *set.standardization : nn::measure(data.train);
  return data;
}

Data describe_data(const Settings& settings) {
  const DataSet& set = find_data_set(settings.dataset);
  if (!set.class_names || !set.standardization) return load_data(settings);
  Data data{{}, {}, *set.standardization};
  data.train.class_names = data.test.class_names = set.class_names(settings.labels == "coarse");
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
