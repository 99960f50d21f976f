#include "nn/train/checkpoint.hpp"

#include <charconv>
#include <utility>

#include "tensor/excerpt.hpp"

namespace xtg::nn {

namespace {

const std::string average_prefix = "average/";
const std::string note_prefix = "note.";
const char* const format_key = "format";
const char* const format_name = "xtgrad checkpoint 1";

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

// No module's path contains a slash, and all of the optimizer's names do: so the three states stay apart in one file.

/// The arrays of one kind, taken apart.
template <class Array>
void split(std::map<std::string, Array>& all, std::map<std::string, Array>& optimizer,
           std::map<std::string, Array>& average) {
  for (auto entry = all.begin(); entry != all.end();) {
    if (starts_with(entry->first, average_prefix))
      average[entry->first.substr(average_prefix.size())] = std::move(entry->second);
    else if (entry->first.find('/') != std::string::npos)
      optimizer[entry->first] = std::move(entry->second);
    else {
      ++entry;
      continue;
    }
    entry = all.erase(entry);
  }
}

/// Reads the numbers of a text one after another; they are separated by commas, rows by newlines.
class NumberReader {
 public:
  NumberReader(const std::string& text, std::string what)
      : next_(text.data()), end_(next_ + text.size()), what_(std::move(what)) {}

  bool at_end() const { return next_ == end_; }
  const std::string& what() const { return what_; }

  template <class Number>
  void read(Number& number) {
    const std::from_chars_result result = std::from_chars(next_, end_, number);
    const bool separated = result.ptr == end_ || *result.ptr == ',' || *result.ptr == '\n';
    require<FormatError>(result.ec == std::errc() && separated, "{} is not a list of numbers", what_);
    next_ = result.ptr;
    if (next_ != end_) ++next_;
  }

 private:
  const char* next_;
  const char* const end_;
  const std::string what_;
};

// fmt's {} writes the shortest decimal that reads back as the same double: nothing is lost in text.

std::string epochs_text(const std::vector<EpochResult>& epochs) {
  std::string text;
  for (const EpochResult& e : epochs) {
    text += fmt::format("{},{},{},{},{},{},{},{}\n", e.epoch, e.train_loss, e.train_accuracy, e.test_loss,
                        e.test_accuracy, e.learning_rate, e.seconds, e.images_per_second);
  }
  return text;
}

std::vector<EpochResult> parse_epochs(NumberReader reader) {
  std::vector<EpochResult> epochs;
  while (!reader.at_end()) {
    EpochResult& e = epochs.emplace_back();
    reader.read(e.epoch);
    require<FormatError>(e.epoch == epochs.size(), "{}: expected epoch {}, got {}", reader.what(), epochs.size(),
                         e.epoch);
    for (double* number : {&e.train_loss, &e.train_accuracy, &e.test_loss, &e.test_accuracy, &e.learning_rate,
                           &e.seconds, &e.images_per_second}) {
      reader.read(*number);
    }
  }
  return epochs;
}

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  SafeTensors contents = checkpoint.network;
  contents.tensors.insert(checkpoint.optimizer.tensors.begin(), checkpoint.optimizer.tensors.end());
  contents.integers.insert(checkpoint.optimizer.integers.begin(), checkpoint.optimizer.integers.end());
  for (const auto& [name, array] : checkpoint.average.tensors) contents.tensors[average_prefix + name] = array;
  for (const auto& [name, counter] : checkpoint.average.integers) contents.integers[average_prefix + name] = counter;
  const TrainingProgress& progress = checkpoint.progress;
  contents.metadata = {{format_key, format_name},
                       {"epochs", epochs_text(progress.epochs)},
                       {"epoch_under_way", fmt::format("{},{},{},{},{}", progress.step, progress.images,
                                                       progress.correct, progress.loss_sum, progress.seconds)}};
  for (const auto& [name, text] : checkpoint.notes) contents.metadata[note_prefix + name] = text;
  save_safetensors(path, contents);
}

Checkpoint load_checkpoint(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.network = load_safetensors(path);
  const std::map<std::string, std::string> metadata = std::exchange(checkpoint.network.metadata, {});

  const auto entry = [&](const char* key) -> const std::string& {
    const auto found = metadata.find(key);
    require<FormatError>(found != metadata.end(), "{}: not a checkpoint of a training, it has no entry '{}'", path,
                         key);
    return found->second;
  };
  require<FormatError>(entry(format_key) == format_name, "{}: expected the format '{}', found '{}'", path, format_name,
                       excerpt(entry(format_key)));
  TrainingProgress& progress = checkpoint.progress;
  progress.epochs = parse_epochs(NumberReader(entry("epochs"), path + ": the entry 'epochs'"));
  NumberReader under_way(entry("epoch_under_way"), path + ": the entry 'epoch_under_way'");
  under_way.read(progress.step);
  under_way.read(progress.images);
  under_way.read(progress.correct);
  under_way.read(progress.loss_sum);
  under_way.read(progress.seconds);
  for (const auto& [key, text] : metadata) {
    if (starts_with(key, note_prefix)) checkpoint.notes[key.substr(note_prefix.size())] = text;
  }

  split(checkpoint.network.tensors, checkpoint.optimizer.tensors, checkpoint.average.tensors);
  split(checkpoint.network.integers, checkpoint.optimizer.integers, checkpoint.average.integers);
  return checkpoint;
}

}  // namespace xtg::nn
