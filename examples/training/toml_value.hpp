#pragma once

#include <toml++/toml.h>

#include <string>

#include "examples/training/settings.hpp"

/// Throws xtg::FormatError that names `source` and `name` for what is no text, number or boolean.
Value to_value(const toml::node& node, const std::string& source, const std::string& name);
