#include "examples/app/terminal/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include "examples/app/terminal/number.hpp"
#include "examples/app/terminal/text.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::app {

namespace {

/// CLI11 takes the next word for the value of `--name=`.
void refuse_nothing_behind_equals(int argc, char** argv) {
  for (const std::string& word : std::vector<std::string>(argv + 1, argv + argc)) {
    if (word == "--") return;
    require(word.compare(0, 2, "--") != 0 || word.find('=') != word.size() - 1,
            "{} has nothing behind its = (see --help)", excerpt(word));
  }
}

}  // namespace

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
    std::string range;
    if (low != INT64_MIN || high != INT64_MAX) {
      range = fmt::format(" from {} to {}", low, high);
    } else if (given.size() > 18) {
      range = fmt::format(" up to {}", INT64_MAX);
    }
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
  throw ValueError(fmt::format("there is no option {}{} (see --help)", excerpt(name), did_you_mean(name, names)));
}

bool Options::parse(int argc, char** argv) const {
  CLI::App app;
  app.set_help_flag("-h,--help");
  app.allow_extras();  // they are the words, or mistakes: we name the nearest option
  for (const auto& [name, option] : options_)
    (option.is_flag ? app.add_flag(name) : app.add_option(name)->type_name("value"))->take_last();
  for (const auto& [name, option] : options_)
    for (int i = 1; i < argc && argv[i] != std::string("--"); ++i)
      if (option.is_flag && argv[i] == name + "={}") option.take("{}");  // which is no value, and true to CLI11
  try {
    refuse_nothing_behind_equals(argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return false;
  } catch (const CLI::ParseError& error) {
    throw ValueError(fmt::format("{} (see --help)", excerpt(error.what())));
  }

  std::vector<std::string> words = app.remaining();
  const auto mark = std::find(words.begin(), words.end(), "--");
  const auto unknown =
      std::find_if(words.begin(), mark, [](const std::string& word) { return word.size() > 1 && word[0] == '-'; });
  if (unknown != mark) find(unknown->substr(0, unknown->find('=')));
  if (mark != words.end()) words.erase(mark);

  std::map<const CLI::Option*, std::size_t> taken;  // how many of its values
  for (const CLI::Option* given : app.parse_order()) {
    const Option& option = find(given->get_name());
    const std::string& value = given->results().at(taken[given]++);
    require(option.is_flag || value.compare(0, 2, "--") != 0, "{} needs a value behind it, got {} (see --help)",
            given->get_name(), excerpt(value));
    option.take(value);
  }
  require(words_ != nullptr || words.empty(), "expected only options, got '{}' (see --help)",
          words.empty() ? "" : excerpt(words.front()));
  for (const std::string& word : words) require(!word.empty(), "expected a name, got an empty one (see --help)");
  if (words_ != nullptr) *words_ = words;
  return true;
}

}  // namespace xtg::app
