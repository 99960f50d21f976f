#include "examples/app/grid/grid.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "examples/app/settings/config.hpp"
#include "examples/app/settings/toml_value.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

constexpr std::size_t most_cells = 10'000;

struct Axis {
  std::string key;
  std::vector<Value> values;
};

std::string as_text(const Value& value) {
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
}

/// A setting's value as it is in config.toml, without quotes.
std::string as_text(const Settings& settings, const std::string& key) {
  const auto field = std::find_if(fields().begin(), fields().end(), [&](const Field& f) { return f.name == key; });
  return std::visit([&](auto member) { return fmt::format("{}", settings.*member); }, field->member);
}

/// A cell's name is a directory's, and a field of a CSV file.
void check_text(const std::string& text, const std::string& where) {
  const bool plain =
      text.find_first_not_of('.') != std::string::npos && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return (c < 0x80 && std::isalnum(c)) || c == '-' || c == '_' || c == '.' || c == '+';
      });
  require<FormatError>(plain, "{}: '{}' cannot be part of a directory's name: only letters, digits and - _ . + can",
                       where, excerpt(text));
}

/// That of a grid or a cell: of a file, or of a directory with the results.
void require_name(const std::string& name, const std::string& where, const char* what) {
  const std::size_t longest = 200;  // Linux allows 255 bytes, and files are first written under a longer name
  require<FormatError>(name.size() <= longest, "{}: {} '{}' is longer than {} bytes", where, what, excerpt(name),
                       longest);
  require<FormatError>(!name.empty() && name.find_first_not_of('.') != std::string::npos,
                       "{}: {} '{}' cannot be the name of a directory", where, what, name);
}

Axis read_axis(const std::string& given_key, const toml::node& node, const std::string& where) {
  const std::string key = renamed(given_key, false).first;
  require_setting(key, where);
  Axis axis{key, {}};
  const auto add = [&](const toml::node& value) {
    axis.values.push_back(renamed(given_key, to_value(value, where, given_key)).second);
  };
  const toml::array* list = node.as_array();
  if (list) {
    for (const toml::node& value : *list) add(value);
  } else {
    add(node);
  }
  require<FormatError>(!axis.values.empty(), "{}: {} is an empty list", where, key);
  for (const Value& value : axis.values) check_text(as_text(value), fmt::format("{}: {}", where, key));
  return axis;
}

/// The lists of one [[grid]] in the order of the file, seed last.
std::vector<Axis> read_axes(const toml::table& table, const std::string& where) {
  std::vector<std::pair<toml::source_position, Axis>> found;  // toml++ sorts keys by name
  for (const auto& [key, node] : table) {
    found.emplace_back(node.source().begin, read_axis(std::string(key.str()), node, where));
  }
  require<FormatError>(!found.empty(), "{} has no settings", where);
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::stable_partition(found.begin(), found.end(), [](const auto& entry) { return entry.second.key != "seed"; });
  std::vector<Axis> axes;
  for (auto& entry : found) axes.push_back(std::move(entry.second));
  return axes;
}

/// Every combination: the seed varies slowest, then the first axis, the last axis fastest.
std::vector<std::vector<Value>> combinations(const std::vector<Axis>& axes) {
  std::vector<std::vector<Value>> result = {std::vector<Value>(axes.size())};
  const auto extend = [&](std::size_t i) {
    std::vector<std::vector<Value>> longer;
    for (const std::vector<Value>& values : result) {
      for (const Value& value : axes[i].values) {
        longer.push_back(values);
        longer.back()[i] = value;
      }
    }
    result = std::move(longer);
  };
  const bool has_seed = axes.back().key == "seed";
  if (has_seed) extend(axes.size() - 1);
  for (std::size_t i = 0; i + (has_seed ? 1 : 0) < axes.size(); ++i) extend(i);
  return result;
}

