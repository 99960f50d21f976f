#include <algorithm>
#include <ctime>

#include "examples/app/report/html.hpp"
#include "examples/app/report/parts.hpp"
#include "examples/app/settings/config.hpp"
#include "tensor/error.hpp"

namespace xtg::app {

namespace {

/// What the settings would be if only what decides on defaults were given.
Settings defaults_for(const Settings& s) {
  return resolve({{"dataset", s.dataset},
                  {"norm", s.norm},
                  {"optimizer", s.optimizer},
                  {"fixup", s.fixup},
                  {"momentum", s.momentum},
                  {"arch", s.arch},
                  {"epochs", s.epochs}});
}

/// Whether a reader of a command must be told this one: it is not at its default, or the default is the machine's.
bool is_worth_saying(const Field& field, const Settings& s) {
  const std::string name = field.name;
  if (name == "save-every") return false;
  if (name == "dataset" || name == "norm" || name == "arch" || name == "epochs" || name == "threads") return true;
  const Settings usual = defaults_for(s);
  return std::visit([&](auto member) { return s.*member != usual.*member; }, field.member);
}

/// A word as a shell reads it.
std::string shell_word(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string("_-./=:,+").find(static_cast<char>(c)) != std::string::npos;
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string option(const Field& field, bool on) { return std::string(on ? " --" : " --no-") + field.name; }
std::string option(const Field& field, const std::string& value) {
  return fmt::format(" --{} {}", field.name, shell_word(value));
}
template <class Number>
std::string option(const Field& field, Number value) {
  return fmt::format(" --{} {}", field.name, value);
}

}  // namespace

std::string settings_table(const Settings& s) {
  std::vector<std::vector<TableCell>> rows;
  for (const Field& field : fields()) {
    std::string value = std::visit([&](auto member) { return fmt::format("{}", s.*member); }, field.member);
    if (value.empty()) value = "none";
    rows.push_back({{fmt::format("<code>{}</code>", field.name), ""}, text_cell(value), text_cell(field.help)});
    rows.back().back().attributes = " class=\"quiet\"";
  }
  return table("settings", {"setting", "value", "what it is"}, rows);
}

std::string options_of(const Settings& s) {
  std::string text;
  for (const Field& field : fields())
    if (is_worth_saying(field, s))
      text += std::visit([&](auto member) { return option(field, s.*member); }, field.member);
  return text;
}

std::string common_toml(const std::vector<Settings>& runs, const std::vector<std::string>& axes) {
  std::string text;
  for (const Field& field : fields()) {
    if (std::find(axes.begin(), axes.end(), field.name) != axes.end()) continue;
    std::visit(
        [&](auto member) {
          const auto& value = runs.front().*member;
          const bool shared =
              std::all_of(runs.begin(), runs.end(), [&](const Settings& s) { return s.*member == value; });
          const bool said =
              std::any_of(runs.begin(), runs.end(), [&](const Settings& s) { return is_worth_saying(field, s); });
          if (shared && said) text += fmt::format("{} = {}\n", field.name, to_toml(value));
        },
        field.member);
  }
  return text;
}

std::string axis_toml(const std::string& name, const std::string& value) {
  const auto field = std::find_if(fields().begin(), fields().end(), [&](const Field& f) { return f.name == name; });
  const bool text = field == fields().end() || std::holds_alternative<std::string Settings::*>(field->member);
  return text ? to_toml(value) : value;
}

std::string machine_table(const std::vector<std::string>& machines) {
  const std::time_t now = std::time(nullptr);
  char date[32] = "";
  std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
  std::vector<std::vector<TableCell>> rows;
  for (const std::string& machine : machines) rows.push_back({text_cell("trained on"), text_cell(machine)});
  if (machines.empty()) rows.push_back({text_cell("trained on"), text_cell("unknown")});
  rows.push_back({text_cell("date of this report"), text_cell(date)});
  return table("machine", {}, rows);
}

}  // namespace xtg::app
