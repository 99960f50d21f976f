#pragma once

// Settings as TOML (https://toml.io), and back: the file config.toml of a run.

#include <string>

#include "examples/app/settings/settings.hpp"

namespace xtg::app {

/// All settings as TOML, and back. parse_config throws FormatError that names `source` for text that is not TOML,
/// a key that is no setting, or a value that is no number, string or boolean.
std::string to_config(const Settings& settings);
/// A single value as TOML writes it.
std::string to_toml(const Value& value);
Values parse_config(const std::string& text, const std::string& source);

}  // namespace xtg::app
