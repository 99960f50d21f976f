#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../../tensor/safetensors.hpp"

namespace xtg::nn {

/// What one epoch of training came to.
struct EpochResult {
  std::size_t epoch = 0;      // 1, 2, …
  double train_loss = 0;      // nats per image, as trained on: augmented, with label smoothing if that is on
  double train_accuracy = 0;  // percent
  double test_loss = 0;       // nats per image, without label smoothing
  double test_accuracy = 0;   // percent
  double learning_rate = 0;   // of the epoch's last step
  double seconds = 0;         // training alone: without evaluation and saving
  double images_per_second = 0;
};

/// How far a training has come: the finished epochs, and the sums of the one under way.
struct TrainingProgress {
  std::vector<EpochResult> epochs;
  std::size_t step = 0;     // steps done in the epoch under way
  std::size_t images = 0;   // seen in it
  std::size_t correct = 0;  // of those
  double loss_sum = 0;      // nats, over its images
  double seconds = 0;       // spent on its steps
};

/// All that a training needs to go on as if it had never stopped. The data come from elsewhere; shuffling and
/// augmentation are functions of (seed, epoch, sample), so no generator's state is needed.
struct Checkpoint {
  SafeTensors network;    // Module::state_dict()
  SafeTensors optimizer;  // Optimizer::state_dict()
  SafeTensors average;    // Ema::state_dict(), or nothing; load_state_dict puts it into a network for evaluation
  TrainingProgress progress;
  std::map<std::string, std::string> notes;  // the program's own, such as its settings
};

/// Writes a safetensors file, whole or not at all. The network's entries have their plain names, so other programs can
/// read the weights; the optimizer's have the names of its state, "velocity/" + the parameter's; the average's have
/// "average/" before them; progress and notes are in the metadata, every double in as many digits as it takes to read
/// the same one back. Throws as save_safetensors does.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Throws FormatError that names the file and what is wrong: as load_safetensors does, and if it is a safetensors file
/// but not a checkpoint.
Checkpoint load_checkpoint(const std::string& path);

}  // namespace xtg::nn
