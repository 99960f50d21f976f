#include "examples/resnet_cifar/run_directory.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>

#include "tensor/error.hpp"

namespace fs = std::filesystem;

namespace {

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void write_text(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  errno = 0;
  std::FILE* file = std::fopen(temporary.c_str(), "w");
  bool done = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file) done = std::fclose(file) == 0 && done;
  done = done && std::rename(temporary.c_str(), path.c_str()) == 0;
  if (done) return;
  const std::string reason = std::generic_category().message(errno);
  if (file) std::remove(temporary.c_str());
  throw xtg::FormatError(fmt::format("{}: cannot write: {}", path, reason));
}

}  // namespace

std::string read_text(const std::string& path) {
  std::error_code error;
  std::ifstream in(path);
  std::ostringstream text;
  if (!fs::is_directory(path, error) && in) text << in.rdbuf();
  xtg::require<xtg::FormatError>(text.good() && text.tellp() > 0, "{}: cannot be read, or is empty", path);
  return text.str();
}

RunDirectory::RunDirectory(std::string path) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
}

bool RunDirectory::has_config() const { return exists(config_path()); }
bool RunDirectory::has_checkpoint() const { return exists(checkpoint_path()); }
bool RunDirectory::has_metrics() const { return exists(metrics_path()); }
bool RunDirectory::holds_a_run() const { return has_config() || has_checkpoint() || has_metrics(); }

void RunDirectory::create() const {
  std::error_code error;
  fs::create_directories(path_, error);
  xtg::require<xtg::FormatError>(!error, "{}: cannot make this directory: {}", path_, error.message());
  xtg::require<xtg::FormatError>(fs::is_directory(path_, error), "{} is not a directory", path_);
}

void RunDirectory::write_config(const std::string& text) const { write_text(config_path(), text); }

void RunDirectory::write_metrics(const std::vector<xtg::nn::EpochResult>& epochs) const {
  std::string text =
      "epoch,train_loss,train_accuracy,test_loss,test_accuracy,learning_rate,seconds,images_per_second\n";
  for (const xtg::nn::EpochResult& e : epochs) {
    text +=
        fmt::format("{},{:.6f},{:.4f},{:.6f},{:.4f},{:.6g},{:.2f},{:.1f}\n", e.epoch, e.train_loss, e.train_accuracy,
                    e.test_loss, e.test_accuracy, e.learning_rate, e.seconds, e.images_per_second);
  }
  write_text(metrics_path(), text);
}