PlannedCell make_cell(const std::vector<Axis>& axes, const std::vector<Value>& values, const Values& common,
                      const std::string& where) {
  PlannedCell cell;
  cell.given = common;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    cell.given[axes[i].key] = values[i];
    cell.name += fmt::format("{}{}={}", i == 0 ? "" : ",", axes[i].key, as_text(values[i]));
  }
  require_name(cell.name, where, "the cell");
  try {
    cell.settings = resolve(cell.given);
  } catch (const std::exception& error) {
    throw FormatError(fmt::format("{}: cell {}: {}", where, cell.name, error.what()));
  }
  return cell;
}

void refuse_duplicates(const std::vector<PlannedCell>& cells, const std::string& path) {
  std::map<std::string, std::string> seen;  // settings -> name
  for (const PlannedCell& cell : cells) {
    Settings compared = cell.settings;
    compared.data.clear();
    compared.save_every = 0;
    const auto [other, added] = seen.emplace(to_config(compared), cell.name);
    if (added) continue;
    require<FormatError>(other->second != cell.name, "{}: cell {} is there twice", path, cell.name);
    throw FormatError(fmt::format("{}: cells {} and {} are the same training: all their settings are", path,
                                  other->second, cell.name));
  }
}

/// Norm, the axes whose values differ, and the seed.
std::vector<std::string> columns_of(const std::vector<std::string>& keys, const std::vector<PlannedCell>& cells) {
  std::vector<std::string> columns = {"norm"};
  for (const std::string& key : keys) {
    const std::string first = as_text(cells[0].settings, key);
    const bool varies = std::any_of(cells.begin(), cells.end(),
                                    [&](const PlannedCell& cell) { return as_text(cell.settings, key) != first; });
    if (varies && key != "seed" && key != "norm") columns.push_back(key);
  }
  columns.push_back("seed");
  return columns;
}

}  // namespace

Grid read_grid(const std::string& path, const Values& over) {
  const std::string text = read_file(path);
  const toml::table table = parse_toml(text, path);
  for (const auto& entry : table) {
    const std::string key(entry.first.str());
    require<FormatError>(key == "settings" || key == "grid", "{}: '{}' belongs into [settings] or a [[grid]]", path,
                         excerpt(key));
  }

  Values common;
  if (const toml::node* node = table.get("settings")) {
    const std::string where = path + ": [settings]";
    require<FormatError>(node->is_table(), "{} is no table", where);
    for (const auto& [key, value] : *node->as_table()) {
      const std::string given(key.str());
      const auto [name, setting] = renamed(given, to_value(value, where, given));
      require_setting(name, where);
      common[name] = setting;
    }
  }
  for (const auto& [name, value] : over) common[name] = value;

  const toml::array* grids = table.contains("grid") ? table.get("grid")->as_array() : nullptr;
  require<FormatError>(grids && !grids->empty(), "{}: there is no [[grid]], and so no cell", path);
  Grid result{std::filesystem::path(path).stem().string(), {}};
  require_name(result.name, path, "this file's name, which its results will have without .toml,");
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < grids->size(); ++i) {
    const std::string where = fmt::format("{}: [[grid]] {}", path, i + 1);
    const toml::table* grid = grids->get(i)->as_table();
    require<FormatError>(grid, "{} is no table", where);
    const std::vector<Axis> axes = read_axes(*grid, where);
    std::size_t room = most_cells - result.cells.size();
    for (const Axis& axis : axes) room /= axis.values.size();
    require<FormatError>(room > 0, "{}: more than {} cells are too many for one grid", where, most_cells);
    for (const Axis& axis : axes) {
      if (std::find(keys.begin(), keys.end(), axis.key) == keys.end()) keys.push_back(axis.key);
    }
    for (const std::vector<Value>& values : combinations(axes)) {
      result.cells.push_back(make_cell(axes, values, common, where));
    }
  }
  refuse_duplicates(result.cells, path);
  const std::vector<std::string> columns = columns_of(keys, result.cells);
  for (PlannedCell& cell : result.cells) {
    for (const std::string& key : columns) {
      cell.columns.emplace_back(key, as_text(cell.settings, key));
    }
  }
  return result;
}

}  // namespace xtg::app
