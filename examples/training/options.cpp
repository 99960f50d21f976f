#include "examples/training/options.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "examples/training/number.hpp"
#include "examples/training/text.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

using xtg::excerpt;
using xtg::require;

void Options::flag(const std::string& name, std::function<void(bool)> set) {
  options_.push_back({name, {true, [name, set](const std::string& value) {
                               require(value == "true" || value == "false",
                                       "{} takes no value, or =true or =false, got '{}' (see --help)", name,
                                       excerpt(value));
                               set(value == "true");
                             }}});
}

void Options::flag(const std::string& name, bool& value) {
  flag(name, [&value](bool given) { value = given; });
}

void Options::text(const std::string& name, std::function<void(const std::string&)> set) {
  options_.push_back({name, {false, std::move(set)}});
}

void Options::text(const std::string& name, std::string& value) {
  text(name, [&value](const std::string& given) { value = given; });
}

void Options::path(const std::string& name, std::string& value, const char* what) {
  text(name, [name, what, &value](const std::string& given) {
    require(!given.empty(), "{} needs the name of a {}, got an empty one (see --help)", name, what);
    value = given;
  });
}

void Options::output(const std::string& name, std::string& value) {
  text(name, [name, &value](const std::string& given) {
    require(!given.empty(), "{} needs the name of a file, got an empty one (see --help)", name);
    std::error_code error;
    require(given.back() != '/' && !std::filesystem::is_directory(given, error),
            "{} needs the name of a file, and {} is a directory", name, excerpt(given));
    value = given;
  });
}

void Options::whole(const std::string& name, std::function<void(std::int64_t)> set, std::int64_t low,
                    std::int64_t high) {
  text(name, [=](const std::string& given) {
    const std::optional<std::int64_t> number = whole_number(given);
    const bool bounded = low > INT64_MIN || high<INT64_MAX, long_one = given.size()> 18;
    const std::string range = bounded    ? fmt::format(" from {} to {}", low, high)
                              : long_one ? fmt::format(" up to {}", INT64_MAX)
                                         : "";
    require(number && *number >= low && *number <= high, "{}: expected a whole number{}, got '{}'", name, range,
            excerpt(given));
    set(*number);
  });
}

void Options::real(const std::string& name, std::function<void(double)> set) {
  text(name, [=](const std::string& given) {
    const std::optional<double> number = real_number(given);
    require(number.has_value(), "{}: expected a number, got '{}'", name, excerpt(given));
    set(*number);
  });
}

const Options::Option& Options::find(const std::string& name) const {
  std::vector<std::string> names = {"--help"};
  for (const auto& [known, option] : options_) {
    if (known == name) return option;
    names.push_back(known);
  }
  throw xtg::ValueError(fmt::format("there is no option {}{} (see --help)", excerpt(name), did_you_mean(name, names)));
}

bool Options::parse(int argc, char** argv) const {
  const std::vector<std::string> given(argv + 1, argv + argc);
  const auto end = std::find(given.begin(), given.end(), "--");  // of the options
  if (std::any_of(given.begin(), end, [](const std::string& word) { return word == "-h" || word == "--help"; }))
    return false;
  std::vector<std::string> words;
  for (auto word = given.begin(); word != end; ++word) {
    if (word->size() < 2 || word->front() != '-') {
      words.push_back(*word);
      continue;
    }
    const std::size_t equals = word->find('=');
    const std::string name = word->substr(0, equals);
    const Option& option = find(name);
    if (equals != std::string::npos) {
      option.take(word->substr(equals + 1));
    } else if (option.is_flag) {
      option.take("true");
    } else {
      const bool there = word + 1 != end && word[1].compare(0, 2, "--") != 0;
      require(there, "{} needs a value behind it (see --help)", name);
      option.take(*++word);
    }
  }
  if (end != given.end()) words.insert(words.end(), end + 1, given.end());
  require(words_ != nullptr || words.empty(), "expected only options, got '{}' (see --help)",
          words.empty() ? "" : excerpt(words.front()));
  for (const std::string& word : words) require(!word.empty(), "expected a name, got an empty one (see --help)");
  if (words_ != nullptr) *words_ = words;
  return true;
}
