#include "examples/app/run/directory.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "examples/app/run/metrics.hpp"
#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace fs = std::filesystem;

namespace {

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// Whether there was something to make.
bool make_directories(const fs::path& path) {
  std::error_code error;
  const bool made = fs::create_directories(path, error);
  require<FormatError>(!error, "{}: cannot make this directory: {}", path.string(), error.message());
  require<FormatError>(fs::is_directory(path, error), "{} is not a directory", path.string());
  return made;
}

}  // namespace

RunDirectory::RunDirectory(std::string path) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
}

RunDirectory RunDirectory::numbered(std::string stem) {
  RunDirectory result(std::move(stem));
  result.numbered_ = true;
  return result;
}

bool RunDirectory::has_config() const { return exists(config_path()); }
bool RunDirectory::has_checkpoint() const { return exists(checkpoint_path()); }
bool RunDirectory::has_metrics() const { return exists(metrics_path()); }
bool RunDirectory::has_layers() const { return exists(layers_path()); }
bool RunDirectory::holds_a_run() const { return !numbered_ && (has_config() || has_checkpoint() || has_metrics()); }

void RunDirectory::require_no_run() const {
  require(!holds_a_run(), "{} already holds a run: go on with it by --resume, or choose another --out", path_);
}

void RunDirectory::claim() {
  if (claimed()) return;
  if (numbered_) return claim_next_number();
  made_ = make_directories(path_);
  lock_ = std::make_shared<DirectoryLock>(path_);
}

/// Whoever makes a directory has its name: of two programs that try, the system lets one succeed.
void RunDirectory::claim_next_number() {
  if (const fs::path parent = fs::path(path_).parent_path(); !parent.empty()) make_directories(parent);
  for (int number = 1; !claimed(); ++number) {
    const std::string path = fmt::format("{}-{}", path_, number);
    std::error_code error;
    if (!fs::create_directory(path, error) && !error) continue;
    if (error == std::errc::file_exists) continue;  // and no directory
    require<FormatError>(!error, "{}: cannot make this directory: {}", path, error.message());
    try {
      auto lock = std::make_shared<const DirectoryLock>(path);
      if (RunDirectory(path).holds_a_run()) continue;
      lock_ = std::move(lock);
    } catch (const InUse&) {
      continue;  // as above: somebody was told this name, and was faster
    }
    path_ = path;
    numbered_ = false;
    made_ = true;
  }
}

void RunDirectory::forget() const {
  std::error_code error;  // what cannot be removed stays
  for (const std::string& path : {config_path(), machine_path(), layers_path()}) fs::remove(path, error);
  if (made_) fs::remove(path_, error);  // if it is empty
}

void RunDirectory::write_config(const std::string& text) const { write_file(config_path(), text); }

void RunDirectory::write_layers(const std::string& text) const { write_file(layers_path(), text); }

void RunDirectory::add_machine(const std::string& machine) const {
  std::vector<std::string> machines = read_machines();
  if (std::find(machines.begin(), machines.end(), machine) != machines.end()) return;
  machines.push_back(machine);
  write_file(machine_path(), fmt::format("{}\n", fmt::join(machines, "\n")));
}

void RunDirectory::write_metrics(const std::vector<nn::EpochResult>& epochs) const {
  std::string text = fmt::format("{}\n", metrics_columns);
  for (const nn::EpochResult& epoch : epochs) text += metrics_row(epoch) + "\n";
  write_file(metrics_path(), text);
}

void RunDirectory::write_range(const std::vector<nn::RangePoint>& points) const {
  std::string text = "learning_rate,loss\n";
  for (const nn::RangePoint& p : points) text += fmt::format("{:.6g},{:.6f}\n", p.learning_rate, p.loss);
  write_file(range_path(), text);
}

std::vector<nn::EpochResult> RunDirectory::read_metrics() const {
  std::vector<nn::EpochResult> epochs;
  const auto rows = parse_csv(read_file(metrics_path()), metrics_path());
  require<FormatError>(!rows.empty() && fmt::format("{}", fmt::join(rows[0], ",")) == metrics_columns,
                       "{}: expected the header {}", metrics_path(), metrics_columns);
  for (std::size_t r = 1; r < rows.size(); ++r) {
    epochs.push_back(parse_metrics(rows[r], 0, fmt::format("{}:{}", metrics_path(), r + 1)));
  }
  return epochs;
}

std::vector<std::string> RunDirectory::read_machines() const {
  std::vector<std::string> machines;
  if (!exists(machine_path())) return machines;
  std::istringstream text(read_file(machine_path()));
  for (std::string line; std::getline(text, line);) machines.push_back(line);
  return machines;
}

}  // namespace xtg::app
