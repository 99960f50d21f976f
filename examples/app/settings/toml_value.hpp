#pragma once

#include <toml++/toml.h>

#include <string>

#include "examples/app/settings/settings.hpp"

namespace xtg::app {

/// Throws FormatError that names `source` and the line for what is not TOML, and for what no file of settings
/// needs: more than 1,000,000 bytes, keys of many parts or with letters outside of ASCII, deep nesting.
toml::table parse_toml(const std::string& text, const std::string& source);

/// Throws FormatError that names `source` and `name` for what is no text, number or boolean.
Value to_value(const toml::node& node, const std::string& source, const std::string& name);

}  // namespace xtg::app
