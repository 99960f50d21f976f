#pragma once

#include <memory>
#include <string>
#include <vector>

#include "examples/app/run/directory_lock.hpp"
#include "nn/train/checkpoint.hpp"
#include "nn/train/learning_rate_range.hpp"

namespace xtg::app {

/// The files that a run leaves behind. Each is written under a temporary name and then renamed, so whoever looks, and
/// whenever the program is killed, finds a whole one.
class RunDirectory {
 public:
  explicit RunDirectory(std::string path);
  /// One that gets its path when it is claimed: the first free one of `stem`-1, `stem`-2, …
  static RunDirectory numbered(std::string stem);

  std::string config_path() const { return path_ + "/config.toml"; }
  std::string checkpoint_path() const { return path_ + "/checkpoint.safetensors"; }
  std::string metrics_path() const { return path_ + "/metrics.csv"; }
  std::string curves_path() const { return path_ + "/curves.svg"; }
  std::string layers_path() const { return path_ + "/layers.csv"; }
  /// A line for each machine that the run was trained on.
  std::string machine_path() const { return path_ + "/machine.txt"; }
  /// Of --lr-range: a row a step, and the same as a picture.
  std::string range_path() const { return path_ + "/lr-range.csv"; }
  std::string range_curve_path() const { return path_ + "/lr-range.svg"; }
  const std::string& path() const { return path_; }

  bool has_config() const;
  bool has_checkpoint() const;
  bool has_metrics() const;
  bool has_layers() const;
  /// Whether any of the files that would be overwritten is there.
  bool holds_a_run() const;
  /// Throws ValueError if one is.
  void require_no_run() const;

  /// Makes the directory if need be and keeps it to this program until this object and its copies are gone. Who writes
  /// a run claims its directory first, and looks at what is there only then: before, another program may change it.
  /// Does nothing if it is claimed. Throws InUse if another program has it, FormatError if the directory cannot be
  /// made, or is something else.
  void claim();
  bool claimed() const { return lock_ != nullptr; }

  /// Removes what a run has written before its first checkpoint, and the directory if claim() made it: so the same can
  /// be tried again, with other settings.
  void forget() const;

  /// Throw FormatError that names the file and the system's reason.
  void write_config(const std::string& text) const;
  void write_metrics(const std::vector<nn::EpochResult>& epochs) const;
  void write_layers(const std::string& text) const;
  void add_machine(const std::string& machine) const;
  void write_range(const std::vector<nn::RangePoint>& points) const;
  /// Throws FormatError that names the file and line.
  std::vector<nn::EpochResult> read_metrics() const;
  /// Empty for a run of which they are not known.
  std::vector<std::string> read_machines() const;

 private:
  void claim_next_number();

  std::string path_;
  bool numbered_ = false;  // path_ is only its beginning yet
  bool made_ = false;      // the directory was not there
  std::shared_ptr<const DirectoryLock> lock_;
};

}  // namespace xtg::app
