#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xtg::app {

/// The command line of a program: options, each by a call that says what it takes and what becomes of that, then
/// parse(). CLI11 tells options from values and other words; what the values mean is said here, so that a number is the
/// same number in all programs and files. A value stands behind its option as a word of its own, which does not begin
/// with "--", or behind "=". If an option is given twice, the last one counts. Words that are no options are for
/// words(); all that follow "--" are.
class Options {
 public:
  /// `--name`. It may be followed by =true or =false.
  void flag(const std::string& name, std::function<void(bool)> set);
  void flag(const std::string& name, bool& value);
  /// `--name VALUE`, any text.
  void text(const std::string& name, std::function<void(const std::string&)> set);
  void text(const std::string& name, std::string& value);
  /// `--name VALUE`, the name of a directory, or of a file to be read (`what`): not empty.
  void path(const std::string& name, std::string& value, const char* what = "directory");
  /// `--name VALUE`, the name of a file to be written: not empty, and no directory.
  void output(const std::string& name, std::string& value);
  /// `--name VALUE`, a number as whole_number and real_number take it; of a whole one those from `low` to `high`.
  void whole(const std::string& name, std::function<void(std::int64_t)> set, std::int64_t low = INT64_MIN,
             std::int64_t high = INT64_MAX);
  void real(const std::string& name, std::function<void(double)> set);
  /// Words that are no options, in their order; without this call there may be none.
  void words(std::vector<std::string>& found) { words_ = &found; }

  /// False if -h or --help is among the words, and then nothing else was done. Throws ValueError, in one line, for
  /// options that do not exist, lack their value, or have one that they do not take.
  bool parse(int argc, char** argv) const;

 private:
  struct Option {
    bool is_flag;
    std::function<void(const std::string& value)> take;  // of a flag: "true" or "false"
  };

  const Option& find(const std::string& name) const;

  std::vector<std::pair<std::string, Option>> options_;  // by name, in the order of the calls
  std::vector<std::string>* words_ = nullptr;
};

}  // namespace xtg::app
