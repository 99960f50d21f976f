#include "examples/app/settings/config.hpp"

#include <toml++/toml.h>

#include "examples/app/settings/toml_value.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

std::string toml_value(bool value) { return value ? "true" : "false"; }

std::string toml_value(std::int64_t value) { return fmt::format("{}", value); }

/// The shortest decimal that reads back as the same number.
std::string toml_value(double value) { return fmt::format("{}", value); }

std::string toml_value(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace

std::string to_config(const Settings& settings) {
  std::string text =
      "# All settings of a run; xtgrad train --config FILE repeats it. xtgrad train --help explains them.\n";
  std::string group;
  for (const Field& field : fields()) {
    if (group != field.group) text += fmt::format("\n# {}\n", group = field.group);
    std::visit([&](auto member) { text += fmt::format("{} = {}\n", field.name, toml_value(settings.*member)); },
               field.member);
  }
  return text;
}

std::string to_toml(const Value& value) {
  return std::visit([](const auto& v) { return toml_value(v); }, value);
}

Values parse_config(const std::string& text, const std::string& source) {
  const toml::table table = parse_toml(text, source);
  Values values;
  for (const auto& [key, node] : table) {
    const auto [name, value] = renamed(std::string(key.str()), to_value(node, source, std::string(key.str())));
    require_setting(name, source);
    require<FormatError>(values.emplace(name, value).second, "{}: {} is given twice", source, name);
  }
  return values;
}

}  // namespace xtg::app
